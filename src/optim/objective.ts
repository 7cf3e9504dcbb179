// A loss as a function of the parameters: value, gradient and curvature products, compiled; what second-order methods are written on.
import { capturing, concat, gaussNewton, grad, hvp, Tensor, training, where } from "../graph/index.ts";
import { fail, isFloat, kindOf, sameShape, show, substitute, topological } from "../graph/internal.ts";
import { namedParameters, nameModules } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import { checkLoss, type Labelled, type Loss, lossOf } from "./loss.ts";

/**
 * A loss L over points and directions of a type V. All but `valueAt` and `gradientAt` is computed at the parameters' present
 * values, with layers in training mode, as one program for each signature of batches, whatever the values of parameters and vectors. What layers assign
 * (running statistics) lands with `gradient` alone, where the loss is finite. Each call draws its randomness (dropout) anew;
 * `restoreRandom(before)`, with `before = randomState()` from before a call, makes the next call repeat its draws.
 */
export interface ObjectiveOver<B, V> {
  /** L. */
  value(batch: B): Promise<number>;
  /** L and ∂L/∂θ. */
  gradient(batch: B): Promise<{ loss: number; gradient: V }>;
  /** L where the parameters would be `point`; they stay as they are. */
  valueAt(batch: B, point: V): Promise<number>;
  /** L and ∂L/∂θ there. */
  gradientAt(batch: B, point: V): Promise<{ loss: number; gradient: V }>;
  /** (∂²L/∂θ²)·v, exact (Pearlmutter, 1994). */
  hessianProduct(batch: B, v: V): Promise<V>;
  /**
   * Jᵀ·(∂²L/∂z²)·J·v with z the outputs and J = ∂z/∂θ (Schraudolph, 2002): the loss must return `{ loss, outputs }` and compute
   * its loss from these outputs, a float tensor. What it takes of the parameters past the outputs, as a penalty, is no part of it.
   */
  gaussNewtonProduct(batch: B, v: V): Promise<V>;
  /** A copy of the parameters' values. */
  point(): Promise<V>;
  /** Gives the parameters other values. */
  move(point: V): Promise<void>;
}

/** By parameter name. */
export interface Objective<B> extends ObjectiveOver<B, ReadonlyMap<string, Tensor>> {
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** The same over vectors [n] of all parameters' elements, in the order of `parameters`; f64 where a parameter is. */
  readonly flat: ObjectiveOver<B, Tensor>;
}

/** The loss as a function of a model's parameters, or of those of an array of models. Throws where there are none. */
export function objective<B = Labelled>(model: object, loss: Loss<B>): Objective<B> {
  checkLoss("objective", model, loss);
  const parameters = namedParameters(model);
  if (parameters.size === 0) throw new Error("objective: the model has no parameters (param(…) in its own properties)");
  nameModules(model);
  const named: Form<ReadonlyMap<string, Tensor>> = {
    join: (parts) => parts,
    split: (parts) => parts,
    pack: (v) => listOf(v, parameters),
    unpack: (parts) => new Map([...parameters.keys()].map((name, i) => [name, parts[i]])),
  };
  const all = [...parameters.values()];
  return { parameters, ...over(all, loss, named), flat: over(all, loss, flatForm(all)) };
}

/** How points look outside, and in a program: as a list of tensors, which join and split take to one tensor a parameter and back. */
interface Form<V> {
  pack(v: V): readonly Tensor[];
  unpack(parts: readonly Tensor[]): V;
  join(parts: readonly Tensor[]): readonly Tensor[];
  split(parts: readonly Tensor[]): readonly Tensor[];
}

function flatForm(parameters: readonly Tensor[]): Form<Tensor> {
  const size = parameters.reduce((n, p) => n + p.size, 0);
  return {
    pack: (v) => {
      if (!(v instanceof Tensor) || !sameShape(v.shape, [size]))
        fail("objective", `takes vectors [${size}], got ${v instanceof Tensor ? show(v.shape) : kindOf(v)}`);
      return [v];
    },
    unpack: ([v]) => v,
    join: (parts) => [concat(parts.map((t) => t.reshape(t.size)))],
    split: ([v]) => {
      let end = 0;
      return parameters.map((p) => v.slice(0, end, (end += p.size)).reshape(p.shape));
    },
  };
}

