// What callers without types get wrong: one line that names the thing and the fix, never an error of the engine.
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Dataset } from "../src/data/index.ts";
import * as hebb from "../src/index.ts";
import { readSafetensors, serializeSafetensors, writeSafetensors } from "../src/io/index.ts";
import * as nn from "../src/nn/index.ts";
import * as optim from "../src/optim/index.ts";
import * as train from "../src/train/index.ts";

// biome-ignore lint/suspicious/noExplicitAny: this is about callers without types
type Untyped = any;
const { tensor, bernoulli, compile, concat, grad, interpolate, normal, ones, seed, stack, uniform, zeros }: Untyped =
  hebb;
const { Linear, Sequential, load, mse, stateDict, relu }: Untyped = nn;
const { adam, clipByNorm, objective }: Untyped = optim;
const { Trainer, accuracy, confusion, evaluator, meanOf, perplexity }: Untyped = train;
const io: Untyped = { readSafetensors, serializeSafetensors, writeSafetensors };

const a = tensor([1, 2]);
const linear = new Linear(2, 1);
const loss = ({ x, y }: Untyped): Untyped => mse(linear.forward(x), y);
const folder = mkdtempSync(join(tmpdir(), "misuse-"));
const path = join(folder, "a.safetensors");
const data = {
  iterate: async function* () {
    yield { x: tensor([[1, 2]]), y: tensor([[1]]) };
  },
}; // prettier-ignore
const run = (metrics: Untyped, source: Untyped = data): Untyped =>
  new Trainer(linear, adam(linear, loss), { metrics }).fit(source, { progress: false });

