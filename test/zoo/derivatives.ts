// Checks derivatives through whole networks in double precision: jvp and vjp against each other, and jvp against differences along a random direction.
import { expect } from "vitest";
import { compile, evaluating, jvp, shapesOnly, stack, type Tensor, tensor, training, vjpOf } from "../../src/index.ts";
import { Dropout, type Layer, Linear, load, namedTensors, Sequential } from "../../src/nn/index.ts";
import { walk } from "../../src/nn/module.ts";
import {
  alexnet,
  alexnet2012,
  charCnn,
  type GoogLeNetOutput,
  gatedConv,
  googlenet,
  googlenetWithAuxiliary,
  lenet1,
  lenet4,
  lenet5,
  mlp,
  nin,
  resnet,
  resnetCifar,
  textCnn,
  vgg,
} from "../../src/zoo/index.ts"; // prettier-ignore
import { stream } from "../harness.ts";
import { double } from "./double.ts";

type Net = Layer<[x: Tensor], Tensor | GoogLeNetOutput>;

/** With one linear layer in place of the three large ones at the end. */
const headed = (model: Layer, features: number): Net =>
  Object.assign(model, { classifier: new Sequential(new Linear(features, 3)) });

/** The character network less its rows of 0 and 1, which are f32. */
const afterOneHot = (model: Layer): Net => (model as unknown as { layers: Sequential }).layers;

const [small, tiny] = [{ classes: 3 }, { classes: 3, channels: 2 }];
const digits = [2, 1, 28, 28];

/** The model, the shape of its input, and how many tokens there are where it takes them; in training where it normalizes. */
type Example = readonly [build: () => Net, input: readonly number[], tokens?: number];

export const smallNetworks: Readonly<Record<string, Example>> = {
  mlp: [() => mlp(12, 8, 7, 3), [3, 3, 4]],
  "LeNet-1": [() => lenet1(), digits],
  "LeNet-4": [() => lenet4(), digits],
  "LeNet-5": [() => lenet5(), digits],
  "LeNet-5 of 1998": [() => lenet5({ form: "1998" }), digits],
  AlexNet: [() => headed(alexnet(tiny), 256 * 6 * 6), [2, 2, 67, 63]],
  NIN: [() => nin(tiny), [2, 2, 16, 16]],
  "ResNet-20 with shortcut A": [() => resnetCifar(20, tiny), [2, 2, 16, 16]],
  "ResNet-14 with shortcut B": [() => resnetCifar(14, { ...tiny, shortcut: "B" }), [2, 2, 16, 16]],
  "ResNet-14 with shortcut C": [() => resnetCifar(14, { ...tiny, shortcut: "C" }), [2, 2, 16, 16]],
  "plain-14": [() => resnetCifar(14, { ...tiny, shortcut: "none" }), [2, 2, 16, 16]],
  "text CNN": [() => textCnn({ tokens: 20, classes: 3, features: 6, maps: 4 }), [3, 9], 20],
  "character CNN": [
    () => afterOneHot(charCnn({ classes: 3, length: 123, maps: 8, units: 8, characters: 20 })),
    [2, 20, 123],
  ],
  "gated convolutions": [() => gatedConv({ tokens: 12, features: 6, blocks: 3 }), [2, 10], 12],
};

/** For test/learn: those of ten million parameters and more. */
export const largeNetworks: Readonly<Record<string, Example>> = {
  "AlexNet of 2012": [() => alexnet2012({ ...tiny, size: 63 }), [2, 2, 63, 63]],
  "VGG A with LRN": [() => headed(vgg("A-LRN", tiny), 512 * 7 * 7), [2, 2, 32, 32]],
  "VGG A with batch normalization": [() => headed(vgg("A", { ...tiny, batchNorm: true }), 512 * 7 * 7), [2, 2, 64, 64]],
  "VGG C": [() => headed(vgg("C", tiny), 512 * 7 * 7), [2, 2, 32, 32]],
  "NIN for ImageNet": [() => nin({ ...tiny, form: "imagenet" }), [1, 2, 67, 67]],
  GoogLeNet: [() => googlenetWithAuxiliary(small), [2, 3, 64, 64]],
  "GoogLeNet of 2015": [() => googlenet({ ...tiny, form: "2015" }), [1, 2, 64, 64]],
  "ResNet-18": [() => resnet(18, small), [2, 3, 64, 64]],
  "ResNet-50 with strides at 1×1": [() => resnet(50, { ...tiny, strideAt: "1x1" }), [2, 2, 64, 64]],
};