function listOf(v: ReadonlyMap<string, Tensor>, parameters: ReadonlyMap<string, Tensor>): Tensor[] {
  for (const name of v.keys()) if (!parameters.has(name)) fail("objective", `"${name}" is no parameter of the model`);
  return [...parameters].map(([name, p]) => {
    const t = v.get(name);
    if (t === undefined) fail("objective", `"${name}" ${show(p.shape)} is missing`);
    if (!sameShape(t.shape, p.shape))
      fail("objective", `"${name}" has the shape ${show(t.shape)}, the parameter ${show(p.shape)}`);
    return t;
  });
}

type Product = (result: { loss: Tensor; outputs: unknown }, xs: readonly Tensor[], vs: readonly Tensor[]) => Tensor[];

function over<B, V>(
  parameters: readonly Tensor[],
  loss: Loss<B>,
  { pack, unpack, join, split }: Form<V>,
): ObjectiveOver<B, V> {
  const tensorsOf = (parts: readonly Tensor[]): Tensor[] => split(parts).map((t, i) => t.cast(parameters[i].dtype));
  const product = (compute: Product): ((batch: B, v: V) => Promise<V>) => {
    const compiled = compile((batch: B, parts: readonly Tensor[]) =>
      join(compute(still(loss, batch), parameters, tensorsOf(parts))),
    );
    return async (batch, v) => unpack(await compiled(batch, pack(v)));
  };
  const value = compile((batch: B) => still(loss, batch).loss);
  const gradient = compile((batch: B) => {
    const { loss: found } = lossOf(training(() => loss(batch)));
    const finite = found.lt(Number.POSITIVE_INFINITY).and(found.gt(Number.NEGATIVE_INFINITY));
    for (const update of capturing()!.updates.values()) update.value = where(finite, update.value, update.leaf);
    return { found, parts: join(grad(found, parameters)) };
  });
  const elsewhere = (tensors: readonly Tensor[], parts: readonly Tensor[]): Tensor[] =>
    substitute(tensors, parameters, tensorsOf(parts));
  const valueAt = compile((batch: B, parts: readonly Tensor[]) => elsewhere([still(loss, batch).loss], parts)[0]);
  const gradientAt = compile((batch: B, parts: readonly Tensor[]) => {
    const here = still(loss, batch).loss;
    const [found, ...gradients] = elsewhere([here, ...grad(here, parameters)], parts);
    return { found, parts: join(gradients) };
  });
  const point = compile(() => join(parameters));
  const move = compile((parts: readonly Tensor[]) => {
    for (const [i, t] of tensorsOf(parts).entries()) parameters[i].assign(t);
  });
  return {
    value: async (batch) => (await read(await value(batch)))[0],
    async gradient(batch) {
      const { found, parts } = await gradient(batch);
      return { loss: (await read(found))[0], gradient: unpack(parts) };
    },
    valueAt: async (batch, v) => (await read(await valueAt(batch, pack(v))))[0],
    async gradientAt(batch, v) {
      const { found, parts } = await gradientAt(batch, pack(v));
      return { loss: (await read(found))[0], gradient: unpack(parts) };
    },
    hessianProduct: product(({ loss }, xs, vs) => hvp(loss, xs, vs)),
    gaussNewtonProduct: product(({ loss, outputs }, xs, vs) => gaussNewton(loss, outputsOf(loss, outputs), xs, vs)),
    point: async () => unpack(await point()),
    move: (v) => move(pack(v)),
  };
}

/** The loss in training mode, without what it assigns. */
function still<B>(loss: Loss<B>, batch: B): { loss: Tensor; outputs: unknown } {
  const result = lossOf(training(() => loss(batch)));
  capturing()!.updates.clear();
  return result;
}

function outputsOf(loss: Tensor, outputs: unknown): Tensor {
  const usable = outputs instanceof Tensor && isFloat(outputs.dtype);
  if (usable && topological([loss]).includes(outputs)) return outputs;
  const problem = usable
    ? "the loss is not computed from the outputs that it returned (return the very tensor)"
    : "it needs the model's outputs, a float tensor (let the loss return { loss, outputs })";
  return fail("gaussNewtonProduct", problem);
}
