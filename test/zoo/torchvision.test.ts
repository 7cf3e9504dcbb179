// The zoo against torchvision: names and shapes of its files, logits, and the gradients of all parameters, on wasm.
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { concat, device, evaluating, grad, shapesOnly, stack, type Tensor, tensor, training } from "../../src/index.ts";
import { Dropout, type Layer, load, namedParameters, namedTensors } from "../../src/nn/index.ts";
import { walk } from "../../src/nn/module.ts";
import { alexnet, type GoogLeNetOutput, googlenet, googlenetWithAuxiliary, resnet, vgg } from "../../src/zoo/index.ts";

interface Case {
  name: string;
  size: number;
  training: boolean;
  batch: number;
  classes: number;
  logits: number[];
  gradients: Record<string, number[]>;
}

const cases: Case[] = JSON.parse(readFileSync(new URL("../fixtures/torch/zoo.json", import.meta.url), "utf8"));

beforeAll(() => {
  device("wasm");
});

/** Numbers in [0, 1) by the rule of fixtures/torch/zoo.py. */
function unit(name: string, count: number): Float64Array {
  let start = 2166136261;
  for (const byte of new TextEncoder().encode(name)) start = Math.imul(start ^ byte, 16777619);
  return Float64Array.from({ length: count }, (_, i) => {
    let x = (Math.imul(i, 2654435761) + start) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  });
}

function made(name: string, shape: readonly number[]): Float32Array {
  const bound = Math.sqrt(6 / shape.slice(1).reduce((n, d) => n * d, 1));
  const scale = /running_var$/.test(name) || /(bn|features|downsample\.1).*weight$/.test(name);
  const value = (u: number): number => {
    if (shape.length > 1) return (2 * u - 1) * bound;
    return scale ? 0.8 + 0.4 * u : 0.2 * u - 0.1;
  };
  return Float32Array.from(
    unit(
      name,
      shape.reduce((n, d) => n * d, 1),
    ),
    value,
  ); // prettier-ignore
}

type Net = Layer<[x: Tensor], Tensor | GoogLeNetOutput>;

const models: Readonly<Record<string, (classes: number, training: boolean) => Net>> = {
  resnet18: (classes) => resnet(18, { classes }),
  resnet50: (classes) => resnet(50, { classes }),
  alexnet: (classes) => alexnet({ classes }),
  vgg11: (classes) => vgg("A", { classes }),
  vgg11_bn: (classes) => vgg("A", { classes, batchNorm: true }),
  googlenet: (classes, training) => (training ? googlenetWithAuxiliary : googlenet)({ classes }),
};

/** Norm, sum, sum of absolute values, largest absolute value, five elements. */
function summary(g: Tensor): Tensor {
  const flat = g.reshape(-1);
  const picked = [0, 1, 2, 3, 4].map((i) => flat.slice(0, Math.floor((i * (g.size - 1)) / 4)).slice(0, 0, 1));
  const sums = [flat.square().sum().sqrt(), flat.sum(), flat.abs().sum(), flat.abs().max()];
  return concat([stack(sums), ...picked]);
}

test.each(cases)("$name at $size, training $training", { timeout: 120_000 }, async (example) => {
  const { name, size, batch, classes } = example;
  const model = shapesOnly(() => models[name](classes, example.training));
  const tensors = [...namedTensors(model)];
  expect(Object.keys(example.gradients).sort()).toEqual([...namedParameters(model).keys()].sort());
  await load(model, new Map(tensors.map(([key, { shape }]) => [key, { dtype: "f32", shape, data: made(key, shape) }])));
  for (const [, module] of walk(model)) if (module instanceof Dropout) (module as { p: number }).p = 0;
  const image = made("image", [batch * 3 * size * size]).map((v) => v * 10);
  const { logits, gradients } = (example.training ? training : evaluating)(() => {
    const y = model.forward(tensor(image, [batch, 3, size, size]));
    const logits = stack("logits" in y ? [y.logits, ...y.auxiliary] : [y]);
    const loss = logits.mul(tensor(made("cotangent", [logits.size]), logits.shape)).sum();
    return { logits, gradients: stack(grad(loss, [...namedParameters(model).values()]).map(summary)) };
  });
  const all = await concat([logits.reshape(-1), gradients.reshape(-1)]).data();
  const near = (got: number, want: number, scale: number, what: string): void =>
    expect(Math.abs(got - want) / Math.max(scale, 1e-30), `${what}: ${got}, not ${want}`).toBeLessThan(1e-4);
  const largest = Math.max(...example.logits.map(Math.abs));
  example.logits.forEach((want, i) => {
    near(all[i], want, largest, `logit ${i}`);
  });
  [...namedParameters(model).keys()].forEach((key, row) => {
    const want = example.gradients[key];
    const [norm, , absolute, most] = want;
    const scales = [norm, absolute, absolute, most, most, most, most, most, most];
    want.forEach((value, i) => {
      near(all[logits.size + 9 * row + i], value, scales[i], `${key}, figure ${i}`);
    });
  });
});
