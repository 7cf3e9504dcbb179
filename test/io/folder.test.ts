// Folders made step by step and taken away again.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { makeFolderSync } from "../../src/backend/folder.ts";
import { CompilerError, findToolchain, hasCompiler } from "../../src/backend/native/toolchain.ts";
import { makeFolder, unmake } from "../../src/io/folder.ts";

const folder = mkdtempSync(join(tmpdir(), "hebb-folder-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("what was missing is made, told and can be unmade, as far as it is empty", async () => {
  const path = join(folder, "a", "b", "c");
  const made = await makeFolder(path);
  expect(made).toEqual([join(folder, "a"), join(folder, "a", "b"), path]);
  expect(await makeFolder(path)).toEqual([]);
  writeFileSync(join(folder, "a", "kept"), "");
  await unmake(made);
  expect(readdirSync(join(folder, "a"))).toEqual(["kept"]);
});

test("folders side by side are made at the same time, also where others take the empty parent away", async () => {
  for (let i = 0; i < 100; i++) {
    const root = join(folder, `root-${i}`);
    const briefly = makeFolder(join(root, "c")).then(unmake);
    await Promise.all([briefly, makeFolder(join(root, "a", "x")), makeFolder(join(root, "b", "x"))]);
    expect(readdirSync(root)).toEqual(["a", "b"]);
  }
});

test("one folder made by several at the same time is told by one of them", async () => {
  for (let i = 0; i < 100; i++) {
    const path = join(folder, `same-${i}`, "x");
    const made = await Promise.all([path, path, path].map(makeFolder));
    expect(made.flat().sort()).toEqual([join(folder, `same-${i}`), path]);
  }
});

test("a parent that is a file fails and leaves nothing", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(makeFolder(join(folder, "file", "x"))).rejects.toThrow("ENOTDIR");
  await expect(makeFolder(join(folder, "file"))).rejects.toThrow("EEXIST");
});

test.runIf(existsSync("/proc/self"))("/proc takes no folders, and that is known at once", async () => {
  await expect(makeFolder("/proc/hebb/run")).rejects.toThrow("ENOENT");
});

test("each folder that is made has the mode asked for", () => {
  const made = makeFolderSync(join(folder, "private", "x"), 0o700);
  expect(made.map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700]);
});

test.runIf(existsSync("/proc/self") && hasCompiler())("compiled code kept below /proc is refused in one line", () => {
  const attempt = () => findToolchain("/proc/hebb/native");
  expect(attempt).toThrow(CompilerError);
  expect(attempt).toThrow(/the folder \/proc\/hebb\/native cannot be used for compiled code \(ENOENT/);
});

test("no other place makes parents by itself", () => {
  const source = fileURLToPath(new URL("../../src", import.meta.url));
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const code = files.map((file) => readFileSync(join(source, file), "utf8"));
  expect(files.filter((_, i) => /\bmkdir(Sync)?\([^;]*recursive/.test(code[i]))).toEqual([]);
  expect(code.some((text) => /\bmkdirSync\(/.test(text))).toBe(true);
});
