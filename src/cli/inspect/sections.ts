// The sections of a run's page: each takes figures and gives HTML.
import type { LayerInfo } from "../info.ts";
import type { Answer, Answers } from "./answers.ts";
import type { Chart } from "./curves.ts";
import type { Filters } from "./filters.ts";
import { bars, escaped, grouped, percent, section, short, table } from "./html.ts";
import { type LayerState, type ModelState, mapChannels, type Spread } from "./layers.ts";
import { address, grey, sheet } from "./picture.ts";

export function curvesSection(charts: readonly Chart[]): string {
  const figures = charts.map(
    ({ title }, i) =>
      `<figure class="chart" data-chart="${i}"><label><input type="checkbox"> logarithmic</label><h3>${escaped(title)}</h3><div></div></figure>`,
  );
  const about =
    "Loss, metrics and learning rate over the steps, as the run logged them; validation is after each epoch.";
  return section(
    "Curves",
    about,
    figures.length > 0 ? `<div class="charts">${figures.join("")}</div>` : undefined,
    "metrics.jsonl holds no figures",
  );
}

export function modelSection(layers: readonly LayerInfo[]): string {
  const sum = (of: (layer: LayerInfo) => number): string =>
    grouped(layers.reduce((total, layer) => total + of(layer), 0));
  const rows = layers.map(({ name, output, parameters, multiplyAdds }) => [
    escaped(name),
    `[${output.join(", ")}]`,
    grouped(parameters),
    grouped(multiplyAdds),
  ]);
  const total = ["<b>total</b>", "", sum((l) => l.parameters), sum((l) => l.multiplyAdds)];
  const about = "Layers in the order in which they run, with the shape of what each gives for one sample.";
  return section("Model", about, table(["layer", "output", "parameters", "multiply-adds"], [...rows, total], 2));
}

export const image = (source: string, width: number, height: number, alt: string, kind = "sheet"): string =>
  `<img class="${kind}" src="${source}" width="${width}" height="${height}" alt="${escaped(alt)}">`;

export function filtersSection(filters: readonly Filters[]): string {
  const figures = filters.map(({ name, shape, caption, picture, width, height }) => {
    const scale = Math.max(1, Math.min(10, Math.floor(640 / width), Math.floor(480 / height)));
    const label = `<h3>${escaped(name)} <span class="caption">[${shape.join(", ")}]</span></h3>`;
    const note = `<p class="caption">${escaped(caption)}</p>`;
    return `<figure>${label}${image(picture, scale * width + 14, scale * height + 14, `filters of ${name}`)}${note}</figure>`;
  });
  const about =
    "What each unit is sensitive to: orange raises it, blue lowers it; colour pictures show red, green and blue weights, grey is 0.";
  const content = figures.length > 0 ? `<div class="panels">${figures.join("")}</div>` : undefined;
  return section("Filters", about, content, "the model has no convolution, and its first layer sees no picture");
}

/** Layers of a deep network are shown in even steps. */
const mostMapped = 16;

export function mapsSection(layers: readonly LayerState[], show: (sample: number) => string): string {
  const mapped = layers.filter(({ maps }) => maps !== undefined && maps.shape.at(-1)! > 1);
  const shown = mapped.filter((_, i) => i % Math.ceil(mapped.length / mostMapped) === 0);
  const about = `What the layers give for the first samples, a row a sample, a column a channel (at most ${mapChannels} of them), after the activation function; from the least (black) to the greatest (white) of the layer.`;
  const samples = Array.from({ length: shown[0]?.maps?.shape[0] ?? 0 }, (_, i) => show(i));
  const chosen = `<div class="panels">${samples.join("")}</div>`;
  const content = shown.length > 0 ? `${chosen}<div class="panels">${shown.map(mapsOf).join("")}</div>` : undefined;
  return section("Feature maps", about, content, "every layer gives plain vectors");
}

