// The codes of samples as points on the plane in which they vary most.
import { pca } from "../../classical/index.ts";
import type { Dataset } from "../../data/index.ts";
import { concat, evaluating, type Tensor } from "../../graph/index.ts";
import { compile, realize } from "../../run/index.ts";
import type { Reconstructing } from "../../zoo/index.ts";
import { escaped, percent, section } from "./html.ts";

export interface Codes {
  /** [x, y, label] of each sample; none where the codes span no plane, which `why` tells. */
  readonly points: readonly (readonly [number, number, number])[];
  /** Share of the variance that each axis explains. */
  readonly explained: readonly number[];
  readonly why?: string;
}

export async function codesOf(model: Reconstructing, data: Dataset): Promise<Codes> {
  const encode = compile((x: Tensor) => evaluating(() => model.encode(x).reshape(x.shape[0], -1)));
  const rows: Tensor[] = [];
  const labels: number[] = [];
  for await (const { x, y } of data.iterate({ epoch: 0 })) {
    rows.push(await encode(x));
    labels.push(...Array.from(await y.data(), Number));
  }
  const codes = concat(rows); // [N, units]
  await realize(codes);
  if (codes.shape[1] < 2 || codes.shape[0] < 3)
    return {
      points: [],
      explained: [],
      why: `a plane takes 2 numbers a code and 3 samples, here are [${codes.shape}]`,
    };
  try {
    const found = await pca(codes, { components: 2 });
    const scores = await compile(() => found.scores(codes))();
    const values = await scores.data();
    return {
      points: labels.map((label, i) => [Number(values[2 * i]), Number(values[2 * i + 1]), label]),
      explained: Array.from(found.explainedVariance, (variance) => variance / found.totalVariance),
    };
  } catch (error) {
    if (error instanceof RangeError)
      return { points: [], explained: [], why: "the codes vary in less than 2 directions" };
    throw error;
  }
}

const [width, height, edge] = [720, 480, 10];

/** Ten hues that are told apart in light and in dark. */
const colours = [
  ...["#2a6fdb", "#e0670b", "#2b9a4b", "#d43b3b", "#8a5cc8"],
  ...["#8d6347", "#d965b2", "#7d858e", "#a9a51f", "#1ba6b8"],
];

export function codesSection({ points, explained, why }: Codes, classes: readonly string[]): string {
  const about = `The codes of the samples on their two principal components${points.length === 0 ? "" : `, which hold ${explained.map(percent).join(" and ")} of their variance`}; a colour a class.`;
  return section("Codes", about, points.length === 0 ? undefined : scatter(points, classes), why);
}

function scatter(points: Codes["points"], classes: readonly string[]): string {
  const across = scaleOf(
    points.map(([x]) => x),
    width,
  );
  const up = scaleOf(
    points.map(([, y]) => y),
    height,
  );
  const dots = points.map(
    ([x, y, label]) =>
      `<circle cx="${across(x).toFixed(1)}" cy="${(height - up(y)).toFixed(1)}" r="3" fill="${colours[label % colours.length]}"/>`,
  );
  const legend = classes
    .slice(0, colours.length)
    .map((name, i) => `<span style="color: ${colours[i]}">● ${escaped(name)}</span>`);
  return `<svg class="codes" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="codes on two principal components">${dots.join("")}</svg><p class="caption">${legend.join(" ")}</p>`;
}

/** From values to places on an axis of that length. */
function scaleOf(values: readonly number[], length: number): (value: number) => number {
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  return (value) => edge + ((value - low) / range) * (length - 2 * edge);
}
