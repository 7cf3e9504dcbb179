// What goes on in the layers of a model for one batch: activations, gradients, feature maps.
import type { Batch } from "../../data/index.ts";
import { evaluating, grad, Tensor } from "../../graph/index.ts";
import { isFloat, sameShape, topological, traits } from "../../graph/internal.ts";
import { type HostTensor, type Layer, namedParameters, type Probed, probe } from "../../nn/index.ts";
import type { GradientSource } from "../../optim/index.ts";
import { resultOf } from "../../optim/loss.ts";
import { compile } from "../../run/index.ts";
import { outputsOf } from "../../train/evaluate.ts";
import type { Loss } from "../optimizers.ts";

/** How the numbers of a tensor lie. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number;
  /** Share of exact zeros. */
  readonly zeros: number;
  /** Counts of up to `mostSampled` evenly spaced elements, in bins of equal width from `low` to `high`, see histogramOf. */
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
}

export interface LayerState {
  readonly name: string;
  /** For one sample. */
  readonly output: readonly number[];
  /** Of what the layer gives, after the activation function that follows it. */
  readonly activation: Spread;
  /** Share of outputs where that function's slope is below 0.05; absent where none follows. */
  readonly flat?: number;
  /** Of ∂loss/∂output; absent where training follows no loss. */
  readonly gradient?: Spread;
  /** The activation of the first samples and channels, where it has at least two axes besides the sample's. */
  readonly maps?: HostTensor;
}

export interface ParameterState {
  readonly name: string;
  readonly shape: readonly number[];
  /** √Σθ² */
  readonly norm: number;
  /** √Σ(∂loss/∂θ)², or of the gradient that training follows. */
  readonly gradientNorm: number;
}

export interface ModelState {
  readonly layers: readonly LayerState[];
  readonly parameters: readonly ParameterState[];
}

const mostSampled = 2 ** 16;
const mapSamples = 4;
export const mapChannels = 12;
const bins = 25;

/** Layers in evaluating mode; `source` is what training follows. */
export async function stateOf(
  model: Layer,
  batch: Batch,
  source: Loss | GradientSource<Batch, Tensor>,
): Promise<ModelState> {
  const named = [...namedParameters(model)];
  const step = compile(({ x, y }: Batch) =>
    evaluating(() => {
      const { result, layers } = probe(() => resultOf(source, { x, y }));
      const probed = layers.filter(({ output }) => isFloat(output.dtype));
      const own = result.gradients;
      const wanted = own ? [] : [...probed.map(({ output }) => output), ...named.map(([, parameter]) => parameter)];
      const slopes = own ?? new Map(grad(result.loss, wanted).map((slope, i) => [wanted[i], slope]));
      const active = activated(outputsOf(model, result.outputs) as Tensor, probed);
      return {
        layers: probed.map(({ name, output }) => ({
          name,
          ...measuresOf(output, active.get(output) ?? output),
          gradient: slopes.has(output) ? spread(slopes.get(output)!) : null,
        })),
        parameters: named.map(([name, parameter]) => ({
          name,
          norm: parameter.norm(),
          gradientNorm: slopes.get(parameter)?.norm() ?? parameter.norm().mul(0),
        })),
      };
    }),
  );
  const { layers, parameters } = await step({ x: batch.x, y: batch.y });
  const shapes = new Map(named.map(([name, { shape }]) => [name, shape]));
  return {
    layers: await inTurn(layers, readLayer),
    parameters: await inTurn(parameters, async ({ name, norm, gradientNorm }) => ({
      name,
      shape: shapes.get(name)!,
      norm: await norm.item(),
      gradientNorm: await gradientNorm.item(),
    })),
  };
}

async function inTurn<T, R>(list: readonly T[], read: (each: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const each of list) results.push(await read(each));
  return results;
}

/**
 * By a layer's output, the last tensor computed element by element from it alone, outside of other layers: what its activation
 * function gave.
 */