function mapsOf({ name, maps, output }: LayerState): string {
  const { shape, data } = maps!;
  const isSequence = shape.length === 3;
  const values = Float32Array.from(data, Number);
  const [low, high] = values.reduce(
    ([l, h], v) => [Math.min(l, v), Math.max(h, v)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const size = shape.slice(-2);
  const length = size[0] * size[1];
  const pictures = Array.from({ length: values.length / length }, (_, i) =>
    grey(values.subarray(i * length, (i + 1) * length), size, low, high),
  );
  const { width, height, rgba } = sheet(pictures, isSequence ? (size[0] > size[1] ? shape[0] : 1) : shape[1]);
  const scale = Math.max(1, Math.min(6, Math.floor(480 / width), Math.floor(40 / size[0])));
  const label = `<h3>${escaped(name)} <span class="caption">[${output.join(", ")}]</span></h3>`;
  return `<figure>${label}${image(address({ width, height, rgba }), scale * width + 14, scale * height + 14, `feature maps of ${name}`)}${isSequence ? '<p class="caption">a sample a picture</p>' : ""}</figure>`;
}

const spreadCells = ({ mean, deviation, zeros, histogram: { counts, low, high } }: Spread): string[] => [
  short(mean),
  short(deviation),
  percent(zeros),
  `${bars(counts, low, high)}`,
];

export function activationsSection({ layers }: ModelState, samples: number): string {
  const rows = layers.map(({ name, activation, flat }) => {
    const [mean, deviation, zeros, histogram] = spreadCells(activation);
    return [escaped(name), histogram, mean, deviation, zeros, flat === undefined ? "" : percent(flat)];
  });
  const about = `What the layers give for ${samples} samples, after the activation function that follows. Flat are outputs where that function's slope is below 0.05: saturated or switched off, they pass hardly any gradient on.`;
  return section("Activations", about, table(["layer", "histogram", "mean", "deviation", "zeros", "flat"], rows, 2));
}

export function gradientsSection({ layers, parameters }: ModelState, samples: number): string {
  const rows = layers.flatMap(({ name, gradient }) => {
    if (gradient === undefined) return [];
    const [mean, deviation, zeros, histogram] = spreadCells(gradient);
    return [[escaped(name), histogram, mean, deviation, zeros]];
  });
  const norms = parameters.map(({ name, shape, norm, gradientNorm }) => [
    escaped(name),
    `[${shape.join(", ")}]`,
    short(norm),
    short(gradientNorm),
    norm === 0 ? "–" : short(gradientNorm / norm),
  ]);
  const about = `Derivatives of the mean loss of ${samples} test samples, with respect to what each layer gives and to its parameters. Where the last column differs by orders of magnitude, layers learn at different speeds.`;
  const outputs =
    rows.length === 0
      ? '<p class="none">Training follows gradients of no loss, so layers have none.</p>'
      : table(["∂loss/∂output of", "histogram", "mean", "deviation", "zeros"], rows, 2);
  const content = `${outputs}<h3>Parameters</h3>${table(["parameter", "shape", "norm", "gradient's norm", "gradient / parameter"], norms, 2)}`;
  return section("Gradients", about, content);
}

/** A larger table is no longer read. */
const mostClasses = 60;

const lessons = {
  language: "which token comes next",
  reconstruct: "to give samples back",
  regress: "numbers of samples",
} as const;

/** In the place of the sections about classes. */
export function classlessSection(task: keyof typeof lessons): string {
  return section(
    "Classes",
    "Confusion and worst examples of a classifier.",
    undefined,
    `the model learns ${lessons[task]}`,
  );
}

export function confusionSection({ confusion, loss }: Answers & { loss: number }, classes: readonly string[]): string {
  const about = "A row the label, a column the answer; the shade is the share of the row.";
  const why = confusion === undefined ? `the loss is ${loss}` : `${classes.length} classes are too many for a table`;
  const shown = confusion !== undefined && classes.length <= mostClasses;
  return section("Confusion", about, shown ? confusionTable(confusion, classes) : undefined, why);
}

function confusionTable(confusion: readonly (readonly number[])[], classes: readonly string[]): string {
  const head = `<tr><th></th>${classes.map((name) => `<th>${escaped(name)}</th>`).join("")}<th>right</th></tr>`;
  const rows = confusion.map((row, label) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    const cells = row.map((n, answer) => {
      const tone = answer === label ? "--shade" : "--wrong";
      const style = ` style="background: rgba(var(${tone}), ${(0.75 * (n / total)).toFixed(3)})"`;
      return n === 0 ? '<td class="zero">·</td>' : `<td${style}>${n}</td>`;
    });
    return `<tr><th>${escaped(classes[label])}</th>${cells.join("")}<td>${total === 0 ? "–" : percent(row[label] / total)}</td></tr>`;
  });
  return `<div class="wide"><table class="confusion">${head}${rows.join("")}</table></div>`;
}

const mostWrong = 24;

/** `show` gives a sample as HTML. */
export function worstSection(
  answers: Answers & { readonly loss: number; readonly samples: number },
  classes: readonly string[],
  { show, isText }: { show: (sample: number) => string; isText: boolean },
): string {
  const { wrong, loss, samples } = answers;
  const about = `The wrong answers that the model is surest of${wrong === undefined ? "" : `, ${Math.min(mostWrong, wrong.length)} of ${wrong.length}`}.`;
  const why = wrong === undefined ? `the loss is ${loss}` : `all ${samples} answers are right`;
  const card = ({ sample, label, answer, probability }: Answer): string =>
    `<figure>${show(sample)}<p><b>${escaped(classes[answer])}</b> ${percent(probability)}<br><span class="caption">is ${escaped(classes[label])}, sample ${sample}</span></p></figure>`;
  const cards = wrong?.slice(0, mostWrong).map(card) ?? [];
  const content = cards.length > 0 ? `<div class="worst${isText ? " text" : ""}">${cards.join("")}</div>` : undefined;
  return section("Worst examples", about, content, why);
}
