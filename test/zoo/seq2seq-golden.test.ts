// Sequence to sequence networks against the papers' equations in PyTorch: logits, loss and the gradients of all parameters.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { device, grad, realize, tensor } from "../../src/index.ts";
import { crossEntropy, load, namedTensors } from "../../src/nn/index.ts";
import { type Seq2SeqOptions, seq2seq } from "../../src/zoo/index.ts";
import { expectClose, type Host } from "../golden.ts";

interface Case {
  options: Partial<Seq2SeqOptions>;
  state: Record<string, Host>;
  logits: Host;
  loss: number;
  gradients: Record<string, Host>;
}

const file = new URL("../fixtures/torch/seq2seq.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];
const rows = (...values: number[][]) => tensor(Int32Array.from(values.flat()), [values.length, values[0].length]);

test.each(cases.map((c) => [JSON.stringify(c.options), c] as const))("%s", async (_, c) => {
  device("wasm");
  const model = seq2seq({ sourceTokens: 9, targetTokens: 7, hidden: 6, features: 5, ...c.options });
  await load(model, new Map(Object.entries(c.state)));
  const logits = model.forward({
    source: rows([4, 5, 6, 7, 8], [8, 2, 1, 0, 0], [3, 3, 5, 4, 0]),
    sourceLengths: tensor(Int32Array.of(5, 3, 4)),
    target: rows([2, 4, 5, 6], [2, 1, 1, 0], [2, 6, 5, 4]),
  });
  const loss = crossEntropy(logits, rows([4, 5, 6, 3], [1, 1, 3, -100], [6, 5, 4, 3]));
  const named = [...namedTensors(model)];
  expect(named.map(([name]) => name).sort()).toEqual(Object.keys(c.gradients).sort());
  const gradients = grad(
    loss,
    named.map(([, t]) => t),
  );
  await realize(logits, loss, ...gradients);
  await expectClose(logits, c.logits, 2e-6);
  expect(await loss.item()).toBeCloseTo(c.loss, 5);
  for (const [k, [name]] of named.entries()) await expectClose(gradients[k], c.gradients[name], 1e-5);
});
