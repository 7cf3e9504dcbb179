// The IDX reader: round trips, every way to be malformed, and random damage.
import { gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeIdx, encodeIdx, FormatError, type IdxArray } from "../../src/data/index.ts";

const arrays: IdxArray[] = [
  Uint8Array.of(0, 1, 255, 7, 8, 9),
  Int8Array.of(-128, -1, 0, 1, 127, 5),
  Int16Array.of(-32768, -2, 0, 258, 32767, 3),
  Int32Array.of(-(2 ** 31), -2, 0, 16909060, 2 ** 31 - 1, 3),
  Float32Array.of(-0, 1.5, Number.POSITIVE_INFINITY, Number.NaN, 1e-45, 3e38),
  Float64Array.of(-0, Math.PI, Number.NEGATIVE_INFINITY, Number.NaN, 5e-324, 1e308),
];
const sample = encodeIdx({ shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });

const header = (type: number, sizes: number[], rank: number = sizes.length): Uint8Array => {
  const bytes = new Uint8Array(4 + 4 * sizes.length);
  bytes.set([0, 0, type, rank]);
  const view = new DataView(bytes.buffer);
  for (const [axis, size] of sizes.entries()) view.setUint32(4 + 4 * axis, size);
  return bytes;
};
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

async function errorOf(bytes: Uint8Array, limit?: number): Promise<FormatError> {
  const error = await decodeIdx(bytes, { file: "some.idx", ...(limit === undefined ? {} : { limit }) }).catch(
    (caught) => caught,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).not.toContain("\n");
  expect(error.message).toContain("some.idx");
  return error;
}

describe("round trip", () => {
  for (const data of arrays)
    for (const shape of [[6], [2, 3], [1, 6, 1]])
      test(`${data.constructor.name} [${shape}], plain and gzip`, async () => {
        const bytes = encodeIdx({ shape, data });
        expect(await decodeIdx(bytes)).toEqual({ shape, data });
        expect(await decodeIdx(gzipSync(bytes))).toEqual({ shape, data });
      });

  test("an empty set and a single value", async () => {
    expect(await decodeIdx(encodeIdx({ shape: [0, 28, 28], data: new Uint8Array(0) }))).toEqual({
      shape: [0, 28, 28],
      data: new Uint8Array(0),
    });
    expect(await decodeIdx(encodeIdx({ shape: [], data: Float32Array.of(2.5) }))).toEqual({
      shape: [],
      data: Float32Array.of(2.5),
    });
  });

  test("an empty set of any other sizes", async () => {
    const shape = [...Array(254).fill(2 ** 32 - 1), 0];
    expect((await decodeIdx(encodeIdx({ shape, data: new Uint8Array(0) }))).shape).toEqual(shape);
  });

  test("values are big-endian and the result owns its memory", async () => {
    const bytes = join(header(12, [1]), Uint8Array.of(1, 2, 3, 4));
    expect((await decodeIdx(bytes)).data[0]).toBe(0x01020304);
    const { data } = await decodeIdx(sample);
    sample[12] = 99;
    expect(data[0]).toBe(1);
    sample[12] = 1;
  });

  test("encodeIdx takes a Buffer and refuses a wrong shape", () => {
    expect(encodeIdx({ shape: [2], data: Buffer.from([1, 2]) })[2]).toBe(8);
    const other = new Uint16Array(2) as unknown as IdxArray;
    expect(() => encodeIdx({ shape: [2], data: other })).toThrow("IDX has no type for Uint16Array");
    expect(() => encodeIdx({ shape: [2, 2], data: new Uint8Array(3) })).toThrow("shape [2,2] does not hold 3 values");
  });
});