export function activated(result: Tensor, layers: readonly Probed[]): Map<Tensor, Tensor> {
  const labels = new Set(layers.map(({ name }) => name));
  const own = layers.filter(({ name, output }) => output.module === name); // others pass on what is given to them, as Dropout does
  const owner = new Map<Tensor, Tensor>(own.map(({ output }) => [output, output]));
  const constant = new Set<Tensor>();
  const last = new Map<Tensor, Tensor>();
  for (const t of topological([result])) {
    const kind = traits[t.op].class;
    const varying = t.inputs.filter((input) => !constant.has(input));
    if (t.op === "const" || (t.inputs.length > 0 && varying.length === 0)) constant.add(t);
    if (owner.has(t) || kind !== "elementwise" || labels.has(t.module) || !isFloat(t.dtype)) continue;
    const owners = new Set(varying.flatMap((input) => (isFloat(input.dtype) ? [owner.get(input)] : [])));
    const [only] = owners;
    if (owners.size !== 1 || only === undefined || !sameShape(only.shape, t.shape)) continue;
    owner.set(t, only);
    last.set(only, t);
  }
  return last;
}

interface Measures {
  readonly shape: readonly number[];
  readonly activation: Record<"mean" | "deviation" | "zeros" | "sampled", Tensor>;
  readonly flat: Tensor | null;
  readonly maps: Tensor | null;
}

function measuresOf(output: Tensor, active: Tensor): Measures {
  const slope = active === output ? undefined : grad(active.sum(), output);
  return {
    shape: output.shape.slice(1),
    activation: spread(active),
    flat: slope?.abs().lt(0.05).float().mean() ?? null,
    maps: mapsOf(active),
  };
}

/** Of pictures some channels, of sequences [B, …, …] all. */
function mapsOf(active: Tensor): Tensor | null {
  const some = active.rank < 3 ? active : active.slice(0, 0, Math.min(mapSamples, active.shape[0]));
  if (active.rank === 4) return some.slice(1, 0, Math.min(mapChannels, active.shape[1]));
  return active.rank === 3 ? some : null;
}

function spread(t: Tensor): Measures["activation"] {
  const stride = Math.ceil(t.size / mostSampled);
  return {
    mean: t.mean(),
    deviation: t.std(),
    zeros: t.eq(0).float().mean(),
    sampled: t.reshape(-1).slice(0, 0, t.size, stride),
  };
}

type Asked = Measures & { readonly name: string; readonly gradient: Measures["activation"] | null };

async function readLayer({ name, shape, activation, flat, gradient, maps }: Asked): Promise<LayerState> {
  return {
    name,
    output: shape,
    activation: await readSpread(activation),
    ...(flat instanceof Tensor && { flat: await flat.item() }),
    ...(gradient !== null && { gradient: await readSpread(gradient) }),
    ...(maps instanceof Tensor && { maps: { dtype: maps.dtype, shape: maps.shape, data: await maps.data() } }),
  };
}

async function readSpread({ mean, deviation, zeros, sampled }: Measures["activation"]): Promise<Spread> {
  return {
    mean: await mean.item(),
    deviation: await deviation.item(),
    zeros: await zeros.item(),
    histogram: histogramOf(await sampled.data()),
  };
}

/**
 * Counts of the finite values. The bins reach as far as all but a hundredth of them, the outermost hold those beyond; they lie
 * evenly about 0 where values have both signs.
 */
export function histogramOf(values: ArrayLike<number>): Spread["histogram"] {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [least, most] = [Math.min(0, at(0.005)), Math.max(0, at(0.995))];
  const reach = Math.max(-least, most);
  const [low, high] = least < 0 && most > 0 ? [-reach, reach] : [least, most];
  const counts = new Array<number>(bins).fill(0);
  const binOf = (value: number): number => (high > low ? Math.floor(((value - low) / (high - low)) * bins) : 0);
  for (const value of sorted) counts[Math.max(0, Math.min(bins - 1, binOf(value)))]++;
  return { low, high, counts };
}
