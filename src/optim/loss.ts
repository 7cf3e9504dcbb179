// What an optimizer follows: a loss, or gradients that come from no loss; both brought to one form.
import { grad, Tensor, training } from "../graph/index.ts";
import { fail, kindOf, sameShape, show } from "../graph/internal.ts";
import { walk } from "../nn/module.ts";
import { globalNorm } from "./transforms.ts";

/** What a batch is unless a loss says otherwise: inputs and what they should give. */
export interface Labelled {
  x: Tensor;
  y: Tensor;
}

/** The loss of a batch, a float tensor of one element, alone or with the model's outputs, which metrics and Gauss-Newton products read. */
export type Loss<B, O = unknown> = (batch: B) => Tensor | { readonly loss: Tensor; readonly outputs: O };

/**
 * Gradients that no loss gives, as those of contrastive divergence (Hinton, 2002) or recirculation (Hinton & McClelland, 1988):
 * an optimizer moves each parameter against its gradient, and leaves one without alone. `loss` is a figure to watch, which
 * `step` returns, by default the norm of the gradients. What it assigns lands with the step; assign only where `isTraining()`.
 */
export interface GradientSource<B, O = unknown> {
  gradients(batch: B): {
    readonly loss?: Tensor;
    readonly outputs?: O;
    /** By parameter, of its shape. */
    readonly gradients: ReadonlyMap<Tensor, Tensor>;
  };
}

/** Refuses a model and a loss that are none, or are in each other's place. */
export function checkLoss(owner: string, model: unknown, loss: unknown): void {
  const isLoss = typeof loss === "function" || typeof (loss as GradientSource<unknown>)?.gradients === "function";
  if (typeof model === "object" && model !== null && isLoss) return;
  throw new TypeError(`${owner}: takes (model, loss), got ${kindOf(model)} and ${kindOf(loss)}`);
}

/** Splits what a loss returned; the loss comes as a scalar. Throws where there is no tensor of one element. */
export function lossOf<O>(result: ReturnType<Loss<never, O>>): { loss: Tensor; outputs: O | undefined } {
  const split = result instanceof Tensor ? { loss: result, outputs: undefined } : result;
  const { loss, outputs } = split ?? {};
  if (!(loss instanceof Tensor))
    throw new TypeError(`loss: it must return a tensor or { loss, outputs }, got ${kindOf(result)}`);
  if (loss.size !== 1) fail("loss", `it must be one number, got ${loss.dtype} ${show(loss.shape)} (take its mean)`);
  return { loss: loss.reshape([]), outputs };
}

/** What a loss or a source gives for one batch; a source brings its gradients. */
export interface Result {
  readonly loss: Tensor;
  readonly outputs: unknown;
  readonly gradients?: ReadonlyMap<Tensor, Tensor>;
}

/** Refuses a batch of plain arrays alone. */
function checkBatch(batch: unknown): void {
  if (typeof batch !== "object" || batch === null || batch instanceof Tensor) return;
  const tensors = [...walk(batch)].some(([, part]) => part instanceof Tensor);
  const found = tensors ? undefined : Object.entries(batch).find(([, v]) => Array.isArray(v) || ArrayBuffer.isView(v));
  if (found === undefined) return;
  throw new TypeError(
    `step: the batch holds no tensor, its ${found[0]} is ${kindOf(found[1])} (make it one by tensor(…))`,
  );
}

export function resultOf<B>(source: Loss<B> | GradientSource<B>, batch: B): Result {
  checkBatch(batch);
  if (typeof source === "function") return lossOf(source(batch));
  const { gradients, loss, outputs } = source.gradients(batch);
  if (gradients.size === 0) fail("gradients", "the source gives none");
  return { ...lossOf({ loss: loss ?? globalNorm([...gradients.values()]), outputs }), gradients };
}

export interface Differentiated {
  readonly loss: Tensor;
  readonly outputs: unknown;
  /** By parameter name, in the order of the parameters. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/**
 * Loss and gradients of a batch with layers in training mode, as graph. Throws where a source's gradients are none of the
 * parameters', or differ from them in shape.
 */
export function differentiate<B>(
  source: Loss<B> | GradientSource<B>,
  { moving, frozen }: { moving: ReadonlyMap<string, Tensor>; frozen: ReadonlyMap<string, Tensor> },
  batch: B,
): Differentiated {
  const { loss, outputs, gradients } = training(() => resultOf(source, batch));
  if (gradients === undefined) {
    const all = grad(loss, [...moving.values()]);
    return { loss, outputs, gradients: new Map([...moving.keys()].map((name, i) => [name, all[i]])) };
  }
  const known = new Set([...moving.values(), ...frozen.values()]);
  for (const p of gradients.keys())
    if (!known.has(p)) fail("gradients", `the source gives one for ${p}, which is no parameter of the model`);
  const own = [...moving].flatMap(([name, p]) => {
    const g = gradients.get(p);
    if (g !== undefined && !sameShape(g.shape, p.shape))
      fail("gradients", `the source's for "${name}" has the shape ${show(g.shape)}, the parameter ${show(p.shape)}`);
    return g === undefined ? [] : [[name, g.cast(p.dtype)] as const];
  });
  if (own.length === 0) fail("gradients", "the source gives none for the parameters that move");
  return { loss, outputs, gradients: new Map(own) };
}
