// Files replaced whole: through links, and never in the place of what is no file.
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readIdx } from "../../src/data/index.ts";
import { readNpy, readSafetensors, writeSafetensors } from "../../src/io/index.ts";

const folder = mkdtempSync(join(tmpdir(), "hebb-atomic-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tensors = { a: { dtype: "f32", shape: [2], data: Float32Array.of(1, 2) } } as const;

test("a link stays a link: the file behind it is replaced, or made", async () => {
  mkdirSync(join(folder, "real"));
  mkdirSync(join(folder, "links"));
  const real = join(folder, "real", "model.safetensors");
  writeFileSync(real, "old");
  symlinkSync("../real/model.safetensors", join(folder, "links", "direct"));
  symlinkSync("direct", join(folder, "links", "twice"));
  symlinkSync("../real/new.safetensors", join(folder, "links", "dangling"));
  for (const name of ["direct", "twice", "dangling"]) {
    const path = join(folder, "links", name);
    await writeSafetensors(path, tensors);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect((await readSafetensors(path)).tensors.get("a")!.data).toEqual(tensors.a.data);
  }
  expect(readFileSync(real).equals(readFileSync(join(folder, "real", "new.safetensors")))).toBe(true);
  expect(readdirSync(join(folder, "links")).sort()).toEqual(["dangling", "direct", "twice"]);
  symlinkSync("loop", join(folder, "links", "loop"));
  await expect(writeSafetensors(join(folder, "links", "loop"), tensors)).rejects.toThrow(/cannot write .*loop \(ELOOP/);
});

test.skipIf(process.platform === "win32")("what is there and is no file is refused and stays", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  symlinkSync("pipe", join(folder, "link"));
  await expect(writeSafetensors(pipe, tensors)).rejects.toThrow(`cannot write ${pipe}, which is a pipe; name a file`);
  await expect(writeSafetensors(join(folder, "link"), tensors)).rejects.toThrow("which is a pipe");
  await expect(writeSafetensors(folder, tensors)).rejects.toThrow(`cannot write ${folder}, which is a folder`);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
});

test("a file that is not there, or no file, is told in one line", async () => {
  for (const read of [readSafetensors, readNpy, readIdx]) {
    await expect(read(join(folder, "none"))).rejects.toThrow(`there is no file ${join(folder, "none")}`);
    await expect(read(folder)).rejects.toThrow(`${folder} cannot be read (it is a folder)`);
  }
});
