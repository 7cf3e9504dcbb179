// The rows of a picture of samples: the samples, what a run's model is shown of them, gives back, or draws from there.
import { type DBN, RBM } from "../energy/index.ts";
import { evaluating, state, type Tensor } from "../graph/index.ts";
import type { Layer } from "../nn/index.ts";
import { compile } from "../run/index.ts";
import { BeliefClassifier } from "../zoo/deep-belief-net.ts";
import type { Reconstructing } from "../zoo/index.ts";
import type { TrainedModel } from "./setup.ts";

/** Values for each sample, [B, …] one after the other. */
export interface Row {
  /** What the values are, as it follows "above" or "below". */
  readonly name: string;
  readonly values: Float32Array;
  /** For JSON. */
  readonly figures?: object;
}

/** Rounds of Gibbs sampling: after many more, machines trained by contrastive divergence of one round have left the data for a few blots. */
export const usualSteps = 20;

/** How a model draws: by a Boltzmann machine whose visible units the chains are. */
interface Drawing {
  readonly top: RBM;
  /** Where chains begin: x [B, …] → [B, visible]. */
  start(x: Tensor): Tensor;
  /** The last round, and down to the data's means: [B, visible] → [B, …]. */
  finish(chains: Tensor): Tensor;
}

const ofMachine = (top: RBM): Drawing => ({
  top,
  start: (x) => x.reshape(x.shape[0], top.visible),
  finish: (chains) => top.visibleMeans(top.sampleHidden(chains)),
});

const ofNet = (net: DBN): Drawing => ({
  top: net.top,
  start: (x) => net.up(x, net.layers.length - 1),
  finish: (chains) => net.down(net.top.gibbs(chains)),
});

/** How a model draws; undefined where it does not. */
export function drawingOf(model: Layer): Drawing | undefined {
  if (model instanceof RBM) return ofMachine(model);
  return model instanceof BeliefClassifier ? ofNet(model.belief) : undefined;
}

interface Asked {
  /** Rounds of Gibbs sampling. */
  readonly steps?: number | undefined;
  readonly signal: AbortSignal;
}

/** The samples x and what belongs below them; undefined where the signal is aborted on the way. */
export async function rowsFor({ entry, model }: TrainedModel, x: Tensor, asked: Asked): Promise<Row[] | undefined> {
  const samples = Float32Array.from(await x.data(), Number);
  const rows: Row[] = [{ name: "samples", values: samples }];
  if (entry.task === "reconstruct") rows.push(...(await givenBack(model as Reconstructing, x, samples)));
  const drawing = drawingOf(model);
  if (drawing === undefined) return rows;
  const { steps = usualSteps, signal } = asked;
  const values = await draw(drawing, x, { steps, signal });
  if (values === undefined) return undefined;
  return [...rows, { name: `draws after ${steps} rounds of Gibbs sampling`, values, figures: { steps } }];
}

/** What a model gives back for the samples x, whose values are given, after what it is shown of them, where that is another thing. */
export async function givenBack(model: Reconstructing, x: Tensor, samples: Float32Array): Promise<Row[]> {
  const cue = model.cue && { name: "what they are recalled from", values: await valuesOf(() => model.cue!(x)) };
  const values = await valuesOf(() => model.reconstruct(x));
  const squaredError = samples.reduce((sum, v, i) => sum + (v - values[i]) ** 2, 0) / x.shape[0];
  const name = `their reconstructions (squared error ${Number(squaredError.toPrecision(4))} a sample)`;
  return [...(cue ? [cue] : []), { name, values, figures: { squaredError } }];
}

const valuesOf = async (make: () => Tensor): Promise<Float32Array> =>
  Float32Array.from(await (await compile(() => evaluating(make))()).data(), Number);

/** The means of the data's units after rounds of Gibbs sampling from x; undefined where the signal is aborted on the way. */
async function draw(
  { top, start, finish }: Drawing,
  x: Tensor,
  { steps, signal }: Asked & { readonly steps: number },
): Promise<Float32Array | undefined> {
  const chains = state(await valuesOf(() => start(x)), [x.shape[0], top.visible]);
  const round = compile(() => chains.assign(top.gibbs(chains)));
  for (let i = 1; i < steps; i++) {
    await round();
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve)); // so that Ctrl-C is served
    if (signal.aborted) return undefined;
  }
  return valuesOf(() => finish(chains));
}
