// Finds kernels that can take turns strip by strip along an axis that they share, so that what one has written is in the cache when the next reads it.
import { bytesOf, type Node, sizeOf } from "../graph/internal.ts";
import type { Prepared } from "./1-prepare.ts";
import type { Kernel } from "./kernel.ts";
import type { Lowered } from "./program.ts";
import { type Cut, isProduct, type Reach, reachesOf, splitOf, stripCounts, unitCounts } from "./strip.ts";
import type { Target } from "./target.ts";

/** Neighbouring calls that take turns: the first strip of each, then the second of each. */
export interface Run {
  /** The first of the calls, and how many they are. */
  readonly first: number;
  readonly calls: number;
  readonly strips: number;
  /** Threads share out the units: the strips of one come one after the other, as kernels may add up along them. */
  readonly units: number;
  /** Values that nobody reads but the run, with the elements of a strip: each thread has room for one of them. */
  readonly inside: ReadonlyMap<Node, number>;
}

/** Numbers of strips that are tried for a run. */
const mostTried = 8;
/** Operations of products for each byte that is spared, at most: with more, as in convolutions of many channels, nothing is gained, and two forms of one kernel have to be compiled. */
const productsOfByte = 128;
/** Kernels that do not belong to a run and are moved ahead of it, at most. */
const mostMoved = 6;

/** Orders kernels so that those which can take turns are neighbours, and lays these out in strips. */
export function inStrips(
  lowered: readonly Lowered[],
  prepared: Prepared,
  target: Target,
): { lowered: Lowered[]; runs: Run[] } {
  const finder = new Finder(lowered, prepared, target);
  const ordered: Lowered[] = [];
  const runs: Run[] = [];
  const taken = new Set<number>();
  lowered.forEach((next, i) => {
    if (taken.has(i)) return;
    const found = finder.from(i, taken);
    if (found === undefined) {
      ordered.push(next);
      return;
    }
    for (const j of found.moved) ordered.push(lowered[j]);
    runs.push({
      first: ordered.length,
      calls: found.members.length,
      strips: found.strips,
      units: found.units ?? found.strips,
      inside: finder.inside(found),
    });
    for (const { at, how } of found.members) ordered.push(finder.split(lowered[at], how));
    for (const j of [...found.moved, ...found.members.map((m) => m.at)]) taken.add(j);
  });
  return { lowered: ordered, runs };
}

/** What is known of the values that the members of a run touch. */
interface Touched {
  /** Of those that move with the strips, which stretch of so many elements is a strip's own. */
  readonly step: number;
  readonly cell: number;
  written: boolean;
}

/** Of a sum along strips, which is complete when all have been there. */
const nowhere = { step: Number.NaN, cell: Number.NaN };

interface Found {
  readonly strips: number;
  /** Bytes that each member may touch of a strip. */
  readonly room: number;
  /** The strips of which add up, if any do. */
  units: number | undefined;
  readonly members: { readonly at: number; readonly how: Cut }[];
  readonly moved: number[];
  readonly touched: Map<Node, Touched>;
  /** Values of which a strip reads more than its own: none of them may come from the run. */
  readonly spread: Set<Node>;
  /** Leaves that members read. */
  readonly leaves: Set<number>;
  /** Bytes that need not come from afar once more, and multiplications and additions of the members' products. */
  saved: number;
  products: number;
}

class Finder {
  readonly #lowered: readonly Lowered[];
  readonly #target: Target;
  readonly #results: ReadonlySet<Node>;
  /** For each new value of a leaf, which that is. */
  readonly #updates: ReadonlyMap<Node, number>;
  /** Parts of larger values, which lie in these. */
  readonly #parts: ReadonlySet<Node>;
  /** For each value the last kernel that reads it. */
  readonly #lastRead = new Map<Node, number>();
  /** A kernel did not join a run for want of room alone. */
  #full = false;
  readonly #reach = new Map<Kernel, Map<string, readonly Reach[] | undefined>>();
  readonly #split = new Map<Kernel, Map<string, Kernel>>();

  constructor(lowered: readonly Lowered[], prepared: Prepared, target: Target) {
    this.#lowered = lowered;
    this.#target = target;
    this.#updates = new Map(prepared.updates.map((u) => [u.value, u.leaf]));
    this.#results = new Set([...prepared.outputs, ...this.#updates.keys()]);
    this.#parts = new Set([...prepared.joined.values()].flat());
    lowered.forEach(({ kernel }, i) => {
      for (const { node, written } of kernel.buffers) if (!written) this.#lastRead.set(node, i);
    });
  }