describe("malformed files are refused with place and fix", () => {
  const gz = new Uint8Array(gzipSync(sample));
  const withTrailer = (bytes: Uint8Array, size: number): Uint8Array => {
    const changed = bytes.slice();
    new DataView(changed.buffer).setUint32(changed.length - 4, size, true);
    return changed;
  };
  const bomb = join(header(8, [2 ** 26]), new Uint8Array(2 ** 26));
  const cases: [name: string, bytes: Uint8Array, offset: number, says: RegExp][] = [
    ["empty file", new Uint8Array(0), 0, /ends inside its header/],
    ["three bytes", Uint8Array.of(0, 0, 8), 3, /ends inside its header/],
    ["header cut", header(8, [2, 3]).subarray(0, 9), 9, /ends inside its header/],
    ["wrong magic", join(Uint8Array.of(1, 0, 8, 1), new Uint8Array(8)), 0, /expected the IDX magic.*found 01 00 08 01/],
    ["unknown type", header(10, [0]), 0, /found 00 00 0a 01/],
    ["a text file", new TextEncoder().encode("<!DOCTYPE html>"), 0, /not an IDX file/],
    ["too few values", sample.subarray(0, 17), 4, /need 18 bytes in all, the file has 17/],
    ["trailing bytes", join(sample, Uint8Array.of(0)), 4, /need 18 bytes in all, the file has 19/],
    ["counts too large", header(8, [60000, 28, 28]), 4, /need 47040016 bytes in all, the file has 16/],
    ["counts beyond 2^53", header(14, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1]), 4, /the file has 16/],
    ["counts beyond any number", header(14, Array(255).fill(2 ** 32 - 1)), 4, /the file has 1024/],
    ["gzip of a few bytes", gz.subarray(0, 12), 12, /at least 18 bytes, found 12/],
    [
      "gzip cut short",
      gz.subarray(0, gz.length - 5),
      4,
      /the gzip stream ends with another size; it is cut short|damaged or cut short/,
    ],
    [
      "gzip cut short, trailer repaired",
      withTrailer(gz.subarray(0, gz.length - 6), 18),
      -1,
      /damaged or cut short|end of the data/,
    ],
    ["gzip with another size in its trailer", withTrailer(gz, 19), -1, /damaged or cut short|ends with another size/],
    ["gzip with bytes after it", join(gz, new Uint8Array(5)), 4, /ends with another size; .* followed by more/],
    [
      "gzip followed by a second member",
      join(gz, gzipSync(Uint8Array.of(1))),
      4,
      /ends with another size; .* followed by more/,
    ],
    ["gzip with a wrong CRC", gz.map((byte, i) => (i === gz.length - 8 ? byte ^ 1 : byte)), -1, /damaged or cut short/],
    ["bomb that says so", gzipSync(bomb), 4, /more than the limit of \d+; if you trust it, raise `limit`/],
    [
      "bomb that lies",
      withTrailer(gzipSync(join(header(8, [1]), new Uint8Array(2 ** 26))), 9),
      9,
      /expected the end of the data/,
    ],
  ];
  for (const [name, bytes, offset, says] of cases)
    test(name, async () => {
      const error = await errorOf(bytes);
      expect(error.message).toMatch(says);
      if (offset >= 0) expect(error.offset).toBe(offset);
    });

  test("the limit can be raised", async () => {
    await errorOf(sample, 17);
    expect((await decodeIdx(sample, { limit: 18 })).shape).toEqual([2, 3]);
  });
});

test("2,000 damaged files end in a value or a FormatError, each in under 200 ms", async () => {
  const data = Uint8Array.from({ length: 600 }, (_, i) => (i * i) & 255);
  const originals = [
    encodeIdx({ shape: [3, 10, 20], data }),
    encodeIdx({ shape: [150], data: Int32Array.from({ length: 150 }, (_, i) => i) }),
  ];
  const files = [...originals, ...originals.map((bytes) => new Uint8Array(gzipSync(bytes)))];
  const edit = fc.record({
    at: fc.nat(1000),
    value: fc.nat(255),
    kind: fc.constantFrom("set", "flip", "cut", "insert", "repeat"),
  });
  let refused = 0;
  const damage = fc.tuple(fc.nat(files.length - 1), fc.array(edit, { minLength: 1, maxLength: 4 }));
  await fc.assert(
    fc.asyncProperty(damage, async ([which, edits]) => {
      let bytes: Uint8Array = files[which];
      for (const { at, value, kind } of edits) {
        const place = bytes.length === 0 ? 0 : (kind === "cut" || at > 40 ? at : at % 20) % bytes.length; // headers get most hits
        const [head, tail] = [bytes.slice(0, place), bytes.slice(place)];
        if (kind === "cut") bytes = head;
        else if (kind === "insert") bytes = join(head, Uint8Array.of(value), tail);
        else if (kind === "repeat") bytes = join(bytes, tail);
        else if (tail.length > 0)
          bytes = join(head, Uint8Array.of(kind === "set" ? value : tail[0] ^ (1 << (value & 7))), tail.subarray(1));
      }
      let time = Number.POSITIVE_INFINITY;
      let outcome: unknown;
      for (let tries = 0; tries < 3 && time > 200; tries++) {
        const start = performance.now(); // again when slow: the machine may be busy
        outcome = await decodeIdx(bytes).catch((error) => error);
        time = performance.now() - start;
      }
      if (outcome instanceof Error) refused++;
      if (outcome instanceof Error && !(outcome instanceof FormatError)) throw outcome;
      if (time > 200) throw new Error(`took ${time} ms`);
    }),
    { numRuns: 2000, seed: 1 },
  );
  expect(refused).toBeGreaterThan(1000);
}, 60_000);

test("gunzip of the platform agrees on what was inflated", async () => {
  const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i >> 3) ^ (i * 31));
  const gz = gzipSync(encodeIdx({ shape: [300_000], data }));
  expect(Buffer.from((await decodeIdx(gz)).data as Uint8Array).equals(gunzipSync(gz).subarray(8))).toBe(true);
});
