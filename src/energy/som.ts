// The self-organising map: a grid of units that spreads over the data, neighbours staying neighbours.
import { live, param, permutation, Tensor, tensor, where } from "../graph/index.ts";
import { fail, hostMath, kindOf, show } from "../graph/internal.ts";
import * as init from "../nn/init.ts";
import { checkSizes } from "../nn/module.ts";
import { compile, realize } from "../run/index.ts";

export interface SomFitOptions {
  /** One example at a time, or all of them at once. */
  rule?: "online" | "batch";
  /** Passes over the data. */
  epochs?: number;
  /** α of the online rule, from the first to the last example, falling exponentially. */
  rate?: readonly [first: number, last: number];
  /** σ of the neighbourhood, in units of the grid, falling exponentially; by default from half of the longer side to 0.5. */
  radius?: readonly [first: number, last: number];
}

/**
 * Self-organising map (Kohonen, 1982) of rows × columns units with weights in the space of the data, which start from N(0, 0.1²).
 * Throws where a size is none.
 */
export class SOM {
  weight: Tensor; // [rows·columns, features]
  readonly rows: number;
  readonly columns: number;

  constructor(rows: number, columns: number, features: number) {
    checkSizes("SOM", { rows, columns, features });
    this.weight = param((shape) => init.normal(shape, 0, 0.1), [rows * columns, features]);
    [this.rows, this.columns] = [rows, columns];
  }

  get features(): number {
    return this.weight.shape[1];
  }

  /** The number of the nearest unit, of the first of several: x [B, features] → i32 [B]. */
  forward(x: Tensor): Tensor {
    return this.#nearest(x, 1).squeeze(-1);
  }

  /** The mean distance of examples from their nearest units: x [B, features] → a scalar. */
  quantizationError(x: Tensor): Tensor {
    const nearest = this.weight.take(this.forward(x)); // [B, features]
    return x.sub(nearest).square().sum(-1).sqrt().mean();
  }

  /**
   * The share of examples whose nearest and second nearest units are no neighbours on the grid, next to each other or across a
   * corner (Kiviluoto, 1996): x [B, features] → a scalar. Throws where the map has but one unit.
   */
  topographicError(x: Tensor): Tensor {
    if (this.weight.shape[0] < 2) throw new RangeError("topographicError: needs a map of two units or more, it has 1");
    const [first, second] = this.#nearest(x, 2).split(1, -1);
    const apart = (place: (units: Tensor) => Tensor): Tensor => place(first).sub(place(second)).abs().gt(1);
    const far = apart((u) => u.floorDiv(this.columns)).or(apart((u) => u.mod(this.columns)));
    return far.cast("f32").mean();
  }

  /** h = exp(−d² / 2σ²), with d the distance on the grid of two units: σ, a scalar → [units, units]. */
  neighbourhood(radius: Tensor): Tensor {
    const units = this.rows * this.columns;
    const squares = Float32Array.from({ length: units * units }, (_, at) => {
      const [a, b] = [Math.floor(at / units), at % units];
      const down = Math.floor(a / this.columns) - Math.floor(b / this.columns);
      return down ** 2 + ((a % this.columns) - (b % this.columns)) ** 2;
    });
    return tensor(squares, [units, units]).div(radius.square().mul(-2)).exp();
  }

  /**
   * Learns from x [B, features]. Online, wᵢ ← wᵢ + α·h·(x − wᵢ) with h = exp(−d² / 2σ²) and d the distance on the grid from i to the unit
   * nearest to x, in a new random order each epoch; or in batches (Kohonen, 1995), wᵢ ← Σ h·x / Σ h over all examples.
   * Throws where x has other features or no example, or an option is out of range.
   */
  async fit(x: Tensor, options: SomFitOptions = {}): Promise<void> {
    const { rule = "batch", epochs = 20, rate = [0.5, 0.01] } = options;
    const { radius = [Math.max(1, Math.max(this.rows, this.columns) / 2), 0.5] } = options;
    checkSizes("fit", { epochs });
    this.#check(x);
    if (x.shape[0] === 0) fail("SOM", `fit needs an example or more, got x ${show(x.shape)}`);
    if (rule !== "online" && rule !== "batch")
      throw new TypeError(`fit: rule must be "online" or "batch", got ${JSON.stringify(rule)}`);
    const [alpha, sigma] = [falling("rate", rate), falling("radius", radius)];
    if (rule === "batch") await this.#fitBatches(x, epochs, sigma);
    else await this.#fitOnline(x, epochs, alpha, sigma);
  }

