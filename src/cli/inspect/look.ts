// A look into a trained model: all that the page shows of it, as figures and pictures.
import type { Dataset } from "../../data/index.ts";
import type { Layer } from "../../nn/index.ts";
import type { MetricsEvent } from "../../train/log.ts";
import { type LayerInfo, layersOf } from "../info.ts";
import { type Answers, answersOf } from "./answers.ts";
import { type Chart, chartsOf } from "./curves.ts";
import { type Filters, filtersOf } from "./filters.ts";
import { type ModelState, stateOf } from "./layers.ts";
import { displayOf, firstBatch } from "./samples.ts";
import {
  activationsSection,
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
  readonly classes: readonly string[];
  readonly charts: readonly Chart[];
  readonly layers: readonly LayerInfo[];
  readonly answers: Answers;
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
  model: Layer,
  { raw, data, events }: { raw: Dataset; data: Dataset; events: readonly MetricsEvent[] },
): Promise<Look> {
  const { classes = [], shape, tokens } = raw.info;
  const layers = layersOf(model, shape, tokens);
  const size = layers.reduce((sum, { output }) => sum + output.reduce((product, d) => product * d, 1), 0);
  const watched = Math.max(1, Math.min(mostWatched, data.length, Math.floor(mostElements / size)));
  return {
    classes,
    charts: chartsOf(events),
    layers,
    answers: await answersOf(model, data.batch(250)),
    watched,
    state: await stateOf(model, await firstBatch(data, watched)),
    filters: await filtersOf(model, shape),
    isText: tokens !== undefined,
    show: await displayOf(raw),
  };
}

export function sectionsOf({
  classes,
  charts,
  layers,
  answers,
  watched,
  state,
  filters,
  isText,
  show,
}: Look): string[] {
  return [
    curvesSection(charts),
    modelSection(layers),
    filtersSection(filters),
    mapsSection(state.layers, show),
    activationsSection(state, watched),
    gradientsSection(state, watched),
    confusionSection(answers, classes),
    worstSection(answers, classes, { show, isText }),
  ];
}

/** The look as figures, without pictures. */
export const figuresOf = ({ classes, charts, layers, watched, state, answers }: Look): object => ({
  classes,
  charts,
  layers,
  watched,
  activations: state.layers.map(({ maps: _, ...rest }) => rest),
  parameters: state.parameters,
  confusion: answers.confusion,
  wrong: answers.wrong,
});
