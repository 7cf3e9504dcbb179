// Hessian-free optimization: Newton's method on the Gauss-Newton matrix, solved by conjugate gradients as far as it pays.
import type { Tensor } from "../graph/index.ts";
import { nothingLower } from "./descent.ts";
import { backtrack } from "./line-search.ts";
import type { Labelled, Loss } from "./loss.ts";
import { checkDamping } from "./newton.ts";
import { objective } from "./objective.ts";
import { sampleGradients } from "./samples.ts";
import type { Schedule } from "./schedule.ts";
import { type Iterate, type Method, type Next, type SecondOrder, secondOrder } from "./second-order.ts";
import { type SolveCGResult, solveCG } from "./solve-cg.ts";
import { dot, plus, scaled } from "./vector.ts";

export interface HessianFreeOptions<B = Labelled> {
  /** The part of the step tried first. Default 1. */
  lr?: number | Schedule;
  /** λ of the first step. Default 1. */
  damping?: number;
  /** β, the share of the last solution that conjugate gradients start from. Default 0.95. */
  warmStart?: number;
  /** The most iterations of conjugate gradients a step. Default 250. */
  iterations?: number;
  /** ε of the stopping rule. Default 5·10⁻⁴. */
  progress?: number;
  /** Precondition by (f + λ)^¾, f the mean of gᵢ² over the samples of the curvature batch, at a gradient each. Default false. */
  precondition?: boolean;
  /** The part of a batch that curvature is taken from. Default: all of it. */
  curvature?: (batch: B) => B;
  /** Structural damping, for recurrent networks: λ·weight·½|h − h′|² on the hidden states h, a mean over their first axis. */
  structural?: { readonly weight: number; readonly states: (batch: B) => Tensor };
}

/** The iterates kept to go back over have numbers that grow by this factor. */
const spacing = 1.3;

/**
 * Hessian-free optimization (Martens, 2010; Martens & Sutskever, 2011). p minimizes q(p) = gᵀp + ½pᵀ(G + λI)p, with G = Jᵀ·∂²L/∂z²·J, by
 * conjugate gradients from β·p₋ until the relative progress over the last k = max(10, i / 10) iterations is below k·ε. Of its
 * iterates the last is taken, or an earlier one where the loss is lower there, then α = 1, 0.8, … with sufficient decrease.
 * λ ← 3λ/2 where ρ = ΔL / Δq < ¼, and 2λ/3 where ρ > ¾. The loss returns `{ loss, outputs }`, and is convex in the outputs. For full
 * or large batches. Throws where an option is out of its range.
 */
export function hessianFree<B = Labelled>(
  model: object,
  loss: Loss<B>,
  options: HessianFreeOptions<B> = {},
): SecondOrder<B> {
  const { lr = 1, damping = 1, warmStart = 0.95, iterations = 250, progress = 5e-4 } = options;
  const { precondition = false, curvature = (batch) => batch, structural } = options;
  checkDamping("hessianFree", damping);
  if (!(warmStart >= 0 && warmStart <= 1))
    throw new RangeError(`hessianFree: warmStart must lie in [0, 1], got ${warmStart}`);
  if (!(Number.isInteger(iterations) && iterations >= 1))
    throw new RangeError(`hessianFree: iterations must be a whole number of at least 1, got ${iterations}`);
  if (!(progress > 0)) throw new RangeError(`hessianFree: progress must be above 0, got ${progress}`);
  const settings = { warmStart, iterations, progress, precondition, structure: structuralProduct(model, structural) };
  const method: Method<B> = {
    slots: (n) => ({ damping: Float64Array.of(damping), direction: new Float64Array(n) }),
    step: (at) => step(at, { ...at, batch: curvature(at.batch) }, settings),
  };
  return secondOrder(model, loss, method, lr);
}

interface Settings<B>
  extends Required<Pick<HessianFreeOptions<B>, "warmStart" | "iterations" | "progress" | "precondition">> {
  /** The product with structural damping's matrix. */
  readonly structure: ((at: Iterate<B>, v: Float64Array) => Promise<Float64Array>) | undefined;
}

/** A step from `at`, with the curvature of `sample`, the same on its part of the batch. */
async function step<B>(at: Iterate<B>, sample: Iterate<B>, settings: Settings<B>): Promise<Next> {
  const { x, loss, gradient, slots, rate } = at;
  const [lambda] = slots.damping;
  const { solved, iterates } = await solve(sample, settings);
  const rejected = (stopped: string): Next => ({
    stopped,
    slots: { damping: Float64Array.of(1.5 * lambda || 1e-3), direction: new Float64Array(x.length) },
  });
  if (solved.reason === "not finite") return rejected("the curvature is not finite");
  if (!(dot(gradient, solved.x) < 0)) return rejected("conjugate gradients lead up");
  const { p, value, last } = await lowest(at, iterates);
  const slope = dot(gradient, p);
  if (!(slope < 0)) return rejected("conjugate gradients lead up");
  const along = async (alpha: number): Promise<number> => (alpha === 1 ? value : at.value(plus(x, alpha, p)));
  const found = await backtrack(along, { value: loss, slope }, { c1: 1e-2, shrink: 0.8, first: rate });
  if (found === undefined) return rejected(nothingLower);
  const ratio = (last - loss) / (await modelOf(sample, solved, settings.structure));
  const factor = ratio > 0.75 ? 2 / 3 : ratio >= 0.25 ? 1 : 1.5; // NaN raises it too
  return { x: plus(x, found.alpha, p), slots: { damping: Float64Array.of(factor * lambda), direction: solved.x } };
}

