// Einstein summation: operands contracted pair by pair, as matrix products.
import { isFloat } from "./dtype.ts";
import { kindOf } from "./kind.ts";
import { checkTensors } from "./operands.ts";
import { fail, failKind, show } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** A tensor with a label for each axis. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: readonly string[];
}

/** The size that each label stands for. */
type Sizes = ReadonlyMap<string, number>;

/**
 * Einstein summation: `einsum("ij,jk->ik", a, b)` is the matrix product Cᵢₖ = Σⱼ Aᵢⱼ·Bⱼₖ.
 *
 * A letter names an axis of an operand; letters that the output lacks are summed over, and one that occurs twice in an operand takes
 * its diagonal. `...` stands for any number of axes, which broadcast, as do axes of size 1. Without `->` the output is the axes of
 * `...`, then the letters that occur once, in the order of the alphabet. Operands are contracted from left to right; whole numbers stay
 * whole. Throws a TypeError where an argument is of the wrong kind, a ShapeError where the equation does not fit the operands.
 */
export function einsum(equation: string, ...operands: Tensor[]): Tensor {
  if (typeof equation !== "string") failKind("einsum", `equation must be a string, got ${kindOf(equation)}`);
  checkTensors("einsum", operands);
  const [inputs, target, ...rest] = equation.replace(/\s/g, "").split("->");
  const terms = inputs.split(",");
  const term = /^[a-zA-Z]*(\.\.\.)?[a-zA-Z]*$/;
  const bad = [...terms, target ?? ""].find((t) => !term.test(t));
  if (bad !== undefined || rest.length > 0)
    fail("einsum", `equation takes letters, "...", "," and one "->", got "${equation}"`);
  if (terms.length !== operands.length)
    fail("einsum", `equation "${equation}" has ${terms.length} operands, got ${operands.length}`);
  const named = operands.map((x, i) => ({ x, labels: labelsOf(terms[i], x, equation) }));
  const output = outputLabels(target, named, equation);
  const sizes = sizesOf(named, equation);
  const values = named.map((value) => broadcast(diagonal(value, equation), sizes));
  let total = values[0];
  for (let i = 1; i < values.length; i++) {
    const needed = new Set([...output, ...values.slice(i + 1).flatMap(({ labels }) => labels)]);
    total = contract(total, values[i], needed, sizes);
  }
  return ordered(summed(total, new Set(output)), output);
}

/** The label of an axis that `...` stands for, counted from its last. */
const unnamed = (fromLast: number): string => `.${fromLast}`;

function labelsOf(term: string, x: Tensor, equation: string): string[] {
  const [before, after] = term.split("...");
  const spare = x.rank - before.length - (after?.length ?? 0);
  if (spare < 0 || (after === undefined && spare > 0))
    fail("einsum", `"${term}" in equation "${equation}" does not name the axes of ${show(x.shape)}`);
  const dots = Array.from({ length: spare }, (_, i) => unnamed(spare - 1 - i));
  return [...before, ...dots, ...(after ?? "")];
}

function outputLabels(target: string | undefined, named: readonly Labelled[], equation: string): string[] {
  const all = named.flatMap(({ labels }) => labels);
  const spare = new Set(all.filter((label) => label.startsWith("."))).size;
  const dots = Array.from({ length: spare }, (_, i) => unnamed(spare - 1 - i));
  if (target === undefined) {
    const once = all.filter((label) => !label.startsWith(".") && all.indexOf(label) === all.lastIndexOf(label));
    return [...dots, ...once.sort()];
  }
  const [before, after] = target.split("...");
  const output = [...before, ...(after === undefined ? [] : dots), ...(after ?? "")];
  for (const label of output) {
    if (!all.includes(label)) fail("einsum", `output "${label}" is in no operand of equation "${equation}"`);
    if (output.indexOf(label) !== output.lastIndexOf(label))
      fail("einsum", `output "${label}" occurs twice in equation "${equation}"`);
  }
  return output;
}

function sizesOf(named: readonly Labelled[], equation: string): Sizes {
  const sizes = new Map<string, number>();
  for (const { x, labels } of named) {
    labels.forEach((label, i) => {
      const known = sizes.get(label) ?? 1;
      const size = x.shape[i];
      if (size !== known && size !== 1 && known !== 1) {
        const name = label.startsWith(".") ? "..." : label;
        fail("einsum", `sizes of "${name}" differ in equation "${equation}", ${known} and ${size}`);
      }
      sizes.set(label, size === 1 ? known : size);
    });
  }
  return sizes;
}

/** Takes the diagonal of axes with the same label. */
function diagonal({ x, labels }: Labelled, equation: string): Labelled {
  const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
  if (second === -1) return { x, labels };
  const first = labels.indexOf(labels[second]);
  const n = x.shape[first];
  if (x.shape[second] !== n)
    fail("einsum", `sizes of "${labels[second]}" differ in equation "${equation}", ${n} and ${x.shape[second]}`);
  const others = labels.map((_, i) => i).filter((i) => i !== first && i !== second);
  const lead = others.map((i) => x.shape[i]);
  const flat = x.permute(...others, first, second).reshape(...lead, n * n);
  const taken = flat.slice(-1, 0, n * n, n + 1);
  return diagonal({ x: taken, labels: [...others.map((i) => labels[i]), labels[second]] }, equation);
}

const broadcast = ({ x, labels }: Labelled, sizes: Sizes): Labelled => {
  const shape = labels.map((label) => sizes.get(label)!);
  return { x: x.expand(shape), labels };
};

/** Sums over the axes that are not needed. */
function summed({ x, labels }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.map((_, i) => i).filter((i) => !needed.has(labels[i]));
  return axes.length === 0 ? { x, labels } : { x: x.sum(axes), labels: labels.filter((label) => needed.has(label)) };
}

const ordered = ({ x, labels }: Labelled, order: readonly string[]): Tensor =>
  x.permute(order.map((label) => labels.indexOf(label)));

/** Σ a·b over what is not needed any more: a matrix product where something is summed and there are floats. */
function contract(left: Labelled, right: Labelled, needed: ReadonlySet<string>, sizes: Sizes): Labelled {
  const a = summed(left, new Set([...needed, ...right.labels]));
  const b = summed(right, new Set([...needed, ...left.labels]));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const [batch, inner] = [shared.filter((l) => needed.has(l)), shared.filter((l) => !needed.has(l))];
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const labels = [...batch, ...rows, ...columns];
  const shapeOf = (list: readonly string[]): number[] => list.map((label) => sizes.get(label)!);
  const count = (list: readonly string[]): number => shapeOf(list).reduce((n, d) => n * d, 1);
  const [groups, k] = [batch.length === 0 ? [] : [count(batch)], count(inner)];
  const x = ordered(a, [...batch, ...rows, ...inner]).reshape(...groups, count(rows), k);
  const y = ordered(b, [...batch, ...inner, ...columns]).reshape(...groups, k, count(columns));
  const asMatrices = inner.length > 0 && (isFloat(x.dtype) || isFloat(y.dtype));
  const product = asMatrices ? x.matmul(y) : x.unsqueeze(-1).mul(y.unsqueeze(-3)).sum(-2);
  return { x: product.reshape(shapeOf(labels)), labels };
}
