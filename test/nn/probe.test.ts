// Probes: which layers they name, in which order, inside compiled functions, and that derivatives reach what they give.
import { expect, test } from "vitest";
import { grad, seed, tensor, training, within } from "../../src/graph/index.ts";
import { Dropout, type Layer, Linear, nameModules, probe, Sequential, tanh } from "../../src/nn/index.ts";
import { compile } from "../../src/run/index.ts";

seed(1);
const x = tensor([
  [1, -2],
  [0.5, 3],
]);
const model = new Sequential(new Linear(2, 3), tanh, new Sequential(new Linear(3, 2), tanh), new Linear(2, 1));
nameModules(model);

test("layers are the modules that contain no other, in the order in which they run", async () => {
  const { result, layers } = probe(() => model.forward(x));
  expect(layers.map(({ name }) => name)).toEqual(['Linear "0"', 'Linear "2.0"', 'Linear "3"']);
  expect(layers.map(({ output }) => output.shape)).toEqual([[2, 3], [2, 2], [2, 1]]); // biome-ignore format: pairs
  expect(layers[2].output).toBe(result);
  const first = (model[0] as Linear).forward(x);
  expect(await layers[0].output.data()).toEqual(await first.data());
});

test("a compiled function hands out what its layers give, and derivatives with respect to it", async () => {
  const step = compile((input: typeof x) => {
    const { result, layers } = probe(() => model.forward(input));
    const { output } = layers[2];
    return { output, slope: grad(result.square().sum(), output) };
  });
  const { output, slope } = await step(x);
  const plain = await model.forward(x).data();
  expect(Array.from(await output.data())).toEqual(Array.from(plain));
  expect(Array.from(await slope.data())).toEqual(Array.from(plain, (y) => 2 * Number(y)));
});

test("a module that runs twice counts once, with its last output", async () => {
  const shared = new Linear(2, 2);
  const { layers, result } = probe(() => shared.forward(shared.forward(x)));
  expect(layers).toHaveLength(1);
  expect(layers[0].output).toBe(result);
});

test("random layers work in it outside of any step, and an outer probe sees what an inner one saw", async () => {
  const drop: Layer = new Dropout(0.5);
  const { result: inner, layers } = probe(() => probe(() => training(() => drop.forward(x))));
  expect(layers.map(({ module }) => module)).toEqual([drop]);
  expect(inner.layers).toHaveLength(1);
  expect(await inner.result.data()).toHaveLength(4);
});

test("nothing is kept once it is done, nor where it fails; async functions are refused", async () => {
  const failing = { forward: () => within(failing, () => { throw new Error("no"); }) }; // biome-ignore format: one line
  expect(() => probe(() => failing.forward())).toThrow("no");
  const seen = probe(() => 1);
  model.forward(x);
  expect(seen.layers).toEqual([]);
  expect(() => probe((async () => 1) as never)).toThrow(/^probe: the function is async/);
});
