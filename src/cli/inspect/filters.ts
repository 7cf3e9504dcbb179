// The filters of a model as pictures: of its first layer as what they look for, of others as grids.
import { SOM } from "../../energy/index.ts";
import { type Layer, namedParameters } from "../../nn/index.ts";
import { address, coloured, ofSample, type Picture, sheet, signed } from "./picture.ts";

export interface Filters {
  /** The parameter's name. */
  readonly name: string;
  readonly shape: readonly number[];
  /** What a row and a column is, and how many are left out. */
  readonly caption: string;
  readonly picture: string;
  /** Pixels of the picture, to be drawn larger. */
  readonly width: number;
  readonly height: number;
}

const mostFilters = 64;
const mostStrips = 32;
/** Rows and columns of a grid of kernels. */
const mostInGrid = 16;
/** Layers shown: a deep network's first ones. */
const mostLayers = 12;

/** The filters of convolutions, of a first fully connected layer that sees pictures of the shape, and of a map's units. */
export async function filtersOf(model: Layer, input: readonly number[]): Promise<Filters[]> {
  const found: Filters[] = [];
  const isPicture = input.length === 3 && [1, 3].includes(input[0]);
  if (model instanceof SOM) return isPicture ? [await unitsOf(model, input)] : [];
  for (const [name, parameter] of namedParameters(model)) {
    if (!/(^|\.)weight$/.test(name)) continue;
    const first = found.length === 0;
    const { shape } = parameter;
    const seesInput = shape.length === 2 && shape[1] === input.reduce((size, d) => size * d, 1);
    if (![3, 4].includes(shape.length) && !(first && isPicture && seesInput)) continue;
    if (found.length === mostLayers) break;
    const values = Float32Array.from(await parameter.data(), Number);
    const { picture, caption } = drawn(values, shape.length === 2 ? [shape[0], ...input] : shape, first);
    found.push({ name, shape, caption, picture: address(picture), width: picture.width, height: picture.height });
  }
  return found;
}

/** The units of a map where they lie on it, each as the sample that it stands for. */
async function unitsOf({ weight, rows, columns, features }: SOM, input: readonly number[]): Promise<Filters> {
  const values = Float32Array.from(await weight.data(), Number);
  const pictures = Array.from({ length: rows * columns }, (_, i) =>
    ofSample(values.subarray(i * features, (i + 1) * features), input),
  );
  const whole = sheet(pictures, columns);
  const caption = `${rows} × ${columns} units as they lie on the map, each as the sample that it stands for`;
  const { width, height } = whole;
  return { name: "weight", shape: weight.shape, caption, picture: address(whole), width, height };
}

/** Weights [outputs, inputs, …kernel], or [kernels, height, width] of a layer that shares none, as a picture. */
function drawn(values: Float32Array, shape: readonly number[], first: boolean): { picture: Picture; caption: string } {
  const [outputs, inputs, width] = shape;
  if (shape.length === 3 && inputs > 2 * width)
    return {
      picture: strips(values, shape),
      caption: `a strip a filter (${shown(outputs, mostStrips)}), inputs across`,
    };
  const whole = shape.length === 3 ? [outputs, 1, inputs, width] : shape;
  if (whole[1] === 1 || (first && inputs === 3))
    return { picture: bank(values, whole), caption: `${shown(outputs, mostFilters)} filters` };
  const caption = `a row an output (${shown(outputs, mostInGrid)}), a column an input (${shown(inputs, mostInGrid)})`;
  return { picture: grid(values, whole), caption };
}

const shown = (count: number, most: number): string => (count > most ? `${most} of ${count}` : `${count}`);

const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** Each filter [1 or 3, height, width] as a picture; those of one channel with the sign of their weights. */
function bank(values: Float32Array, [outputs, inputs, ...size]: readonly number[]): Picture {
  const length = values.length / outputs;
  const most = largest(values);
  const pictures = Array.from({ length: Math.min(outputs, mostFilters) }, (_, i) => {
    const filter = values.subarray(i * length, (i + 1) * length);
    return inputs === 3 ? coloured(filter, size, -most, most) : signed(filter, size, most);
  });
  return sheet(pictures, mostInGrid);
}

/** Filters [inputs, width] of sequences, each turned on its side, one below the other. */
function strips(values: Float32Array, [outputs, inputs, width]: readonly number[]): Picture {
  const length = inputs * width;
  const most = largest(values);
  const pictures = Array.from({ length: Math.min(outputs, mostStrips) }, (_, i) => {
    const filter = values.subarray(i * length, (i + 1) * length);
    const turned = filter.map((_, place) => filter[(place % inputs) * width + Math.floor(place / inputs)]);
    return signed(turned, [width, inputs], most);
  });
  return sheet(pictures, 1);
}

/** Kernels [outputs, inputs, height, width], those of an output in a row. */
function grid(values: Float32Array, [outputs, inputs, height, width]: readonly number[]): Picture {
  const length = height * width;
  const most = largest(values);
  const columns = Math.min(inputs, mostInGrid);
  const pictures = Array.from({ length: Math.min(outputs, mostInGrid) * columns }, (_, i) => {
    const start = (Math.floor(i / columns) * inputs + (i % columns)) * length;
    return signed(values.subarray(start, start + length), [height, width], most);
  });
  return sheet(pictures, columns);
}
