// A WebAssembly assembler: instruction names in, module bytes out. The lowest layer of the wasm backend.

import { type Op, opcodes } from "./opcodes.ts";

export type { Op } from "./opcodes.ts";

/** What a module says about the memory that it imports; sizes in pages of 64 KiB. */
export interface ModuleOptions {
  memory: { shared: boolean; minimum: number; maximum: number };
}

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

const typeCodes: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const voidType = 0x40;

/** Reserved bytes, all zero, that follow these instructions (memory indices; the fence's ordering). */
const zeroBytes: Partial<Record<Op, number>> = {
  "memory.size": 1,
  "memory.grow": 1,
  "memory.copy": 2,
  "memory.fill": 1,
  "atomic.fence": 1,
};

/** A growing byte array with the format's integer and text encodings. */
class Bytes {
  private data = new Uint8Array(256);
  private view = new DataView(this.data.buffer);
  length = 0;

  /** Makes room for `count` more bytes and returns where they start. */
  private reserve(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.data.length) {
      const grown = new Uint8Array(Math.max(this.length, 2 * this.data.length));
      grown.set(this.data);
      this.data = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  byte(value: number): void {
    if (this.length < this.data.length) this.data[this.length++] = value;
    else this.bytes([value]);
  }

  bytes(values: ArrayLike<number>): void {
    const at = this.reserve(values.length); // may replace this.data
    this.data.set(values, at);
  }

  /** Unsigned LEB128 of a 32-bit value. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit value. */
  signed(value: number): void {
    let rest = value | 0;
    for (; rest < -64 || rest > 63; rest >>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest & 0x7f);
  }

  /** Signed LEB128 of a 64-bit value. */
  signed64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (; rest < -64n || rest > 63n; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest & 0x7fn));
  }

  // A NaN made at run time may carry any sign and payload: one bit pattern is written for all, so bytes are repeatable.
  float32(value: number): void {
    const at = this.reserve(4);
    if (Number.isNaN(value)) this.view.setUint32(at, 0x7fc00000, true);
    else this.view.setFloat32(at, value, true);
  }

  float64(value: number): void {
    const at = this.reserve(8);
    if (Number.isNaN(value)) this.view.setBigUint64(at, 0x7ff8000000000000n, true);
    else this.view.setFloat64(at, value, true);
  }

  text(value: string): void {
    this.sized(new TextEncoder().encode(value));
  }

  /** Byte count, then the bytes. */
  sized(values: Uint8Array): void {
    this.unsigned(values.length);
    this.bytes(values);
  }

  done(): Uint8Array {
    return this.data.subarray(0, this.length);
  }
}

/** log₂ of the bytes an instruction touches, read off its name: `v128.load32_lane` 2, `v128.load8x8_s` 3, `f64.load` 3. */
function alignmentOf(name: Op): number {
  const width = /(?:load|store|wait)(\d+)(?:x(\d))?/.exec(name);
  if (width) return Math.log2((Number(width[1]) * Number(width[2] ?? 1)) / 8);
  // The vector hint stays at 4 bytes: rows of float tensors start anywhere.
  return name.startsWith("i64") || name.startsWith("f64") ? 3 : 2;
}

const alignments = new Map<Op, number>();

/** The body of one function; every method appends to it and returns it. */
export class Func {
  readonly module: WasmModule;
  readonly name: string;
  readonly index: number;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly exported: boolean;
  private readonly types: ValueType[];
  private readonly spare: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly code = new Bytes();

  constructor(
    module: WasmModule,
    name: string,
    index: number,
    params: ValueType[],
    results: ValueType[],
    exported: boolean,
  ) {
    this.module = module;
    this.name = name;
    this.index = index;
    this.params = params;
    this.results = results;
    this.exported = exported;
    this.types = [...params];
  }

  /** A local of that type: one given back by `free` (which keeps its old value) or a new one (zero). */
  local(type: ValueType): number {
    return this.spare[type].pop() ?? this.types.push(type) - 1;
  }

  /** Lets `local` hand this one out again. */
  free(local: number): void {
    this.spare[this.types[local]].push(local);
  }

  /** An instruction without immediates. */
  op(name: Op): this {
    this.opcode(opcodes[name]);
    for (let n = zeroBytes[name] ?? 0; n > 0; n--) this.code.byte(0);
    return this;
  }

  /** Constant; accepts the signed and the unsigned reading of 32 bits. */
  i32(value: number): this {
    this.code.byte(0x41);
    this.code.signed(value);
    return this;
  }

  i64(value: bigint): this {
    this.code.byte(0x42);
    this.code.signed64(value);
    return this;
  }

  f32(value: number): this {
    this.code.byte(0x43);
    this.code.float32(value);
    return this;
  }

  f64(value: number): this {
    this.code.byte(0x44);
    this.code.float64(value);
    return this;
  }

  /** Constant of 16 bytes, lane 0 first. */
  v128(bytes: Uint8Array): this {
    this.opcode(0xfd00c);
    this.code.bytes(bytes);
    return this;
  }

  get(local: number): this {
    return this.indexed(0x20, local);
  }

  set(local: number): this {
    return this.indexed(0x21, local);
  }

  tee(local: number): this {
    return this.indexed(0x22, local);
  }

  /** A load, store, splat-load, or atomic at the address on the stack + offset (bytes, < 2³²). */
  memory(name: Op, offset = 0): this {
    let alignment = alignments.get(name);
    if (alignment === undefined) alignments.set(name, (alignment = alignmentOf(name)));
    this.opcode(opcodes[name]);
    this.code.byte(alignment);
    this.code.unsigned(offset);
    return this;
  }