/** (G + λ(I + structure))·p = −g as far as it pays, and iterates on the way, the solution last. */
async function solve<B>(
  at: Iterate<B>,
  { warmStart, iterations, progress, precondition, structure }: Settings<B>,
): Promise<{ solved: SolveCGResult; iterates: Float64Array[] }> {
  const [lambda] = at.slots.damping;
  const product = async (v: Float64Array): Promise<Float64Array> => {
    const damped = plus(await at.gaussNewtonProduct(v, at.batch), lambda, v);
    return structure === undefined ? damped : plus(damped, lambda, await structure(at, v));
  };
  const iterates: Float64Array[] = [];
  let next = 1;
  const solved = await solveCG(product, scaled(-1, at.gradient), {
    start: scaled(warmStart, at.slots.direction),
    preconditioner: precondition ? await fisherPreconditioner(at, lambda) : undefined,
    iterations,
    stop: (phis) => stalls(phis, progress),
    visit(p, i) {
      if (i < next) return;
      iterates.push(p);
      next = Math.ceil(i * spacing);
    },
  });
  if (iterates.at(-1) !== solved.x) iterates.push(solved.x);
  return { solved, iterates };
}

/** Whether the last k = max(10, i / 10) iterations brought less than k·ε of what all did (Martens, 2010, section 4.4). */
export function stalls(phis: readonly number[], epsilon: number): boolean {
  const i = phis.length - 1;
  const k = Math.max(10, Math.ceil(0.1 * i));
  return i > k && phis[i] < 0 && (phis[i] - phis[i - k]) / phis[i] < k * epsilon;
}

/** Goes back over the iterates for as long as the loss falls; the loss there and at the last. */
async function lowest<B>(
  at: Iterate<B>,
  iterates: readonly Float64Array[],
): Promise<{ p: Float64Array; value: number; last: number }> {
  const lossAfter = async (p: Float64Array): Promise<number> => {
    const value = await at.value(plus(at.x, 1, p));
    return Number.isFinite(value) ? value : Number.POSITIVE_INFINITY;
  };
  let i = iterates.length - 1;
  const last = await lossAfter(iterates[i]);
  let value = last;
  for (; i > 0; i--) {
    const earlier = await lossAfter(iterates[i - 1]);
    if (earlier > value || (earlier === value && Number.isFinite(value))) break;
    value = earlier;
  }
  return { p: iterates[i], value, last };
}

/** What the quadratic without damping says that the solution changes: gᵀp + ½pᵀGp. */
async function modelOf<B>(
  at: Iterate<B>,
  { x: p, residual }: SolveCGResult,
  structure: Settings<B>["structure"],
): Promise<number> {
  const damped = 0.5 * (dot(at.gradient, p) - dot(residual, p)); // (G + λ…)·p = −g − r
  const structural = structure === undefined ? 0 : dot(p, await structure(at, p));
  return damped - 0.5 * at.slots.damping[0] * (dot(p, p) + structural);
}

/** v ↦ weight·Jᵀ·J·v / count with J of the hidden states: the Gauss-Newton matrix of half their mean square. */
function structuralProduct<B>(model: object, structural: HessianFreeOptions<B>["structural"]) {
  if (structural === undefined) return undefined;
  const { weight, states } = structural;
  if (!(weight > 0)) throw new RangeError(`hessianFree: structural.weight must be above 0, got ${weight}`);
  const { flat } = objective(model, (batch: B) => {
    const h = states(batch);
    return {
      loss: h
        .square()
        .sum()
        .mul(weight / (2 * (h.shape[0] ?? 1))),
      outputs: h,
    };
  });
  return (at: Iterate<B>, v: Float64Array) => at.product((t) => flat.gaussNewtonProduct(at.batch, t), v);
}

/** r ↦ r / (f + λ)^¾ with f the mean of the samples' gᵢ², the diagonal of the empirical Fisher matrix (Martens, 2010, section 4.7). */
async function fisherPreconditioner<B>(at: Iterate<B>, lambda: number): Promise<(r: Float64Array) => Float64Array> {
  const squares = new Float64Array(at.x.length);
  let samples = 0;
  for await (const g of sampleGradients("hessianFree", at)) {
    samples++;
    for (let i = 0; i < g.length; i++) squares[i] += g[i] * g[i];
  }
  const m = squares.map((s) => (s / samples + lambda) ** 0.75);
  return (r) => r.map((v, i) => v / m[i]);
}
