// Safetensors: byte for byte what the reference writes, every dtype there and back, and nothing hostile gets through.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FormatError,
  parseSafetensors,
  type RawDType,
  type RawTensor,
  readSafetensors,
  serializeSafetensors,
  toFloat32,
  writeSafetensors,
} from "../../src/io/index.ts";
import { rawDTypes } from "../../src/io/raw-tensor.ts";

const reference = new URL("./fixtures/reference.safetensors", import.meta.url);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hebb-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file with this header, padded or not, and this many bytes of data. */
function fileOf(header: string | Uint8Array, dataSize = 0, length?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataSize);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const random = (seed: number) => () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;

describe("the reference's file", () => {
  test("reads with the values that were saved", async () => {
    const { tensors, metadata } = await readSafetensors(reference.pathname);
    expect([...metadata]).toEqual([["made by", "safetensors\n\u0001é"]]);
    expect(tensors.size).toBe(18);
    expect(tensors.get("f32")).toEqual({
      dtype: "f32",
      shape: [2, 3],
      data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25),
    });
    expect(tensors.get("f64")).toEqual({ dtype: "f64", shape: [], data: Float64Array.of(0.1) });
    expect(tensors.get("i64")!.data[0]).toBe(-(2n ** 53n) - 1n);
    expect(tensors.get("u64")!.data[0]).toBe(2n ** 64n - 1n);
    expect(tensors.get("i16")!.data).toEqual(Int16Array.of(-300, 400));
    expect(tensors.get("c64")!.data).toEqual(Float32Array.of(1, 2));
    expect(tensors.get("empty")).toEqual({ dtype: "f32", shape: [0, 3], data: new Float32Array(0) });
    expect(toFloat32(tensors.get("f16")!)).toEqual(Float32Array.of(1.5, -2, 2 ** -24));
  });

  test("is what writing the same tensors gives, byte for byte", async () => {
    const bytes = new Uint8Array(await readFile(reference));
    const { tensors, metadata } = parseSafetensors(bytes);
    const backwards = new Map([...tensors].reverse());
    expect(serializeSafetensors(backwards, { metadata })).toEqual(bytes);
    const path = join(folder, "again.safetensors");
    await writeSafetensors(path, backwards, { metadata });
    expect(new Uint8Array(await readFile(path))).toEqual(bytes);
  });
});

describe("round trips", () => {
  const dtypes = Object.keys(rawDTypes) as RawDType[];
  test.each(dtypes)("%s", async (dtype) => {
    const next = random(7);
    const { bits, array } = rawDTypes[dtype];
    const tensors = new Map<string, RawTensor>();
    for (const shape of [[], [0], [8], [3, 0, 5], [2, 4, 3]]) {
      const elements = shape.reduce((a, b) => a * b, 1);
      if ((elements * bits) % 8) continue;
      const bytes = Uint8Array.from({ length: (elements * bits) / 8 }, () => next() * 256);
      tensors.set(`t${shape}`, { dtype, shape, data: new array(bytes.buffer) });
    }
    const file = serializeSafetensors(tensors);
    const unaligned = new Uint8Array(file.length + 1);
    unaligned.set(file, 1);
    const path = join(folder, `${dtype}.safetensors`);
    await writeSafetensors(path, tensors);
    for (const read of [parseSafetensors(file), parseSafetensors(unaligned.subarray(1)), await readSafetensors(path)]) {
      expect(read.tensors.size).toBe(tensors.size);
      for (const [name, { shape, data }] of tensors) {
        const got = read.tensors.get(name)!;
        expect([got.dtype, got.shape]).toEqual([dtype, shape]);
        const raw = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
          new Uint8Array(buffer, byteOffset, byteLength);
        expect(raw(got.data)).toEqual(raw(data)); // as bytes: NaNs keep their payload
      }
    }
  });

  test("any names and metadata", () => {
    const text = fc.string({ unit: "binary" }).filter((name) => name !== "__metadata__");
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 8 }), fc.array(fc.tuple(text, text)), (names, notes) => {
        const tensors = new Map(
          names.map((name, i) => [name, { dtype: "u8", shape: [i], data: new Uint8Array(i).fill(i) }] as const),
        );
        const read = parseSafetensors(
          serializeSafetensors(tensors as Map<string, RawTensor>, { metadata: new Map(notes) }),
        );
        expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
        expect(new Map([...read.metadata].sort())).toEqual(new Map([...new Map(notes)].sort()));
      }),
      { numRuns: 200 },
    );
  });

  test("names of Object.prototype are names like any other", () => {
    const one: RawTensor = { dtype: "u8", shape: [1], data: Uint8Array.of(7) };
    const names = ["__proto__", "constructor", "toString"];
    const { tensors } = parseSafetensors(serializeSafetensors(new Map(names.map((name) => [name, one]))));
    expect([...tensors.keys()].sort()).toEqual(names.sort());
    expect(({} as Record<string, unknown>).data).toBeUndefined();
  });

  test("no tensors at all", () => {
    expect(parseSafetensors(serializeSafetensors({})).tensors.size).toBe(0);
  });
});

