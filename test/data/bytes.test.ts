// Every reader of bytes: the same from a Uint8Array, a Buffer and views at odd offsets, twice; the bytes stay as they are, and no result shares them.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { sha256 } from "../../src/data/checksum.ts";
import { decodeCifar } from "../../src/data/cifar10.ts";
import { decodeIdx, encodeIdx } from "../../src/data/idx.ts";
import { decodePng } from "../../src/data/node-images.ts";
import { tarMembers } from "../../src/data/tar.ts";
import { parseNpy, parseSafetensors, serializeNpy, serializeSafetensors } from "../../src/io/index.ts";

/** A .npy file whose body has each element's bytes turned around. */
function bigEndianNpy(values: Float64Array): Uint8Array {
  const file = serializeNpy({ dtype: "f64", shape: [values.length], data: values });
  file[file.indexOf(60)] = 62; // '<' to '>'
  for (let at = file.length - values.byteLength; at < file.length; at += 8) file.subarray(at, at + 8).reverse();
  return file;
}

function fortranNpy(values: Float32Array): Uint8Array {
  const file = serializeNpy({ dtype: "f32", shape: [2, values.length], data: Float32Array.of(...values, ...values) });
  const text = new TextDecoder("latin1").decode(file.subarray(0, file.length - 8 * values.length));
  file.set(new TextEncoder().encode(text.slice(10).replace("False", "True ")), 10);
  return file;
}

/** A tar archive of one file. */
function tarOf(name: string, content: Uint8Array): Uint8Array {
  const archive = new Uint8Array(512 + Math.ceil(content.length / 512) * 512 + 1024);
  const put = (text: string, at: number) => archive.set(new TextEncoder().encode(text), at);
  put(name, 0);
  put(content.length.toString(8).padStart(11, "0"), 124);
  put(" ".repeat(8), 148);
  put("0", 156);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0`, 148);
  archive.set(content, 512);
  return archive;
}

async function membersOf(archive: Uint8Array): Promise<unknown> {
  const found: unknown[] = [];
  for await (const member of tarMembers(archive, () => true, { file: "a.tar", limit: 1e6 })) found.push(member);
  return found;
}

const readers: Record<string, { file: (bytes: Uint8Array) => Uint8Array; read: (file: Uint8Array) => unknown }> = {
  "safetensors, the f32 at an odd offset": {
    file: (bytes) => {
      const n = Math.floor(bytes.length / 4) * 4;
      const entries = {
        a: { dtype: "U8", shape: [3], data_offsets: [0, 3] },
        b: { dtype: "F32", shape: [n / 4], data_offsets: [3, 3 + n] },
      };
      const json = new TextEncoder().encode(JSON.stringify(entries));
      const file = new Uint8Array(8 + json.length + 3 + n);
      new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
      file.set(json, 8);
      file.set(bytes.subarray(0, n), 8 + json.length + 3);
      return file;
    },
    read: parseSafetensors,
  },
  "safetensors, aligned": {
    file: (bytes) =>
      serializeSafetensors({ x: { dtype: "f64", shape: [bytes.length], data: Float64Array.from(bytes) } }),
    read: parseSafetensors,
  },
  npy: { file: (bytes) => serializeNpy({ dtype: "u8", shape: [bytes.length], data: bytes }), read: parseNpy },
  "npy, big-endian": { file: (bytes) => bigEndianNpy(Float64Array.from(bytes)), read: parseNpy },
  "npy, Fortran order": { file: (bytes) => fortranNpy(Float32Array.from(bytes)), read: parseNpy },
  idx: {
    file: (bytes) => encodeIdx({ shape: [bytes.length], data: Int16Array.from(bytes) }),
    read: (file) => decodeIdx(file),
  },
  "idx, gzip": {
    file: (bytes) => new Uint8Array(gzipSync(encodeIdx({ shape: [bytes.length], data: bytes }))),
    read: (file) => decodeIdx(file),
  },
  cifar: {
    file: (bytes) => new Uint8Array(2 * 3073).map((_, i) => (i % 3073 === 0 ? i % 10 : bytes[i % bytes.length])),
    read: (file) => decodeCifar(file),
  },
  tar: { file: (bytes) => tarOf("a", bytes), read: membersOf },
  "tar, gzip": { file: (bytes) => new Uint8Array(gzipSync(tarOf("a", bytes))), read: membersOf },
  "PNG of 8 bits": {
    file: (bytes) => encode({ width: bytes.length, height: 1, channels: 1, data: bytes }),
    read: (file) => decodePng(file, "a.png"),
  },
  "PNG of 16 bits": {
    file: (bytes) => encode({ width: bytes.length, height: 1, channels: 1, depth: 16, data: Uint16Array.from(bytes) }),
    read: (file) => decodePng(file, "a.png"),
  },
  "SHA-256": { file: (bytes) => bytes, read: sha256 },
};

/** The same bytes within others, from an offset of any parity; as a Buffer or not. */
function placed(file: Uint8Array, offset: number, buffer: boolean): Uint8Array {
  const memory = new Uint8Array(file.length + offset + 5).fill(170);
  memory.set(file, offset);
  return buffer ? Buffer.from(memory.buffer, offset, file.length) : memory.subarray(offset, offset + file.length);
}

/** The memory that a result lies in. */
function* memoryOf(value: unknown): Generator<ArrayBufferLike> {
  if (ArrayBuffer.isView(value)) yield value.buffer;
  else if (value instanceof Map) for (const each of value.values()) yield* memoryOf(each);
  else if (typeof value === "object" && value !== null) for (const each of Object.values(value)) yield* memoryOf(each);
}

test.each(Object.entries(readers))("%s", async (_, { file, read }) => {
  const property = fc.asyncProperty(
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.integer({ min: 0, max: 9 }),
    fc.boolean(),
    async (content, offset, buffer) => {
      const plain = file(content);
      const wanted = await read(plain.slice());
      const given = placed(plain, offset, buffer);
      const before = new Uint8Array(given.buffer).slice();
      for (const time of ["first", "second"]) {
        const found = await read(given);
        expect(found, time).toEqual(wanted);
        for (const memory of memoryOf(found)) expect(memory).not.toBe(given.buffer);
      }
      expect(new Uint8Array(given.buffer)).toEqual(before);
    },
  );
  await fc.assert(property, { numRuns: 40 });
});