test.each<[string, () => unknown, string]>([
  ["zeros(3)", () => zeros(3), "TypeError: zeros: a shape is a list of sizes, such as [3], got a number"],
  [
    "ones({})",
    () => ones({ dtype: "i32" }),
    "TypeError: ones: a shape is a list of sizes, such as [3], got an Object (options come after it)",
  ],
  [
    "tensor(data, options)",
    () => tensor([1, 2], { dtype: "i32" }),
    "TypeError: tensor: a shape is a list of sizes, such as [3], got an Object (options come after it)",
  ],
  ["uniform(3)", () => uniform(3), "TypeError: random: a shape is a list of sizes, such as [3], got a number"],
  [
    "sum(options)",
    () => a.sum({ keepDims: true }),
    "TypeError: sum: axes are a whole number or a list of them, got an Object (options come after it)",
  ],
  ["sum of text", () => a.sum("0"), "TypeError: sum: axes are a whole number or a list of them, got a string"],
  ["mean(null)", () => a.mean(null), "TypeError: sum: axes are a whole number or a list of them, got null"],
  ["argmax of text", () => a.argmax("0"), "TypeError: argmax: an axis is a whole number, got a string"],
  ["concat(a, a)", () => concat(a, a), "TypeError: concat: takes a list of tensors, e.g. concat([a, b]), got a Tensor"],
  ["stack(a, a)", () => stack(a, a), "TypeError: stack: takes a list of tensors, e.g. stack([a, b]), got a Tensor"],
  [
    "f16",
    () => tensor([1], [1], { dtype: "f16" }),
    'TypeError: tensor: there is no dtype "f16"; there are f32, f64, i32 and bool',
  ],
  ["cast to f16", () => a.cast("f16"), 'TypeError: cast: there is no dtype "f16"; there are f32, f64, i32 and bool'],
  ["int64", () => zeros([2], "int64"), 'TypeError: zeros: there is no dtype "int64"; there are f32, f64, i32 and bool'],
  [
    "options for a dtype",
    () => zeros([2], { dtype: "i32" }),
    "TypeError: zeros: there is no dtype that is an Object; there are f32, f64, i32 and bool",
  ],
  [
    "a negative deviation",
    () => normal([2], 0, -1),
    "RangeError: normal: needs a finite mean and a finite deviation ≥ 0, got 0 and -1",
  ],
  ["bernoulli(2)", () => bernoulli([2], 2), "RangeError: bernoulli: p must lie in [0, 1], got 2"],
  ["bernoulli(NaN)", () => bernoulli([2], Number.NaN), "RangeError: bernoulli: p must lie in [0, 1], got NaN"],
  ["seed(1.5)", () => seed(1.5), "RangeError: seed: needs a whole number within ±2⁵³, got 1.5"],
  [
    "scatter",
    () => a.scatter(tensor([0, 1]).cast("i32"), tensor([1, 2, 3])),
    "ShapeError: scatter: shapes do not broadcast, [3] and [2] (3 ≠ 2)",
  ],
  ["compile(3)", () => compile(3), "TypeError: compile: takes a function of tensors, got a number"],
  ["grad(3, w)", () => grad(3, a), "TypeError: grad: takes tensors, got a number"],
  ["grad of undefined", () => grad(a.sum(), undefined), "TypeError: grad: takes tensors, got undefined"],
  [
    "interpolate(x)",
    () => interpolate(zeros([1, 1, 2, 2])),
    "TypeError: interpolate: takes either size or scale, got neither",
  ],
  [
    "forward of an array",
    () => linear.forward([[1, 2]]),
    "TypeError: Linear: takes a tensor, got an array (make it one by tensor(…))",
  ],
  [
    "forward of nothing",
    () => new Sequential(linear, relu).forward(),
    "TypeError: Sequential: takes a tensor, got undefined (make it one by tensor(…))",
  ],
  ["a loss of an array", () => mse(a, [1, 2]), "TypeError: mse: takes tensors, got an array"],
  [
    "Sequential of an array",
    () => new Sequential([linear]),
    "ShapeError: Sequential: part 0 is an array of layers; spread it: new Sequential(...layers)",
  ],
  [
    "a batch of arrays",
    () => adam(linear, loss).step({ x: [[1, 2]], y: [1] }),
    "TypeError: step: the batch holds no tensor, its x is an array (make it one by tensor(…))",
  ],
  [
    "a batch of an array",
    () => adam(linear, loss).step({ x: tensor([[1, 2]]), y: [1] }),
    "TypeError: mse: takes tensors, got an array",
  ],
  ["adam swapped", () => adam(loss, linear), "TypeError: optimizer: takes (model, loss), got a function and a Linear"],
  ["adam without a loss", () => adam(linear), "TypeError: optimizer: takes (model, loss), got a Linear and undefined"],
  [
    "objective without a loss",
    () => objective(linear),
    "TypeError: objective: takes (model, loss), got a Linear and undefined",
  ],
  [
    "lr of text",
    () => adam(linear, loss, { lr: "0.1" }),
    "TypeError: optimizer: lr must be a number or a schedule, got a string",
  ],
  [
    "match of text",
    () => adam(linear, loss, { groups: [{ match: "bias" }] }),
    "TypeError: optimizer: a group's match is a pattern or a test, e.g. /bias/, got a string",
  ],
  [
    "clipByNorm not called",
    () => adam(linear, loss, { transforms: [clipByNorm] }),
    "TypeError: optimizer: transform 0 must have an apply(…), got a function (call it, e.g. clipByNorm(1))",
  ],
  [
    "transforms of one",
    () => adam(linear, loss, { transforms: clipByNorm(1) }),
    "TypeError: optimizer: transforms are a list, e.g. [clipByNorm(1)], got an Object",
  ],
  [
    "Trainer swapped",
    () => new Trainer(adam(linear, loss), linear),
    "TypeError: Trainer: takes (model, optimizer), got a Linear as the optimizer",
  ],
  [
    "a metric of a number",
    () => run({ m: () => 3 }),
    'TypeError: metrics: "m" must give { sum, count }, tensors or numbers, got a number (e.g. by meanOf(values))',
  ],
  [
    "an async metric",
    () => run({ m: async () => meanOf(a) }),
    'TypeError: metrics: "m" must give { sum, count }, tensors or numbers, got a Promise (leave out async)',
  ],
  [
    "a metric of a tensor",
    () => run({ m: () => a }),
    'TypeError: metrics: "m" must give { sum, count }, tensors or numbers, got a Tensor (e.g. by meanOf(values))',
  ],
  [
    "a metric of nothing",
    () => run({ m: () => {} }),
    'TypeError: metrics: "m" must give { sum, count }, tensors or numbers, got undefined (e.g. by meanOf(values))',
  ],
  [
    "a metric of half",
    () => run({ m: () => ({ sum: a.sum() }) }),
    'TypeError: metrics: "m" must give { sum, count }, tensors or numbers, got an Object (e.g. by meanOf(values))',
  ],
  [
    "perplexity not called",
    () => run({ perplexity }),
    'TypeError: metrics: "perplexity" gives a metric rather than sums; call it, e.g. perplexity()',
  ],
  [
    "a collector as a metric",
    () => run({ c: confusion(2) }),
    'TypeError: metrics: "c" takes a function of (batch, outputs) or { sums, figure }, got a collector (it goes into collect)',
  ],
  [
    "text as a metric",
    () => run({ m: "accuracy" }),
    'TypeError: metrics: "m" takes a function of (batch, outputs) or { sums, figure }, got a string',
  ],
  [
    "a metric as a collector",
    () => evaluator({ model: linear, loss, collect: { accuracy } }),
    'TypeError: collect: "accuracy" takes { collect, finish }, got a function (call it, e.g. confusion(10); a metric goes into metrics)',
  ],
  [
    "fit()",
    () => new Trainer(linear, adam(linear, loss)).fit(),
    "TypeError: fit: takes a Dataset, or e.g. { async *iterate() { yield* batches } }, got undefined",
  ],
  [
    "fit([batch])",
    () => run({}, [{ x: a, y: a }]),
    "TypeError: fit: takes a Dataset, or e.g. { async *iterate() { yield* batches } }, got an array",
  ],
  [
    "fit({ x, y })",
    () => run({}, { x: a, y: a }),
    "TypeError: fit: takes a Dataset, or e.g. { async *iterate() { yield* batches } }, got an Object",
  ],
  [
    "validation of an array",
    () => new Trainer(linear, adam(linear, loss)).fit(data, { validation: [] }),
    "TypeError: fit: validation takes a Dataset, or e.g. { async *iterate() { yield* batches } }, got an array",
  ],
  [
    "Dataset without info",
    () => new Dataset({ x: new Float32Array(2), y: new Int32Array(2) }, undefined as never),
    "TypeError: Dataset: takes (samples, info), e.g. info = { shape: [28, 28] }, got no info",
  ],
  [
    "load without .tensors",
    () => load(linear, { tensors: new Map(), metadata: new Map() }),
    "TypeError: load: takes a Map of tensors by name, got an Object (give its .tensors)",
  ],
  [
    "load without await",
    () => load(linear, stateDict(linear)),
    "TypeError: load: takes a Map of tensors by name, got a Promise (await it)",
  ],
  ["load of nothing", () => load(linear), "TypeError: load: takes a Map of tensors by name, got undefined"],
  [
    "a Promise to a file",
    () => io.writeSafetensors(path, stateDict(linear)),
    "TypeError: safetensors: tensors must be a Map or a plain object, got a Promise (await it)",
  ],
  [
    "a model to a file",
    () => io.writeSafetensors(path, linear),
    "TypeError: safetensors: tensors must be a Map or a plain object, got a Linear (take await stateDict(model))",
  ],
  [
    "a Tensor to a file",
    () => io.writeSafetensors(path, { a }),
    'TypeError: tensor "a": takes { dtype, shape, data }, got a Tensor (take await stateDict(model))',
  ],
  [
    "undefined to a file",
    () => io.writeSafetensors(path, { a: undefined }),
    'TypeError: tensor "a": takes { dtype, shape, data }, got undefined',
  ],
  [
    "nothing to a file",
    () => io.writeSafetensors(path),
    "TypeError: safetensors: tensors must be a Map or a plain object, got undefined (take await stateDict(model))",
  ],
  [
    "a Promise as metadata",
    () => io.serializeSafetensors({}, { metadata: Promise.resolve({}) }),
    "TypeError: safetensors: metadata must be a Map or a plain object, got a Promise (await it)",
  ],
  [
    "a folder that is not there",
    () => io.writeSafetensors("not/there/a.safetensors", new Map()),
    "WriteError: cannot write not/there/a.safetensors: there is no folder not/there; make it first",
  ],
  [
    "reading undefined",
    () => io.readSafetensors(undefined),
    "TypeError: cannot read from undefined; name a path or give a Blob",
  ],
  [
    "reading bytes",
    () => io.readSafetensors(new Uint8Array(8)),
    "TypeError: cannot read from a Uint8Array; name a path or give a Blob",
  ],
])("%s", async (_, call, message) => {
  const error: Error = await Promise.resolve()
    .then(call)
    .then(
      () => new Error("nothing was thrown"),
      (thrown) => thrown,
    );
  expect(`${error.name}: ${error.message}`).toBe(message);
});

test("a file that was refused is not there", () => expect(readdirSync(folder)).toEqual([]));
