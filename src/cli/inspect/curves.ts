// Curves of a run: each figure of its metrics.jsonl over the steps, as the charts of the page take them.
import type { MetricsEvent } from "../../train/log.ts";

export interface Curve {
  readonly name: string;
  /** One for each of the chart's steps; null where nothing was measured. */
  readonly values: readonly (number | null)[];
}

/** Curves over the same steps, which ascend. */
export interface Chart {
  readonly title: string;
  readonly steps: readonly number[];
  readonly curves: readonly Curve[];
}

/** Points of a curve that are kept, evenly spaced; no screen shows more. */
const mostPoints = 2000;

/** A chart for each figure, the loss first and the learning rate last. What is no finite number leaves a gap. */
export function chartsOf(events: readonly MetricsEvent[]): Chart[] {
  const steps = thinned(events.filter(({ kind }) => kind === "step"));
  const epochs = events.filter(({ kind }) => kind === "epoch");
  const validations = epochs.flatMap(({ step, validation }) =>
    typeof validation === "object" && validation !== null ? [{ ...validation, kind: "validation", step }] : [],
  );
  const names = new Set([...steps, ...epochs, ...validations].flatMap((event) => Object.keys(event)));
  for (const name of ["kind", "step", "epoch", "samples", "validation", "loss", "lr"]) names.delete(name);
  return ["loss", ...names, "lr"].flatMap((name) => {
    const title = name === "lr" ? "learning rate" : name;
    const chart = chartOf(title, name, { training: steps, "epoch mean": epochs, validation: validations });
    return chart.curves.length > 0 ? [chart] : [];
  });
}

function chartOf(title: string, figure: string, sources: Readonly<Record<string, readonly MetricsEvent[]>>): Chart {
  const found = Object.entries(sources).map(([name, events]) => {
    const points = events.filter((event) => figure in event).map((event) => [event.step, event[figure]] as const);
    return { name, points: new Map(points) };
  });
  const present = found.filter(({ points }) => points.size > 0);
  const steps = [...new Set(present.flatMap(({ points }) => [...points.keys()]))].sort((a, b) => a - b);
  const finite = (value: unknown): number | null =>
    typeof value === "number" && Number.isFinite(value) ? value : null;
  const curves = present.map(({ name, points }) => ({ name, values: steps.map((step) => finite(points.get(step))) }));
  return { title, steps, curves };
}

/** At most mostPoints of the events, the last among them. */
function thinned(events: readonly MetricsEvent[]): readonly MetricsEvent[] {
  const stride = Math.ceil(events.length / mostPoints);
  return stride <= 1 ? events : events.filter((_, i) => (events.length - 1 - i) % stride === 0);
}
