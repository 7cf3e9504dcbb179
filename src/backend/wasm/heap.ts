// The allocator over the wasm memory: its books are kept here, outside the memory that they describe.
import { OutOfMemory } from "../backend.ts";

/** A stretch of memory; neighbours in address order, and, while free, neighbours in the list of its size class. */
class Block {
  readonly start: number;
  size: number;
  free = false;
  below: Block | undefined;
  above: Block | undefined;
  previous: Block | undefined;
  next: Block | undefined;

  constructor(start: number, size: number, below: Block | undefined) {
    this.start = start;
    this.size = size;
    this.below = below;
  }
}

const unit = 64;
const classCount = 200;
/** Blocks of the request's own class looked at before a larger class is taken. */
const ownClassTries = 16;

/** Size class: exact below 8 units, then eight classes an octave (≤ 12.5 % apart). */
function classOf(size: number): number {
  const units = size / unit;
  const octave = 31 - Math.clz32(units);
  return octave < 3 ? units : ((octave - 2) << 3) | ((units >>> (octave - 3)) & 7);
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${" KMGT"[power]}iB`;
}

/**
 * Good-fit allocation with immediate coalescing in constant time: free blocks hang in lists by size class, and a
 * bitmap finds the next class that has one (after TLSF: Masmano, Ripoll, Crespo and Real, 2004).
 */
export class Heap {
  /** Bytes handed out, rounding included. */
  used = 0;
  private end: number;
  private top: Block | undefined;
  private readonly limit: number;
  private readonly extend: (end: number) => boolean;
  private readonly lists: (Block | undefined)[] = new Array(classCount).fill(undefined);
  private readonly occupied = new Uint32Array(Math.ceil(classCount / 32));
  private readonly blocks = new Map<number, Block>();

  /** Serves addresses start … limit − 1; `extend(end)` makes the memory below `end` usable, or returns false. */
  constructor(start: number, end: number, limit: number, extend: (end: number) => boolean) {
    this.end = start;
    this.limit = limit;
    this.extend = extend;
    this.append(end);
  }

  /** Address of `bytes` bytes of undefined content. Throws OutOfMemory. */
  alloc(bytes: number, align: number = unit): number {
    if (!(bytes >= 0)) throw new RangeError(`alloc: ${bytes} is not a number of bytes`);
    const size = Math.max(unit, roundUp(bytes, unit));
    const padded = size + Math.max(0, align - unit);
    const found = this.find(padded) ?? this.grow(padded, bytes);
    this.unlink(found);
    const start = roundUp(found.start, align);
    const block = start > found.start ? this.split(found, start - found.start) : found;
    if (block !== found) this.link(found);
    if (block.size > size) this.link(this.split(block, size));
    block.free = false;
    this.blocks.set(block.start, block);
    this.used += block.size;
    return block.start;
  }

  /** Gives back what `alloc` returned. */
  free(address: number): void {
    let block = this.blocks.get(address);
    if (!block) throw new Error(`free: nothing is allocated at address ${address} (freed twice?)`);
    this.blocks.delete(address);
    this.used -= block.size;
    if (block.above?.free) {
      this.unlink(block.above);
      this.merge(block, block.above);
    }
    if (block.below?.free) {
      this.unlink(block.below);
      block = this.merge(block.below, block);
    }
    this.link(block);
  }

  private find(size: number): Block | undefined {
    if (size > this.limit) return undefined; // also keeps classOf within 32 bits
    const own = classOf(size);
    let block = this.lists[own];
    for (let tries = ownClassTries; block && tries > 0; tries--, block = block.next) {
      if (block.size >= size) return block;
    }
    const larger = own + 1;
    for (let word = larger >>> 5; word < this.occupied.length; word++) {
      const bits = this.occupied[word] & (word === larger >>> 5 ? -1 << (larger & 31) : -1);
      if (bits) return this.lists[(word << 5) + 31 - Math.clz32(bits & -bits)];
    }
    return undefined;
  }

  /** Enlarges the memory by an eighth, or by what is needed where that is more or where an eighth is refused. */
  private grow(size: number, bytes: number): Block {
    const needed = this.end + size - (this.top?.free ? this.top.size : 0);
    const generous = Math.min(this.limit, Math.max(needed, roundUp(this.end * 1.125, unit)));
    for (const end of needed > this.limit ? [] : [generous, needed]) {
      if (this.extend(end)) return this.append(end);
    }
    const limit = `${formatBytes(this.used)} of ${formatBytes(this.limit)} are in use`;
    throw new OutOfMemory(
      `${formatBytes(bytes)} asked for, ${limit}: use a smaller batch or model, or release tensors`,
    );
  }

  /** Adds the addresses up to `end` to the topmost free block. */
  private append(end: number): Block {
    let block = new Block(this.end, end - this.end, this.top);
    if (this.top) this.top.above = block;
    if (this.top?.free) {
      this.unlink(this.top);
      block = this.merge(this.top, block);
    }
    this.top = block;
    this.end = end;
    this.link(block);
    return block;
  }

  /** Cuts a block that is in no list after `size` bytes; returns the upper part, in no list either. */
  private split(block: Block, size: number): Block {
    const upper = new Block(block.start + size, block.size - size, block);
    upper.above = block.above;
    if (block.above) block.above.below = upper;
    else this.top = upper;
    block.above = upper;
    block.size = size;
    return upper;
  }

  private merge(lower: Block, upper: Block): Block {
    lower.size += upper.size;
    lower.above = upper.above;
    if (upper.above) upper.above.below = lower;
    else this.top = lower;
    return lower;
  }

  private link(block: Block): void {
    const list = classOf(block.size);
    block.free = true;
    block.previous = undefined;
    block.next = this.lists[list];
    if (block.next) block.next.previous = block;
    this.lists[list] = block;
    this.occupied[list >>> 5] |= 1 << (list & 31);
  }

  private unlink(block: Block): void {
    const list = classOf(block.size);
    block.free = false;
    if (block.next) block.next.previous = block.previous;
    if (block.previous) block.previous.next = block.next;
    else if (!(this.lists[list] = block.next)) this.occupied[list >>> 5] &= ~(1 << (list & 31));
  }
}
