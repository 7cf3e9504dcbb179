// .npy files: NumPy's own, round trips, and what is refused.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { FormatError, parseNpy, type RawTensor, readNpy, serializeNpy } from "../../src/io/index.ts";

const fixture = (name: string) => new URL(`./fixtures/${name}`, import.meta.url).pathname;
const f32: RawTensor = { dtype: "f32", shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) };

test("NumPy's files read, Fortran order and big-endian too", async () => {
  expect(await readNpy(fixture("plain.npy"))).toEqual(f32);
  const moved = await readNpy(fixture("fortran-big-endian.npy"));
  expect(moved).toEqual({ dtype: "i32", shape: [2, 3, 4], data: Int32Array.from({ length: 24 }, (_, i) => i) });
});

test("writing gives NumPy's bytes", async () => {
  expect(serializeNpy(f32)).toEqual(new Uint8Array(await readFile(fixture("plain.npy"))));
});

test.each<RawTensor>([
  { dtype: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
  { dtype: "u8", shape: [], data: Uint8Array.of(9) },
  { dtype: "i8", shape: [1, 2], data: Int8Array.of(-1, 2) },
  { dtype: "i16", shape: [2], data: Int16Array.of(-300, 5) },
  { dtype: "u16", shape: [0, 4], data: new Uint16Array() },
  { dtype: "f16", shape: [1], data: Uint16Array.of(0x3c00) },
  { dtype: "i32", shape: [1, 1, 1], data: Int32Array.of(-7) },
  { dtype: "u32", shape: [1], data: Uint32Array.of(4e9) },
  { dtype: "c64", shape: [1], data: Float32Array.of(1, 2) },
  { dtype: "f64", shape: [2], data: Float64Array.of(0.1, Number.NaN) },
  { dtype: "i64", shape: [1], data: BigInt64Array.of(-(2n ** 60n)) },
  { dtype: "u64", shape: [1], data: BigUint64Array.of(2n ** 63n) },
])("$dtype $shape there and back", (tensor) => {
  const bytes = serializeNpy(tensor);
  expect(bytes.length % 64).toBe(tensor.data.byteLength % 64);
  expect(parseNpy(bytes)).toEqual(tensor);
});

const edit = (from: string, to: string) => {
  const text = String.fromCharCode(...serializeNpy(f32)).replace(from, to.padEnd(from.length));
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
};
test.each<[string, Uint8Array, string]>([
  ["nothing", new Uint8Array(), "not a .npy file"],
  ["another magic", edit("NUMPY", "NUMPX"), "not a .npy file"],
  ["version 9", edit("\x01\x00", "\x09\x00"), "version 9"],
  ["pickled objects", edit("'<f4'", "'|O' "), "no dtype for '|O'"],
  ["records", edit("'<f4'", "[('a'"), "not that of a plain array"],
  ["code for a shape", edit("(2, 3)", "exit()"), "not that of a plain array"],
  ["a shape that overflows", edit("(2, 3), }", "(9999999999, 9999999999), }"), "overflows"],
  ["a negative axis", edit("(2, 3)", "(-2,3)"), "not that of a plain array"],
  ["two numbers without a comma", edit("(2, 3)", "(2  3)"), "not that of a plain array"],
  ["a number for a tuple", edit("(2, 3)", "(6)"), "not that of a plain array"],
  ["text after the dictionary", edit("(2, 3), }", "(2,3)}, 1"), "not that of a plain array"],
  ["a shape larger than the data", edit("(2, 3)", "(9, 9)"), "takes 324 bytes, 24 follow"],
  ["data cut short", serializeNpy(f32).subarray(0, -1), "23 follow"],
  ["data too long", Uint8Array.of(...serializeNpy(f32), 0), "25 follow"],
  ["a header cut short", serializeNpy(f32).subarray(0, 40), "does not fit"],
  ["a header of spaces", edit("'<f4', ", " ".repeat(7)), "not that of a plain array"],
])("refused: %s", (_, bytes, message) => {
  expect(() => parseNpy(bytes, { file: "a.npy" })).toThrow(FormatError);
  expect(() => parseNpy(bytes, { file: "a.npy" })).toThrow(message);
});

const withHeader = (header: string, version: number, body: Uint8Array): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const size = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.of(0x93, 78, 85, 77, 80, 89, version, 0, ...size, ...text, ...body);
};
const threeBytes = Uint8Array.of(1, 2, 3);
test.each([
  ["by Python 2", "{'descr': '|u1', 'fortran_order': False, 'shape': (3L,), }\n"],
  ["by Python 2, Unicode", "{u'descr': u'|u1', u'fortran_order': False, u'shape': (3L,)}\n"],
  ["without a space or a line's end", "{'descr':'u1','fortran_order':False,'shape':(3,)}"],
  ["with spaces and lines", " {\n  'shape' : ( 3 , ) ,\t'fortran_order' : False ,\n  'descr' : '=u1'\n} \n"],
  ["with double quotes", '{"descr": "<u1", "fortran_order": True, "shape": (3,)}'],
  ["with NumPy's long name of the dtype", "{'descr': 'uint8', 'fortran_order': False, 'shape': (3,)}"],
  ["with NumPy's letter for the dtype", "{'descr': 'B', 'fortran_order': False, 'shape': (3,)}"],
  ["padded far", `{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}${" ".repeat(6000)}\n`],
])("headers that NumPy reads: %s", (_, header) => {
  for (const version of [1, 2, 3])
    expect(parseNpy(withHeader(header, version, threeBytes))).toEqual({ dtype: "u8", shape: [3], data: threeBytes });
});

test("a header made to be slow is refused at once", () => {
  const header = `{'descr':${" ".repeat(1300)}'<f4'${" ".repeat(1300)},'shape':(1,)${" ".repeat(1300)}x}`;
  const bytes = new Uint8Array(10 + header.length);
  bytes.set([0x93, 78, 85, 77, 80, 89, 1, 0, header.length & 255, header.length >> 8]);
  bytes.set(new TextEncoder().encode(header), 10);
  const started = performance.now();
  expect(() => parseNpy(bytes)).toThrow(FormatError);
  expect(performance.now() - started).toBeLessThan(200);
});

test("2,000 mutants end in a result or a FormatError", () => {
  let seed = 1;
  const next = (n: number) => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32) * n;
  for (let i = 0; i < 2000; i++) {
    const bytes = serializeNpy(f32);
    for (let edits = 1 + Math.floor(next(4)); edits > 0; edits--) bytes[Math.floor(next(bytes.length))] = next(256);
    try {
      parseNpy(i % 5 === 0 ? bytes.subarray(0, next(bytes.length)) : bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
});

test("a dtype that NumPy lacks is not written", () => {
  expect(() => serializeNpy({ dtype: "bf16", shape: [1], data: Uint16Array.of(0) })).toThrow("NumPy has no bf16");
});
