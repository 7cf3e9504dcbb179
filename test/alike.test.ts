// Groups that do the same to other values are lowered once: the program is the one that lowering each of them gives.
import fc from "fast-check";
import { expect, test } from "vitest";
import { prepare } from "../src/compile/1-prepare.ts";
import { schedule } from "../src/compile/2-schedule.ts";
import { formOf } from "../src/compile/alike.ts";
import { compileTrace, type Program, printProgram } from "../src/compile/program.ts";
import { nativeTarget, wasmTarget } from "../src/compile/target.ts";
import { concat, grad, stack, type Tensor, tensor } from "../src/graph/index.ts";
import { type Trace, trace } from "../src/graph/internal.ts";
import { GRU, LSTM, parameters, RNN } from "../src/nn/index.ts";
import { resnetCifar } from "../src/zoo/index.ts";
import { cases } from "./cases.ts";
import { stream } from "./harness.ts";
import { build, recipes } from "./random-graph.ts";
import { convStep, mlpStep } from "./training-graphs.ts";

const wide = nativeTarget(16, { leastWork: Number.POSITIVE_INFINITY, most: 1, choose: ([first]) => first });
const random = stream(11);
const noise = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => random() - 0.5),
    shape,
  );

/** The program, which is the same without the pass, call by call. */
function check(graph: Trace): Program {
  const compiled = [wasmTarget, wide].map((target) => {
    const [once, each] = [[], ["alike" as const]].map((without) =>
      compileTrace(graph, { without: new Set(without), target }),
    );
    expect(printProgram(once)).toBe(printProgram(each));
    expect(once.calls).toEqual(each.calls);
    return once;
  });
  return compiled[0];
}

const stepOf = (loss: Tensor, params: readonly Tensor[]): Trace =>
  trace([loss], grad(loss, params).map((g, i) => ({ leaf: params[i], value: params[i].sub(g.mul(0.1)) }))); // biome-ignore format: one line

test.each(Object.entries({ RNN, LSTM, GRU }))("%s over time", (_, Kind) => {
  for (const options of [{}, { layers: 2, bidirectional: true }]) {
    const model = new Kind(3, 4, options);
    const { outputs } = model.run(noise(2, 7, 3));
    check(stepOf(outputs.square().sum(), parameters(model)));
  }
});

test("slices that begin elsewhere, padded, overlapping, of leaves and of what is computed", () => {
  const leaf = noise(12, 6);
  for (const whole of [leaf, leaf.exp()]) {
    const at = (from: number, to: number): Tensor => whole.slice(0, from, to);
    const pieces = [0, 3, 5, 9].map((t) => at(t, t + 3));
    check(trace(pieces.map((p) => p.tanh().sum(0))));
    check(trace(pieces.map((p) => p.pad([[1, 1], [2, 0]]).tanh().sum(0)))); // biome-ignore format: rows
    check(trace([0, 2, 4].map((t) => at(t, t + 4).mul(at(t + 2, t + 6)).sum(1)))); // biome-ignore format: rows
    check(trace([1, 4].map((t) => at(t, t + 4).reshape(8, 3).transpose().exp().sum(0)))); // biome-ignore format: rows
    check(trace([0, 1].map((t) => at(t, t + 10).slice(0, 0, 10, 2).exp().sum(0)))); // biome-ignore format: rows
  }
  const state = noise(3, 6);
  const moved = stack([1, 2, 3].map((k) => state.mul(k).tanh()));
  check(trace([concat([0, 1, 2].map((t) => moved.at(t).matmul(noise(6, 6))))]));
});

test("a leaf that a part of itself replaces is read from where the part lies", () => {
  const leaf = noise(8);
  for (const from of [0, 2])
    check(trace([], [{ leaf, value: leaf.slice(0, from, from + 6).pad([[from, 2 - from]]).add(leaf) }])); // biome-ignore format: one line
});

test("random graphs, primitives, networks", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(recipes, (recipe) => {
      const { outputs, updates } = build(recipe);
      check(trace(outputs, updates));
    }),
    { numRuns: 100, seed: 5 },
  );
  for (const list of Object.values(cases)) check(trace(list.slice(0, 6).map(({ output }) => output)));
  for (const { loss, updates } of [mlpStep(4, 6, 5, 3), convStep(2, 8, 3, 4)]) check(trace([loss], updates));
  const net = resnetCifar(20);
  check(
    stepOf(
      net
        .forward(noise(2, 3, 8, 8))
        .square()
        .sum(),
      parameters(net),
    ),
  );
});

test("the steps of a recurrent network have few forms between them", () => {
  const model = new LSTM(3, 4);
  const loss = model
    .run(noise(2, 40, 3))
    .outputs.square()
    .sum();
  const options = { join: true, transpose: true, phases: true, stage: true };
  const prepared = prepare(stepOf(loss, parameters(model)), wasmTarget, options);
  const { mostBuffers } = wasmTarget;
  const groups = schedule(prepared, { fuse: true, merge: true, mostBuffers, inPlace: true });
  const forms = groups.map((group) => formOf(group, () => true)?.text);
  expect(groups.length).toBeGreaterThan(300);
  expect(new Set(forms).size).toBeLessThan(150);
});