const dot = (a: readonly Float64Array[], b: readonly Float64Array[]): number =>
  a.reduce((sum, row, i) => row.reduce((s, v, j) => s + v * b[i][j], sum), 0);
const norm = (a: readonly Float64Array[]): number => Math.sqrt(dot(a, a));
const moved = (a: Float64Array, step: number, v: Float64Array): Float64Array => a.map((e, i) => e + step * v[i]);

/** Fails unless ⟨u, Jv⟩ = ⟨Jᵀu, v⟩ for random u and v, and Jv is what differences give. */
export async function checkDerivatives([build, input, tokens]: Example): Promise<void> {
  const random = stream(9);
  const model = double(shapesOnly(build));
  for (const [, module] of walk(model)) if (module instanceof Dropout) (module as { p: number }).p = 0;
  const uniform = (size: number, low: number, high: number): Float64Array =>
    new Float64Array(size).map(() => low + (high - low) * random());
  const of = (values: readonly Float64Array[], like: readonly Tensor[]): Tensor[] =>
    values.map((v, i) => tensor(v, like[i].shape));

  const named = [...namedTensors(model)];
  const bound = ({ shape, size }: Tensor): number => (shape.length > 1 ? Math.sqrt((6 * shape[0]) / size) : 0.1);
  const isScale = (name: string, { rank }: Tensor): boolean => rank === 1 && /(weight|running_var)$/.test(name);
  const values = named.map(([name, t]) =>
    isScale(name, t) ? uniform(t.size, 0.8, 1.2) : uniform(t.size, -bound(t), bound(t)),
  );
  const place = (step: number): Promise<void> =>
    load(
      model,
      new Map(
        named.map(([name, { shape }], i) => [
          name,
          { dtype: "f64", shape, data: moved(values[i], step, directions[i]) },
        ]),
      ),
    );
  const trained = named.map(([, t]) => t.leaf("test").role === "param");
  const directions = named.map(([, t], i) => uniform(t.size, -bound(t), bound(t)).map((v) => (trained[i] ? v : 0)));
  await place(0);

  const size = input.reduce((n, d) => n * d, 1);
  const x =
    tokens === undefined
      ? tensor(uniform(size, -1, 1), input)
      : tensor(Int32Array.from(uniform(size, 1, tokens)), input);
  const logits = (): Tensor => {
    const normalizes = named.some(([name]) => name.endsWith("running_var"));
    const y = (normalizes ? training : evaluating)(() => model.forward(x));
    return "logits" in y ? stack([y.logits, ...y.auxiliary]) : y;
  };
  const forward = compile(logits);
  const y = await forward();
  expect(y.dtype).toBe("f64");
  const u = uniform(y.size, -1, 1);

  const parameters = named.flatMap(([, t], i) => (trained[i] ? [t] : []));
  const v = directions.filter((_, i) => trained[i]);
  const [Jv, ...Ju] = await Promise.all(
    (
      await compile(() => {
        const y = logits();
        return [...jvp([y], parameters, of(v, parameters)), ...vjpOf([y], parameters, of([u], [y]))];
      })()
    ).map(async (t) => (await t.data()) as Float64Array),
  );
  const [forwards, backwards, scale] = [dot([u], [Jv]), dot(Ju, v), norm([u]) * norm([Jv])];
  expect(scale).toBeGreaterThan(1e-3);
  expect(Math.abs(forwards - backwards) / scale).toBeLessThan(1e-11);

  const at = async (step: number): Promise<Float64Array> => {
    await place(step);
    return (await (await forward()).data()) as Float64Array;
  };
  let nearest = Number.POSITIVE_INFINITY;
  for (const h of [1e-7, 1e-8, 1e-9]) {
    const difference = moved(await at(h), -1, await at(-h)).map((d) => d / (2 * h));
    nearest = Math.min(nearest, norm([moved(difference, -1, Jv)]) / norm([Jv]));
    if (nearest < 1e-6) break; // else a relu or a maximum has changed sides between the two: a smaller step
  }
  expect(nearest).toBeLessThan(1e-5); // the smallest step rounds off more
  expect(Ju.every((g) => g.some((e) => e !== 0))).toBe(true); // no parameter is left out
}
