// docs/your-own-model.md is the file examples/your-own-model.ts, block by block; it runs, and what the page says holds.
import { readFile } from "node:fs/promises";
import { Dataset } from "hebb/data";
import { expect, test, vi } from "vitest";
import { param, tensor } from "../src/index.ts";
import { crossEntropy, Linear } from "../src/nn/index.ts";
import { sgd } from "../src/optim/index.ts";
import { Trainer } from "../src/train/index.ts";

test("the blocks of the page are the example, which learns, saves, loads and steps", async () => {
  const source = await readFile(new URL("../examples/your-own-model.ts", import.meta.url), "utf8");
  const page = await readFile(new URL("../docs/your-own-model.md", import.meta.url), "utf8");
  const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks.join("\n")).toBe(source);
  const settings = [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json));
  expect(settings).toMatchObject([{ type: "module" }, { compilerOptions: { module: "nodenext" } }]);
  const quiet = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("../examples/your-own-model.ts");
  const [[accuracy], [shape, rows], [inside], [copied], [centred], [mean], [moved], [right], ...rest] = log.mock.calls;
  const [losses, [[reconstruction], [below]]] = [rest.slice(0, 20), rest.slice(20)];
  log.mockRestore();
  quiet.mockRestore();
  expect(accuracy).toBeGreaterThan(0.95);
  expect(shape).toEqual([2, 2]);
  expect([rows[0] > 0.5, rows[3] > 0.5, inside, copied[0] > copied[1]]).toEqual([true, true, 0, true]);
  expect([...centred]).toEqual([-1, -10, 1, 10]);
  expect([...mean]).toEqual([0.2, 2].map(Math.fround));
  expect([...moved]).toEqual([0.8, 8, 2.8, 28].map(Math.fround));
  expect(right).toBeGreaterThan(0.95);
  expect(rest).toHaveLength(22);
  for (const [loss] of losses) expect(loss).toBeLessThan(0.5);
  expect(reconstruction).toBeLessThan(0.3); // units at ½ of bits: ¼
  expect(below).toBeLessThan(0.5);
});

test("a label out of range stops the run, an index out of range gives NaN", async () => {
  const model = new Linear(1, 2);
  const data = new Dataset({ x: new Float32Array(4), y: Uint8Array.of(0, 1, 2, 0) }, { shape: [1] });
  const trainer = new Trainer(
    model,
    sgd(model, ({ x, y }) => crossEntropy(model.forward(x), y)),
  );
  await expect(trainer.fit(data, { progress: false })).rejects.toThrow(
    "the loss became NaN at step 1: label 2 is none of the classes 0 … 1, in crossEntropy; mend the data",
  );
  const rows = param([10, 20, 30]).gather(tensor(Int32Array.of(-1, 3)));
  expect([...(await rows.data())]).toEqual([Number.NaN, Number.NaN]);
});