  /** `extract_lane` or `replace_lane`. */
  lane(name: Op, lane: number): this {
    this.opcode(opcodes[name]);
    this.code.byte(lane);
    return this;
  }

  /** Load or store of one lane, as `v128.load32_lane`. */
  memoryLane(name: Op, offset: number, lane: number): this {
    this.memory(name, offset);
    this.code.byte(lane);
    return this;
  }

  /** `i8x16.shuffle`: 16 byte indices, 0…15 into the first operand, 16…31 into the second. */
  shuffle(lanes: number[]): this {
    this.opcode(0xfd00d);
    this.code.bytes(lanes);
    return this;
  }

  /** `br(0)` inside leaves the block. */
  block(body: () => void): this {
    return this.structured(0x02, voidType, body);
  }

  /** `br(0)` inside starts the next round; without it the loop ends. */
  loop(body: () => void): this {
    return this.structured(0x03, voidType, body);
  }

  if(then: () => void, otherwise?: () => void, result?: ValueType): this {
    return this.structured(0x04, result ? typeCodes[result] : voidType, () => {
      then();
      if (otherwise) {
        this.code.byte(0x05);
        otherwise();
      }
    });
  }

  /** Branches to the depth-th enclosing block, loop or if, 0 being the innermost. */
  br(depth: number): this {
    return this.indexed(0x0c, depth);
  }

  brIf(depth: number): this {
    return this.indexed(0x0d, depth);
  }

  ret(): this {
    return this.op("return");
  }

  call(f: Func): this {
    return this.indexed(0x10, f.index);
  }

  /** The function as it lies in the code section: locals in runs of one type, instructions, end. */
  body(): Uint8Array {
    const out = new Bytes();
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.types.slice(this.params.length)) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    out.unsigned(runs.length);
    for (const { type, count } of runs) {
      out.unsigned(count);
      out.byte(typeCodes[type]);
    }
    out.bytes(this.code.done());
    out.byte(0x0b);
    return out.done();
  }

  private opcode(code: number): void {
    if (code > 0xff) {
      this.code.byte(code >>> 12);
      this.code.unsigned(code & 0xfff);
    } else this.code.byte(code);
  }

  private indexed(code: number, index: number): this {
    this.code.byte(code);
    this.code.unsigned(index);
    return this;
  }

  private structured(code: number, type: number, body: () => void): this {
    this.code.byte(code);
    this.code.byte(type);
    body();
    this.code.byte(0x0b);
    return this;
  }
}

/** A module that imports its memory as `env.memory` and defines functions; those marked `export` are callable by name. */
export class WasmModule {
  private readonly memory: ModuleOptions["memory"];
  private readonly funcs: Func[] = [];
  private readonly shared = new Map<string, Func>();

  constructor(options: ModuleOptions) {
    this.memory = options.memory;
  }

  /** A new function, callable at once from others, also before its body is written. */
  func(name: string, params: ValueType[], results: ValueType[] = [], options: { export?: boolean } = {}): Func {
    const f = new Func(this, name, this.funcs.length, params, results, options.export ?? false);
    this.funcs.push(f);
    return f;
  }

  /** The function of that name, defined where it is first called for. */
  sharedFunc(name: string, params: ValueType[], results: ValueType[], write: (f: Func) => void): Func {
    const found = this.shared.get(name);
    if (found !== undefined) return found;
    const f = this.func(name, params, results);
    this.shared.set(name, f);
    write(f);
    return f;
  }

  /** The module in binary form, with a name section so that profiles and traps show function names. */
  bytes(): Uint8Array<ArrayBuffer> {
    const signatures = new Map<string, { index: number; of: Func }>();
    const typeIndices = this.funcs.map((f) => {
      const key = `${f.params}>${f.results}`;
      if (!signatures.has(key)) signatures.set(key, { index: signatures.size, of: f });
      return signatures.get(key)!.index;
    });
    const exported = this.funcs.filter((f) => f.exported);

    const out = new Bytes();
    out.bytes([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    vector(out, 1, [...signatures.values()], (s, { of }) => {
      s.byte(0x60);
      s.sized(Uint8Array.from(of.params, (t) => typeCodes[t]));
      s.sized(Uint8Array.from(of.results, (t) => typeCodes[t]));
    });
    vector(out, 2, [this.memory], (s, { shared, minimum, maximum }) => {
      s.text("env");
      s.text("memory");
      s.bytes([0x02, shared ? 0x03 : 0x01]);
      s.unsigned(minimum);
      s.unsigned(maximum);
    });
    vector(out, 3, typeIndices, (s, index) => s.unsigned(index));
    vector(out, 7, exported, (s, f) => {
      s.text(f.name);
      s.byte(0x00);
      s.unsigned(f.index);
    });
    vector(out, 10, this.funcs, (s, f) => s.sized(f.body()));

    const names = new Bytes();
    names.text("name");
    vector(names, 1, this.funcs, (s, f) => {
      s.unsigned(f.index);
      s.text(f.name);
    });
    out.byte(0);
    out.sized(names.done());
    return out.done().slice();
  }
}

/** A section: id, size, and a counted list of entries. */
function vector<T>(out: Bytes, id: number, entries: T[], write: (section: Bytes, entry: T) => void): void {
  const section = new Bytes();
  section.unsigned(entries.length);
  for (const entry of entries) write(section, entry);
  out.byte(id);
  out.sized(section.done());
}