describe("toFloat32", () => {
  test("every f16, against its definition", () => {
    const data = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const got = toFloat32({ dtype: "f16", shape: [65536], data });
    for (let i = 0; i < 65536; i++) {
      const [sign, exponent, mantissa] = [i >> 15 ? -1 : 1, (i >> 10) & 31, i & 1023];
      const special = mantissa ? Number.NaN : Number.POSITIVE_INFINITY;
      const size =
        exponent === 0 ? mantissa * 2 ** -24 : exponent === 31 ? special : (1024 + mantissa) * 2 ** (exponent - 25);
      if (!Object.is(got[i], sign * size)) expect.fail(`f16 ${i.toString(16)}: ${got[i]}, not ${sign * size}`);
    }
  });

  test("bf16, integers, f64; and no guess for the rest", () => {
    expect(toFloat32({ dtype: "bf16", shape: [3], data: Uint16Array.of(0x3f80, 0xc049, 0x8000) })).toEqual(
      Float32Array.of(1, -3.140625, -0),
    );
    expect(toFloat32({ dtype: "i64", shape: [1], data: BigInt64Array.of(-5n) })).toEqual(Float32Array.of(-5));
    expect(toFloat32({ dtype: "f64", shape: [1], data: Float64Array.of(0.1) })).toEqual(Float32Array.of(0.1));
    expect(() => toFloat32({ dtype: "f8_e4m3", shape: [0], data: new Uint8Array() })).toThrow(
      "f8_e4m3 has no conversion",
    );
  });
});