  /** The run that begins with a kernel and spares the most, if there is one. */
  from(first: number, taken: ReadonlySet<number>): Found | undefined {
    const { kernel } = this.#lowered[first];
    const { least: fewest, spared, room } = this.#target.strips;
    if (!this.#eligible(kernel) || bytesTouched(kernel) < spared) return undefined;
    if (!this.#neighbours(first)) return undefined;
    let best: Found | undefined;
    this.#full = false;
    for (const most of [room, 4 * room]) {
      if (most > room && !this.#full) break; // what is too large for the second-level cache may still be in the third
      const least = Math.max(fewest, bytesTouched(kernel) / most);
      for (const strips of stripCounts(kernel, least).slice(0, mostTried)) {
        const found = this.#extend(first, strips, most, taken);
        if (found === undefined || found.members.length < 2) continue;
        if (found.saved < Math.max(spared, found.products / productsOfByte)) continue;
        if (best === undefined || found.saved > best.saved) best = found;
      }
    }
    return best;
  }

  /** Whether one of the next kernels touches what this one does. */
  #neighbours(first: number): boolean {
    const nodes = new Set(this.#lowered[first].kernel.buffers.map((b) => b.node));
    const next = this.#lowered.slice(first + 1, first + 2 + mostMoved);
    return next.some(({ kernel }) => kernel.buffers.some((b) => nodes.has(b.node)));
  }

  #extend(first: number, strips: number, room: number, taken: ReadonlySet<number>): Found | undefined {
    const found: Found = {
      strips,
      room,
      units: undefined,
      members: [],
      moved: [],
      touched: new Map(),
      spread: new Set(),
      leaves: new Set(),
      saved: 0,
      products: 0,
    };
    if (!this.#join(found, first, { strips })) return undefined;
    for (let j = first + 1; j < this.#lowered.length && !taken.has(j); j++) {
      if (this.#cuts(found, j).some((how) => this.#join(found, j, how))) continue;
      if (found.moved.length === mostMoved || !this.#goesAhead(found, this.#lowered[j].kernel)) break;
      found.moved.push(j);
    }
    // what was passed over after the last member stays where it is
    const last = found.members[found.members.length - 1].at;
    while (found.moved.length > 0 && found.moved[found.moved.length - 1] > last) found.moved.pop();
    this.#takeBack(found);
    return found;
  }

  /** Joins to a run what was passed over and comes before members alone, where these read it strip by strip. */
  #takeBack(found: Found): void {
    for (const j of [...found.moved].reverse()) {
      const written = new Set(this.#lowered[j].kernel.buffers.flatMap((b) => (b.written ? [b.node] : [])));
      const ahead = found.moved.some((i) =>
        this.#lowered[i].kernel.buffers.some((b) => !b.written && written.has(b.node)),
      );
      if (!ahead && this.#cuts(found, j).some((how) => this.#join(found, j, how)))
        found.moved.splice(found.moved.indexOf(j), 1);
    }
    found.members.sort((a, b) => a.at - b.at);
  }

  /** Whether a kernel can as well run before a run. */
  #goesAhead({ touched }: Found, { serial, buffers }: Kernel): boolean {
    const waits = ({ node, written }: Kernel["buffers"][number]): boolean =>
      written ? this.#updates.has(node) : touched.get(node)?.written === true;
    return !serial && !buffers.some(waits);
  }

  /** How the strips of a kernel could be those of a run. */
  #cuts({ strips, units }: Found, j: number): Cut[] {
    const counts = unitCounts(this.#lowered[j].kernel, this.#target.strips.units);
    return [{ strips }, ...counts.filter((n) => n === (units ?? n)).map((n) => ({ strips, units: n }))];
  }

  /** Adds a kernel to a run, if its strips need no others of what the run writes, and something that the run has at hand. */
  #join(found: Found, j: number, how: Cut): boolean {
    const { kernel } = this.#lowered[j];
    if (!this.#eligible(kernel) || this.#overwrites(found, kernel)) return false;
    const reaches = this.#reaches(this.#lowered[j], how);
    const extra = how.units === undefined ? 0 : 1; // it reads what it adds to
    if (reaches === undefined || kernel.buffers.length + extra > this.#target.mostBuffers) return false;
    let [bytes, saved] = [0, 0];
    const added: [Node, Touched][] = [];
    const spread: Node[] = [];
    for (const [i, { node, written }] of kernel.buffers.entries()) {
      const reach = reaches[i];
      const known = found.touched.get(node);
      const size = bytesOf[node.dtype];
      const own = cellOf(reach);
      const same = own !== undefined && reach.step === known?.step && own === known?.cell;
      if ((written || known?.written) && known !== undefined && !same) return false;
      if (written && found.spread.has(node)) return false;
      if (known === undefined ? own === undefined : !same) spread.push(node);
      if (same) saved += size * Math.min(found.strips * reach.count, sizeOf(node.shape));
      bytes += size * reach.count;
      if (known !== undefined) continue;
      if (written && how.units !== undefined) added.push([node, { ...nowhere, written }]);
      else if (own !== undefined) added.push([node, { step: reach.step!, cell: own, written }]);
      else if (written) return false;
    }
    const alone = found.members.length === 0;
    if (!alone && saved === 0) return false;
    if (bytes > found.room) {
      this.#full = true;
      return false;
    }
    for (const [node, touched] of added) found.touched.set(node, touched);
    for (const node of spread) found.spread.add(node);
    for (const { node, written } of kernel.buffers) {
      const touched = found.touched.get(node);
      if (touched !== undefined) touched.written ||= written;
    }
    found.saved += saved;
    if (kernel.reductions.some(isProduct)) found.products += 2 * pointsOf(kernel);
    for (const b of kernel.buffers) if (leafOf(b) !== undefined) found.leaves.add(leafOf(b)!);
    found.members.push({ at: j, how });
    found.units ??= how.units;
    return true;
  }

  #eligible({ serial, buffers }: Kernel): boolean {
    return !serial && !buffers.some((b) => b.shared || (b.written && this.#parts.has(b.node)));
  }

  /** Whether a kernel writes a new value where it, or a strip of a member that is yet to come, reads the old one. */
  #overwrites({ leaves }: Found, { buffers }: Kernel): boolean {
    return buffers.some(({ node, written }) => {
      const leaf = written ? this.#updates.get(node) : undefined;
      return leaf !== undefined && (leaves.has(leaf) || buffers.some((b) => leafOf(b) === leaf));
    });
  }

  /** Values that a run writes and that nobody else reads. */
  inside({ members, touched }: Found): Map<Node, number> {
    const last = members[members.length - 1].at;
    const inside = new Map<Node, number>();
    for (const [node, { written, step, cell }] of touched) {
      const elsewhere = this.#results.has(node) || this.#parts.has(node) || (this.#lastRead.get(node) ?? 0) > last;
      const even = (step * bytesOf[node.dtype]) % this.#target.alignment === 0;
      if (written && !elsewhere && cell === 0 && step > 0 && even) inside.set(node, step);
    }
    return inside;
  }

  #reaches({ like, later }: Lowered, how: Cut): readonly Reach[] | undefined {
    const found = known(this.#reach, like, how, () => reachesOf(like, how));
    if (found === undefined || later.every((n) => n === 0)) return found;
    return found.map((r, i) => ({ ...r, min: r.min + later[i], max: r.max + later[i] }));
  }

  split({ kernel, like, later }: Lowered, how: Cut): Lowered {
    const made = known(this.#split, like, how, () => splitOf(like, how));
    if (how.units === undefined) return { kernel: { ...made, buffers: kernel.buffers }, like: made, later };
    const result = kernel.stores[0].buffer; // which it reads, too
    const buffers = [...kernel.buffers, { node: kernel.buffers[result].node, written: false }];
    return { kernel: { ...made, buffers }, like: made, later: [...later, later[result]] };
  }
}

/** What has been found for a kernel and a way to cut it. */
function known<T>(all: Map<Kernel, Map<string, T>>, kernel: Kernel, { strips, units }: Cut, find: () => T): T {
  let found = all.get(kernel);
  if (found === undefined) all.set(kernel, (found = new Map()));
  const key = `${strips} ${units}`;
  if (!found.has(key)) found.set(key, find());
  return found.get(key)!;
}

/** Which stretch of `step` elements a strip keeps to; undefined where it does not move, or reaches into others'. */
function cellOf({ step, min, max }: Reach): number | undefined {
  if (step === undefined || step <= 0) return undefined;
  const cell = Math.floor(min / step);
  return Math.floor(max / step) === cell ? cell : undefined;
}

/** The leaf that a buffer is read from. */
const leafOf = ({ node, written }: Kernel["buffers"][number]): number | undefined =>
  !written && node.op === "buffer" ? node.leaf : undefined;

/** Bytes of all buffers that a kernel touches, at most: of a stack over time it may be one step. */
function bytesTouched({ outer, reduced, buffers }: Kernel): number {
  const points = pointsOf({ outer, reduced });
  return buffers.reduce((sum, { node }) => sum + bytesOf[node.dtype] * Math.min(points, sizeOf(node.shape)), 0);
}

const pointsOf = ({ outer, reduced }: Pick<Kernel, "outer" | "reduced">): number =>
  [...outer, ...reduced].reduce((n, a) => n * a.extent, 1);
