// A look into a trained model: all that the page shows of it, as figures and pictures.
import type { Batch, Dataset } from "../../data/index.ts";
import type { Tensor } from "../../graph/index.ts";
import type { Layer } from "../../nn/index.ts";
import { type Evaluation, evaluator } from "../../train/index.ts";
import type { MetricsEvent } from "../../train/log.ts";
import type { Reconstructing, ZooEntry } from "../../zoo/index.ts";
import { type LayerInfo, layersOf } from "../info.ts";
import { lossOf, measuredOf, sourceOf } from "../tasks.ts";
import { type Answer, answers, wrongOf } from "./answers.ts";
import { type Codes, codesOf, codesSection } from "./codes.ts";
import { type Chart, chartsOf } from "./curves.ts";
import { type Filters, filtersOf } from "./filters.ts";
import { type ModelState, stateOf } from "./layers.ts";
import { type Reconstructions, reconstructionsOf, reconstructionsSection } from "./reconstructions.ts";
import { displayOf, firstBatch } from "./samples.ts";
import {
  activationsSection,
  classlessSection,
  confusionSection,
  curvesSection,
  filtersSection,
  gradientsSection,
  mapsSection,
  modelSection,
  worstSection,
} from "./sections.ts";

/** Samples whose activations are measured; fewer where those of all together have more elements than `mostElements`. */
const mostWatched = 128;
const mostElements = 2 ** 24;

export interface Look {
  readonly task: NonNullable<ZooEntry["task"]>;
  readonly classes: readonly string[];
  readonly charts: readonly Chart[];
  readonly layers: readonly LayerInfo[];
  readonly evaluation: Evaluation<{ confusion?: number[][]; answers?: Answer[] }>;
  /** Of the task "reconstruct". */
  readonly given?: { readonly reconstructions: Reconstructions; readonly codes: Codes };
  /** Samples that `state` is measured with, the first ones. */
  readonly watched: number;
  readonly state: ModelState;
  readonly filters: readonly Filters[];
  readonly isText: boolean;
  /** A sample as HTML. */
  readonly show: (sample: number) => string;
}

/** `raw` are the samples as people see them, `data` the same as the model takes them. */
export async function lookInto(
  entry: ZooEntry,
  model: Layer,
  { raw, data, events }: { raw: Dataset; data: Dataset; events: readonly MetricsEvent[] },
): Promise<Look> {
  const { classes = [], shape, tokens } = raw.info;
  const { task = "classify" } = entry;
  const { collect, ...measured } = measuredOf(entry, model, raw.info);
  const measure = evaluator<Batch, Tensor, object>({
    model,
    loss: lossOf(entry, model),
    ...measured,
    collect: { ...collect, ...(task === "classify" && { answers }) },
  });
  const layers = layersOf(model, shape, tokens);
  const size = layers.reduce((sum, { output }) => sum + output.reduce((product, d) => product * d, 1), 0);
  const watched = Math.max(1, Math.min(mostWatched, data.length, Math.floor(mostElements / size)));
  return {
    task,
    classes,
    charts: chartsOf(events),
    layers,
    evaluation: (await measure(data.batch(250)))!,
    ...(task === "reconstruct" && { given: await givenBack(model as Reconstructing, data) }),
    watched,
    state: await stateOf(model, await firstBatch(data, watched), sourceOf(entry, model)),
    filters: await filtersOf(model, shape),
    isText: tokens !== undefined,
    show: await displayOf(raw),
  };
}

async function givenBack(model: Reconstructing, data: Dataset): Promise<Look["given"]> {
  return { reconstructions: await reconstructionsOf(model, data), codes: await codesOf(model, data.batch(250)) };
}

export function sectionsOf({
  task,
  classes,
  charts,
  layers,
  evaluation,
  given,
  watched,
  state,
  filters,
  isText,
  show,
}: Look): string[] {
  return [
    curvesSection(charts),
    ...(given ? [reconstructionsSection(given.reconstructions), codesSection(given.codes, classes)] : []),
    modelSection(layers),
    filtersSection(filters),
    mapsSection(state.layers, show),
    activationsSection(state, watched),
    gradientsSection(state, watched),
    ...(task === "classify" ? classSections({ evaluation, classes, show, isText }) : [classlessSection(task)]),
  ];
}

function classSections({
  evaluation: { loss, samples, collected },
  classes,
  show,
  isText,
}: Pick<Look, "evaluation" | "classes" | "show" | "isText">): string[] {
  const said = {
    loss,
    samples,
    confusion: collected?.confusion,
    wrong: collected?.answers && wrongOf(collected.answers),
  };
  return [confusionSection(said, classes), worstSection(said, classes, { show, isText })];
}

/** The look as figures, without pictures. */
export const figuresOf = ({ classes, charts, layers, watched, state, evaluation, given }: Look): object => ({
  classes,
  charts,
  layers,
  watched,
  activations: state.layers.map(({ maps: _, ...rest }) => rest),
  parameters: state.parameters,
  confusion: evaluation.collected?.confusion,
  wrong: evaluation.collected?.answers && wrongOf(evaluation.collected.answers),
  codes: given?.codes,
});