describe("hostile files", () => {
  const f32 = (shape: string, from: number | string, to: number | string) =>
    `{"dtype":"F32","shape":${shape},"data_offsets":[${from},${to}]}`;
  const cases: [string, Uint8Array, string][] = [
    ["an empty file", new Uint8Array(0), "fewer than the 8"],
    ["a header length alone", fileOf("", 0), "does not begin with {"],
    ["a header length past the file", fileOf("{}", 0, 3n), "does not fit"],
    ["a header length of 2⁶⁴ − 1", fileOf("{}", 0, 2n ** 64n - 1n), "above 100000000"],
    ["a header length above 100 MB", fileOf("{}", 0, 100_000_001n), "above 100000000"],
    ["a header that begins with a space", fileOf(" {}"), "does not begin with {"],
    ["a byte order mark", fileOf("\ufeff{}"), "does not begin with {"],
    ["an array", fileOf("[]"), "does not begin with {"],
    ["an open object", fileOf('{"a":'), "{ is missing"],
    ["text after the object", fileOf("{}x"), "something other than spaces"],
    ["two objects", fileOf("{}{}"), "something other than spaces"],
    ["a comma too many", fileOf(`{"a":${f32("[1]", 0, 4)},}`, 4), '" is missing'],
    ["deep nesting", fileOf(`{"a":${"[".repeat(100_000)}`), "{ is missing"],
    ["a deep shape", fileOf(`{"a":{"dtype":"F32","shape":[${"[".repeat(100_000)}`), "whole number"],
    ["a name twice", fileOf(`{"a":${f32("[1]", 0, 4)},"a":${f32("[1]", 4, 8)}}`, 8), 'tensor "a" is there twice'],
    ["a name twice, one escaped", fileOf(`{"a":${f32("[1]", 0, 4)},"\\u0061":${f32("[1]", 4, 8)}}`, 8), "twice"],
    ["__proto__ twice", fileOf(`{"__proto__":${f32("[1]", 0, 4)},"__proto__":${f32("[1]", 4, 8)}}`, 8), "twice"],
    ["metadata twice", fileOf('{"__metadata__":{},"__metadata__":{}}'), "twice"],
    ["a metadata key twice", fileOf('{"__metadata__":{"a":"b","a":"c"}}'), "twice"],
    ["metadata that is no text", fileOf('{"__metadata__":{"a":1}}'), '" is missing'],
    [
      "a field twice",
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
      '"dtype" twice',
    ],
    [
      "a field of no value",
      fileOf('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":}}', 4),
      "a value is missing",
    ],
    [
      "a field that is nested deep",
      fileOf(`{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":${"[".repeat(100_000)}`, 4),
      "more than 128 deep",
    ],
    ["metadata null twice", fileOf('{"__metadata__":null,"__metadata__":null}'), "twice"],
    ["a metadata value that is null", fileOf('{"__metadata__":{"a":null}}'), '" is missing'],
    ["a field too few", fileOf('{"a":{"dtype":"F32","shape":[]}}'), "lacks dtype"],
    ["one offset", fileOf('{"a":{"dtype":"F32","shape":[],"data_offsets":[0]}}'), "two data_offsets"],
    ["three offsets", fileOf('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,8]}}', 4), "more than 2 numbers"],
    ["an unknown dtype", fileOf('{"a":{"dtype":"F33","shape":[],"data_offsets":[0,4]}}', 4), 'unknown dtype "F33"'],
    ["a dtype in small letters", fileOf('{"a":{"dtype":"f32","shape":[],"data_offsets":[0,4]}}', 4), "unknown dtype"],
    [
      "a dtype of Object.prototype",
      fileOf('{"a":{"dtype":"CONSTRUCTOR","shape":[],"data_offsets":[0,4]}}', 4),
      "unknown dtype",
    ],
    ["a negative axis", fileOf(`{"a":${f32("[-1]", 0, 4)}}`, 4), "whole number"],
    ["a fractional axis", fileOf(`{"a":${f32("[1.5]", 0, 4)}}`, 4), "] is missing"],
    ["an axis with an exponent", fileOf(`{"a":${f32("[1e0]", 0, 4)}}`, 4), "] is missing"],
    ["a leading zero", fileOf(`{"a":${f32("[01]", 0, 4)}}`, 4), "whole number"],
    ["an axis of 2⁶³", fileOf(`{"a":${f32("[9223372036854775808]", 0, 4)}}`, 4), "above 2⁵³"],
    ["a product that wraps in 64 bits", fileOf(`{"a":${f32("[4294967296,4294967297]", 0, 4)}}`, 4), "overflows"],
    ["a product that overflows before a 0", fileOf(`{"a":${f32("[4294967296,4294967296,0]", 0, 0)}}`), "overflows"],
    ["a thousand axes", fileOf(`{"a":${f32(`[${Array(1000).fill(1)}]`, 0, 4)}}`, 4), "more than 64 numbers"],
    ["offsets backwards", fileOf(`{"a":${f32("[1]", 4, 0)}}`, 4), "its offsets hold -4"],
    ["a size that differs", fileOf(`{"a":${f32("[2]", 0, 4)}}`, 4), "takes 8 bytes as f32 [2], its offsets hold 4"],
    ["half a byte", fileOf('{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', 2), "do not end at a byte"],
    ["data cut short", fileOf(`{"a":${f32("[2]", 0, 8)}}`, 7), "cut short"],
    ["data too long", fileOf(`{"a":${f32("[2]", 0, 8)}}`, 9), "end at byte 8, the data section at 9"],
    ["data of no tensor", fileOf("{}", 1), "end at byte 0, the data section at 1"],
    ["a hole", fileOf(`{"a":${f32("[1]", 0, 4)},"b":${f32("[1]", 8, 12)}}`, 12), "bytes 4 to 8, before tensor"],
    ["an overlap", fileOf(`{"a":${f32("[2]", 0, 8)},"b":${f32("[1]", 4, 8)}}`, 8), "inside the tensor before it"],
    ["one range twice", fileOf(`{"a":${f32("[1]", 0, 4)},"b":${f32("[1]", 0, 4)}}`, 4), "inside the tensor before it"],
    ["a control character", fileOf('{"a\nb":1}'), "control character"],
    ["an unknown escape", fileOf('{"\\x":1}'), "escape"],
    ["half a surrogate pair", fileOf('{"\\ud800":1}'), "surrogate"],
    ["a string without an end", fileOf('{"abc\\"'), "ends inside a string"],
    ["bytes that are no UTF-8", fileOf(Uint8Array.of(123, 34, 0xc3, 0x28, 34, 58)), "UTF-8"],
    ["overlong UTF-8", fileOf(Uint8Array.of(123, 34, 0xc0, 0xaf, 34, 58)), "UTF-8"],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(() => parseSafetensors(bytes, { file: "x.safetensors" })).toThrow(FormatError);
    expect(() => parseSafetensors(bytes, { file: "x.safetensors" })).toThrow(message);
    expect(() => parseSafetensors(bytes, { file: "x.safetensors" })).toThrow(/^x\.safetensors at byte \d+: /);
  });

  test("the same from disk, without allocating what the header claims", async () => {
    for (const [i, [, bytes, message]] of cases.entries()) {
      const path = join(folder, `hostile-${i}.safetensors`);
      await writeFile(path, bytes);
      await expect(readSafetensors(path)).rejects.toThrow(message);
    }
  });

  test("empty tensors between others are no overlap", () => {
    const { tensors } = parseSafetensors(
      fileOf(`{"b":${f32("[1]", 4, 8)},"e":${f32("[0]", 4, 4)},"a":${f32("[1]", 0, 4)}}  `, 8),
    );
    expect(tensors.size).toBe(3);
  });

  test("2,000 mutants end in a result or a FormatError, within 200 ms", async () => {
    const seed = new Uint8Array(await readFile(reference));
    const next = random(42);
    let refused = 0;
    let slowest = 0;
    for (let i = 0; i < 2000; i++) {
      let bytes = seed.slice();
      for (let edits = 1 + Math.floor(next() * 4); edits > 0; edits--) {
        const at = Math.floor((next() < 0.9 ? 1100 : bytes.length) * next());
        const kind = next();
        if (kind < 0.4) bytes[at] ^= 1 << Math.floor(next() * 8);
        else if (kind < 0.7) bytes[at] = '{}[]":,0123456789\\ '.charCodeAt(Math.floor(next() * 19));
        else if (kind < 0.8) bytes = bytes.slice(0, at);
        else bytes.copyWithin(at, Math.floor(next() * bytes.length), Math.floor(next() * bytes.length));
      }
      const started = performance.now();
      try {
        parseSafetensors(bytes);
      } catch (error) {
        refused++;
        if (!(error instanceof FormatError)) throw error;
      }
      slowest = Math.max(slowest, performance.now() - started);
    }
    expect(refused).toBeGreaterThan(1000);
    expect(slowest).toBeLessThan(200);
  });
});

