// Compares a model of the zoo with torchvision's, by the values that fixtures/torch/zoo.py wrote: logits, loss, the gradients of all parameters, running statistics.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { evaluating, grad, realize, shapesOnly, stack, type Tensor, tensor, training } from "../../src/index.ts";
import { crossEntropy, Dropout, type Layer, load, namedParameters, namedTensors } from "../../src/nn/index.ts";
import { walk } from "../../src/nn/module.ts";
import {
  alexnet,
  type GoogLeNetOutput,
  googlenet,
  googlenetLoss,
  googlenetWithAuxiliary,
  resnet,
  vgg,
} from "../../src/zoo/index.ts"; // prettier-ignore
import { double } from "./double.ts";

export interface TorchvisionCase {
  name: string;
  size: number;
  training: boolean;
  /** For test/learn: VGG's files have half a gigabyte. */
  heavy: boolean;
  batch: number;
  classes: number;
  logits: number[];
  loss: number;
  gradients: Record<string, number[]>;
  statistics: Record<string, number[]>;
}

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/torch/${name}`, import.meta.url), "utf8"));

export const torchvisionCases: readonly TorchvisionCase[] = fixture("zoo.json");

/** Of each model of torchvision the entries of its files, as "name shape". */
export const torchvisionNames: Readonly<Record<string, readonly string[]>> = fixture("zoo-names.json");

type Net = Layer<[x: Tensor], Tensor | GoogLeNetOutput>;
interface Options {
  classes?: number;
}

/** What torchvision calls a model → ours, with auxiliary classifiers where it has them. */
export const counterparts: Readonly<Record<string, (options?: Options) => Net>> = {
  alexnet,
  googlenet: googlenetWithAuxiliary,
  ...Object.fromEntries([18, 34, 50, 101, 152].map((depth) => [`resnet${depth}`, (o?: Options) => resnet(depth, o)])),
  ...Object.fromEntries(
    ([["A", 11], ["B", 13], ["D", 16], ["E", 19]] as const).flatMap(([configuration, depth]) => [
      [`vgg${depth}`, (o?: Options) => vgg(configuration, o)],
      [`vgg${depth}_bn`, (o?: Options) => vgg(configuration, { ...o, batchNorm: true })],
    ]),
  ),
}; // biome-ignore format: a table

/** Numbers in [0, 1) by the rule of fixtures/torch/zoo.py. */
function unit(name: string, count: number): Float64Array {
  let start = 2166136261;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 16777619);
  const units = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (Math.imul(i, 2654435761) + start) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    units[i] = ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  }
  return units;
}

function made(name: string, shape: readonly number[]): Float32Array {
  const size = shape.reduce((n, d) => n * d, 1);
  const scale = /running_var$/.test(name) || /(bn|features|downsample\.1).*weight$/.test(name);
  const bound = Math.sqrt(6 / (size / shape[0]));
  const value = (u: number): number => {
    if (shape.length > 1) return (2 * u - 1) * bound;
    return scale ? 0.8 + 0.4 * u : 0.2 * u - 0.1;
  };
  return new Float32Array(unit(name, size).map(value));
}

/** Norm, sum, sum of absolute values, largest absolute value, inner product with numbers in [−1, 1), five elements. */
function summary(g: ArrayLike<number>): number[] {
  const projection = unit("projection", g.length);
  let [squares, sum, absolute, most, product] = [0, 0, 0, 0, 0];
  for (let i = 0; i < g.length; i++) {
    squares += g[i] ** 2;
    sum += g[i];
    absolute += Math.abs(g[i]);
    most = Math.max(most, Math.abs(g[i]));
    product += g[i] * (2 * projection[i] - 1);
  }
  const picked = [0, 1, 2, 3, 4].map((i) => g[Math.floor((i * (g.length - 1)) / 4)]);
  return [Math.sqrt(squares), sum, absolute, most, product, ...picked];
}

function near(got: number, want: number, scale: number, what: string, tolerance: number): void {
  expect(Math.abs(got - want) / Math.max(scale, 1e-30), `${what}: ${got}, not ${want}`).toBeLessThan(tolerance);
}

async function nearSummary(t: Tensor, want: readonly number[], name: string, tolerance: number): Promise<void> {
  const got = summary((await t.data()) as Float32Array | Float64Array);
  const [norm, , absolute, most] = want;
  const scales = [norm, absolute, absolute, most, norm, most, most, most, most, most];
  want.forEach((value, i) => {
    near(got[i], value, scales[i], `${name}, figure ${i}`, tolerance);
  });
}

/** The model with the case's parameters and no dropout. */
async function modelOf({ name, classes, training }: TorchvisionCase): Promise<Net> {
  const build = name === "googlenet" && !training ? googlenet : counterparts[name];
  const hollow = shapesOnly(() => build({ classes }));
  const model = training ? double(hollow) : hollow;
  const dict = new Map<string, { dtype: string; shape: readonly number[]; data: Float32Array }>();
  for (const [key, { shape }] of namedTensors(model)) dict.set(key, { dtype: "f32", shape, data: made(key, shape) });
  await load(model, dict);
  for (const [, module] of walk(model)) if (module instanceof Dropout) (module as { p: number }).p = 0;
  return model;
}

/**
 * Holds the model of a case against torchvision's values: to 1e-4 of their size in single precision, and in training, where
 * normalization amplifies rounding, to 1e-7 in double precision.
 */
export async function compareWithTorchvision(example: TorchvisionCase): Promise<void> {
  const { size, batch } = example;
  const model = await modelOf(example);
  const [dtype, tolerance] = example.training ? (["f64", 1e-7] as const) : (["f32", 1e-4] as const);
  const parameters = namedParameters(model);
  expect(Object.keys(example.gradients).sort()).toEqual([...parameters.keys()].sort());
  const image = Float64Array.from(made("image", [batch * 3 * size * size]), (v) => v * 10);
  const labels = tensor(Int32Array.from({ length: batch }, (_, i) => i));
  const { logits, loss, gradients } = (example.training ? training : evaluating)(() => {
    const y = model.forward(tensor(image, [batch, 3, size, size], { dtype }));
    const logits = stack("logits" in y ? [y.logits, ...y.auxiliary] : [y]);
    const product = logits.mul(tensor(made("cotangent", [logits.size]), logits.shape)).sum();
    const loss = "logits" in y ? googlenetLoss(y, labels) : crossEntropy(y, labels);
    return { logits, loss, gradients: grad(product, [...parameters.values()]) };
  });
  await realize(logits, loss, ...gradients);
  const all = await logits.data();
  const largest = Math.max(...example.logits.map(Math.abs));
  expect(all.length).toBe(example.logits.length);
  example.logits.forEach((want, i) => {
    near(all[i], want, largest, `logit ${i}`, tolerance);
  });
  near(await loss.item(), example.loss, example.loss, "loss", tolerance);
  for (const [i, key] of [...parameters.keys()].entries())
    await nearSummary(gradients[i], example.gradients[key], key, tolerance);
  for (const [key, want] of Object.entries(example.statistics))
    await nearSummary(namedTensors(model).get(key)!, want, key, tolerance);
}
