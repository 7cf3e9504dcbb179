// docs/in-code.md is the examples transfer.ts and sequences.ts, block by block, and they run.
import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

const read = (path: string): Promise<string> => readFile(new URL(`../${path}`, import.meta.url), "utf8");

/** What an example prints. */
async function printed(example: string): Promise<unknown[]> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import(`../examples/${example}`);
  const lines = log.mock.calls.map(([line]) => line as unknown);
  log.mockRestore();
  return lines;
}

test("the page shows the examples as they are", async () => {
  const blocks = [...(await read("docs/in-code.md")).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks).toEqual([await read("examples/transfer.ts"), await read("examples/sequences.ts")]);
});

test("a head of one's own learns on what a network has learnt", { timeout: 60_000 }, async () => {
  const [loss] = await printed("transfer.ts");
  expect(loss).toBeLessThan(0.69); // two classes, guessed
});

test("a language model goes on with its text, and a reader takes sequences of different lengths", {
  timeout: 60_000,
}, async () => {
  const [perplexity, text, size] = await printed("sequences.ts");
  expect(perplexity).toBeLessThan(1.6);
  expect(text).toMatch(/^the (cat sat on the mat|dog lay on the l)/);
  expect(size).toBe(4);
});