  async #fitBatches(x: Tensor, epochs: number, sigma: Falling): Promise<void> {
    let epoch = 0;
    const radius = live(() => sigma(epoch / Math.max(1, epochs - 1)));
    const step = compile((all: Tensor) => {
      const near = this.neighbourhood(radius);
      const pull = near.take(this.forward(all)); // [B, units]
      const total = pull.sum(0).unsqueeze(1); // [units, 1]
      const mean = pull.transpose().matmul(all).div(total);
      this.weight.assign(where(total.gt(1e-30), mean, this.weight)); // a unit far from all stays
    });
    for (; epoch < epochs; epoch++) await step(x);
  }

  async #fitOnline(x: Tensor, epochs: number, alpha: Falling, sigma: Falling): Promise<void> {
    const [count, n] = x.shape;
    const [data, weight] = [await x.data(), Float64Array.from(await this.weight.data())];
    for (let epoch = 0, done = 0; epoch < epochs; epoch++) {
      for (const example of permutation(count)) {
        const progress = done++ / Math.max(1, epochs * count - 1);
        const row = data.subarray(example * n, (example + 1) * n);
        const nearest = nearestRow(weight, row);
        // h is a product of a factor for the rows between and one for the columns
        const [down, across] = [bell(this.rows, sigma(progress)), bell(this.columns, sigma(progress))];
        const [r, c] = [Math.floor(nearest / this.columns), nearest % this.columns];
        const rate = alpha(progress);
        for (let i = 0, at = 0; i < this.rows; i++) {
          for (let j = 0; j < this.columns; j++) {
            const pull = rate * down[Math.abs(i - r)] * across[Math.abs(j - c)];
            for (let f = 0; f < n; f++, at++) weight[at] += pull * (row[f] - weight[at]);
          }
        }
      }
    }
    this.weight.assign(tensor(Float32Array.from(weight), this.weight.shape));
    await realize(this.weight);
  }

  /** The k nearest units of each example, the nearest first: x [B, features] → i32 [B, k]. */
  #nearest(x: Tensor, k: number): Tensor {
    this.#check(x);
    const squares = this.weight.square().sum(-1); // |x − w|² less |x|², which is the same for all units
    return squares.sub(x.matmul(this.weight.transpose()).mul(2)).topk(k, -1, { smallest: true }).indices;
  }

  #check(x: Tensor): void {
    if (!(x instanceof Tensor)) throw new TypeError(`SOM: takes a tensor, got ${kindOf(x)} (make it one by tensor(…))`);
    if (x.rank !== 2 || x.shape[1] !== this.features)
      fail("SOM", `needs x [B, ${this.features}], got ${show(x.shape)}`);
  }
}

/** A value by how much of the training is done, from 0 to 1. */
type Falling = (progress: number) => number;

function falling(name: string, [first, last]: readonly [number, number]): Falling {
  if (!(first >= last && last > 0 && Number.isFinite(first)))
    throw new RangeError(`fit: ${name} must fall from a finite number to one above 0, got ${first} and ${last}`);
  return (progress) => first * hostMath.exp(progress * hostMath.log(last / first));
}

/** exp(−d² / 2σ²) for d = 0 … length − 1, each from the one before, as d² grows by 2d − 1. */
function bell(length: number, sigma: number): Float64Array {
  const values = new Float64Array(length).fill(1);
  const q = hostMath.exp(-0.5 / sigma ** 2);
  for (let d = 1, ratio = q; d < length; d++, ratio *= q * q) values[d] = values[d - 1] * ratio;
  return values;
}

/** The number of the row of a matrix that lies nearest to a point. */
function nearestRow(matrix: Float64Array, point: ArrayLike<number>): number {
  let [nearest, least] = [0, Number.POSITIVE_INFINITY];
  for (let row = 0, at = 0; at < matrix.length; row++) {
    let distance = 0;
    for (let f = 0; f < point.length; f++, at++) distance += (matrix[at] - point[f]) ** 2;
    if (distance < least) [nearest, least] = [row, distance];
  }
  return nearest;
}
