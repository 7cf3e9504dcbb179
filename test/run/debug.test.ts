// HEBB_DEBUG: what is printed at each level, and that nothing is without it.
import { afterEach, expect, test, vi } from "vitest";
import { device, tensor } from "../../src/index.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

let factor = 1; // for programs that are not known yet

async function printed(level: string, name: "js" | "wasm" = "wasm"): Promise<string> {
  vi.restoreAllMocks();
  vi.stubEnv("HEBB_DEBUG", level);
  const print = vi.spyOn(console, "error").mockImplementation(() => {});
  device(name, { threads: 1 });
  await tensor([1, 2, 3]).mul(++factor).sum().data();
  return print.mock.calls.flat().join("\n");
}

test("each level adds to the one before", async () => {
  expect(await printed("")).toBe("");
  expect(await printed("0")).toBe("");
  const line = /^hebb: wasm: \d+ nodes, prepared in [\d.]+ ms: 1 kernels, run 1 times, arena \d+ bytes$/;
  expect(await printed("1")).toMatch(line);
  expect(await printed("yes")).toMatch(line);
  const two = await printed("2");
  expect(two).toMatch(/\n {2}k0 +runs 1 +6 flops +16 bytes +loops 1; tile .*reduced 3$/);
  expect(two).not.toContain("kernel k0");
  const three = await printed("3");
  expect(three).toMatch(/kernel k0\n[\s\S]*\nk0\(leaf0, out0\)/);
  expect(three).not.toContain("base64");
  const four = await printed("4");
  const [, size, text] = /module of (\d+) bytes, base64:\n(\S+)$/.exec(four)!;
  const bytes = Buffer.from(text, "base64");
  expect(bytes.length).toBe(Number(size));
  expect([...bytes.subarray(0, 4)]).toEqual([0, 97, 115, 109]);
  expect(await printed("4", "js")).toMatch(/^hebb: js: \d+ nodes, prepared in [\d.]+ ms$/);
});
