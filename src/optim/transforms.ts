// Transforms: what happens to the gradients on their way to an optimizer's rule, in a chain.
import type { Tensor } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";

/** A parameter p, its name in the model, and its gradient g on the way to the rule. */
export interface Gradient {
  readonly name: string;
  readonly p: Tensor;
  readonly g: Tensor;
}

type Slots = Readonly<Record<string, Tensor>>;

/** A pure function of the gradients of all parameters together, with state of its own where it has slots. */
export interface Transform {
  /** Tensors of each parameter's shape that live from step to step, and the value that they start from. */
  readonly slots?: Readonly<Record<string, number>>;
  /** Batches that make one move of the parameters, by default 1. */
  readonly batches?: number;
  /**
   * The gradients' next values and the slots', in the order given; slots that are left out stay. `last` is whether this is the
   * last batch of a move. Without gradients, nothing further happens in this step: the parameters do not move.
   */
  apply(
    gradients: readonly Gradient[],
    slots: readonly Slots[],
    last: boolean,
  ): { readonly gradients?: readonly Tensor[] | undefined; readonly slots?: readonly Slots[] };
}

/** Refuses what is no transform. */
export function checkTransforms(transforms: readonly Transform[]): void {
  if (!Array.isArray(transforms))
    throw new TypeError(`optimizer: transforms are a list, e.g. [clipByNorm(1)], got ${kindOf(transforms)}`);
  for (const [i, transform] of transforms.entries()) {
    if (typeof transform?.apply === "function" && typeof transform !== "function") continue;
    const advice =
      typeof transform === "function" ? ` (call it, e.g. ${(transform as () => void).name || "clipByNorm"}(1))` : "";
    throw new TypeError(`optimizer: transform ${i} must have an apply(…), got ${kindOf(transform)}${advice}`);
  }
}

/** A transform of one gradient at a time. */
const each = (f: (gradient: Gradient) => Tensor): Transform => ({
  apply: (gradients) => ({ gradients: gradients.map(f) }),
});

/** √Σg² over all elements of all tensors, added up in double precision, so that no square overflows where g is f32. */
export const globalNorm = (tensors: readonly Tensor[]): Tensor =>
  tensors
    .map((g) => g.cast("f64").square().sum())
    .reduce((sum, part) => sum.add(part))
    .sqrt();

/** Elements below −c become −c, those above c become c. Throws where c is not positive. */
export function clipByValue(c: number): Transform {
  checkPositive("clipByValue", "c", c);
  return each(({ g }) => g.maximum(-c).minimum(c));
}

/**
 * All gradients times min(1, c / (‖g‖ + 10⁻⁶)), where ‖g‖ is the norm of all of them together (Pascanu et al., 2013; the 10⁻⁶ is
 * PyTorch's). One element that is not finite spoils them all: `guard: "gradients"` refuses such a step. Throws where c is not positive.
 */
export function clipByNorm(c: number): Transform {
  checkPositive("clipByNorm", "c", c);
  return {
    apply: (gradients) => {
      const scale = globalNorm(gradients.map(({ g }) => g))
        .add(1e-6)
        .recip()
        .mul(c)
        .minimum(1);
      return { gradients: gradients.map(({ g }) => g.mul(scale.cast(g.dtype))) };
    },
  };
}

/**
 * g + λp, the gradient once ½λ|p|² is added to the loss, for the parameters that `mask` admits (say, `(_, p) => p.rank > 1`).
 * Throws where λ is negative.
 */
export function weightDecay(
  lambda: number,
  { mask = () => true }: { mask?: (name: string, p: Tensor) => boolean } = {},
): Transform {
  checkDecay(lambda);
  return each(({ name, p, g }) => (mask(name, p) ? penalized(g, p, lambda) : g));
}

/** The gradient once ½λ|p|² is added to the loss. */
export const penalized = (g: Tensor, p: Tensor, lambda: number): Tensor => (lambda === 0 ? g : g.add(p.mul(lambda)));

/** Gradient centralization (Yong et al., 2020): each g of two axes or more less its mean over all axes but the first. */
export const centralize = (): Transform =>
  each(({ g }) =>
    g.rank < 2
      ? g
      : g.sub(
          g.mean(
            g.shape.flatMap((_, axis) => (axis === 0 ? [] : [axis])),
            { keepDims: true },
          ),
        ),
  );

/**
 * The mean of the gradients of k batches, which the parameters follow at every k-th step. Transforms before it see each batch's
 * gradient, those after it the mean. Throws where k is not a whole number ≥ 1.
 */
export function accumulate(k: number): Transform {
  if (!(Number.isSafeInteger(k) && k >= 1))
    throw new RangeError(`accumulate: k must be a whole number of batches ≥ 1, got ${k}`);
  if (k === 1) return each(({ g }) => g);
  const sum = `sumOf${k}`; // named by k, so that a sum over another number of batches is not taken up
  return {
    slots: { [sum]: 0 },
    batches: k,
    apply: (gradients, slots, last) => {
      const sums = gradients.map(({ g }, i) => slots[i][sum].add(g));
      if (!last) return { slots: sums.map((total) => ({ [sum]: total })) };
      return { gradients: sums.map((s) => s.div(k)), slots: sums.map((s) => ({ [sum]: s.full(0) })) };
    },
  };
}

export function checkDecay(lambda: number): number {
  if (!(lambda >= 0 && lambda < Number.POSITIVE_INFINITY))
    throw new RangeError(`optimizer: weightDecay must be a finite number ≥ 0, got ${lambda}`);
  return lambda;
}

function checkPositive(transform: string, name: string, value: number): void {
  if (!(value > 0)) throw new RangeError(`${transform}: ${name} must be > 0, got ${value}`);
}
