// Every optimizer that has a name takes a step by the command line, or says why it does not.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { optimizerNames } from "../../src/cli/optimizers.ts";
import { hebb, lastJson } from "./run-cli.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-optimizers-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(optimizerNames)("%s", { timeout: 60_000 }, async (name) => {
  const flags = "--data glyphs --samples 48 --batch 24 --epochs 1 --shift 0 --device wasm --json".split(" ");
  const { status, stderr, ...outcome } = await hebb([
    ...["train", "lenet1", "--optimizer", name, ...flags, "--out", join(folder, name)],
  ]);
  if (["newton", "natural-gradient"].includes(name)) {
    expect(stderr).toContain("2578"); // parameters are too many for matrices of their square
    return;
  }
  expect(status, stderr).toBe(0);
  expect(lastJson({ status, stderr, ...outcome }).steps).toBe(2);
});