describe("writing what is no tensor", () => {
  const data = new Float32Array(2);
  test.each<[string, string, unknown, string]>([
    [
      "a length that differs",
      "w",
      { dtype: "f32", shape: [3], data },
      'tensor "w": f32 [3] takes 12 bytes, its data has 8',
    ],
    [
      "an array of another kind",
      "w",
      { dtype: "i32", shape: [2], data },
      "i32 is held in Int32Array, not in Float32Array",
    ],
    ["an unknown dtype", "w", { dtype: "f31", shape: [2], data }, 'no dtype "f31"'],
    ["a negative axis", "w", { dtype: "f32", shape: [-1, -2], data }, "axis of length -1"],
    ["a reserved name", "__metadata__", { dtype: "f32", shape: [2], data }, "rename it"],
    ["a name that is no text", "\ud800", { dtype: "f32", shape: [2], data }, "Unicode text"],
  ])("%s", (_, name, tensor, message) => {
    expect(() => serializeSafetensors({ [name]: tensor as RawTensor })).toThrow(message);
  });

  test("leaves the file that was there", async () => {
    const path = join(folder, "kept.safetensors");
    await writeSafetensors(path, { w: { dtype: "f32", shape: [2], data } });
    const before = await readFile(path);
    await expect(writeSafetensors(path, { w: { dtype: "f32", shape: [1], data } })).rejects.toThrow(TypeError);
    expect(await readFile(path)).toEqual(before);
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

test("what the reference reader reads: no metadata by null, fields of a tensor that are not known yet", () => {
  const entry = (more: string) =>
    `{"x":[{"y":[]},"}",-1.5e3,true],"dtype":"F32","shape":[1],"data_offsets":[0,4]${more}}`;
  const header = `{"__metadata__": null ,"a":${entry(',"x":{},"z":null')}}`;
  const { tensors, metadata } = parseSafetensors(fileOf(header, 4));
  expect([...metadata]).toEqual([]);
  expect(tensors).toEqual(new Map([["a", { dtype: "f32", shape: [1], data: Float32Array.of(0) }]]));
});

test("toFloat32 rounds, and refuses what is beyond the range", () => {
  const f64 = (...values: number[]): RawTensor => ({
    dtype: "f64",
    shape: [values.length],
    data: Float64Array.from(values),
  });
  expect(toFloat32(f64(0.1, Number.NEGATIVE_INFINITY, Number.NaN))).toEqual(
    Float32Array.of(0.1, Number.NEGATIVE_INFINITY, Number.NaN),
  );
  expect(() => toFloat32(f64(1, -1e39))).toThrow("toFloat32: element 1 is -1e+39, beyond the range of f32");
});
