// Small matrices: solving, inverting and factoring, composed of tensor operations column by column, so differentiable to any order.
import { concat, iota, where } from "./creators.ts";
import { promote } from "./dtype.ts";
import { as, asFloat, checkTensors, spread } from "./operands.ts";
import { broadcastShapes, fail, show } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

// Each column is a few nodes and kernels, so compile time grows with n: meant for n up to about 64.

/**
 * X with A·X = B, by elimination with partial pivoting: A [..., n, n], B [..., n, m] or a vector [n]; leading axes broadcast.
 * A singular A gives ±∞ and NaN. Throws where the shapes do not fit.
 */
export function solve(a: Tensor, b: Tensor): Tensor {
  const { left, right, vector } = system("solve", a, b);
  const { upper, rest } = eliminated(left, right);
  const x = triangularSolve(upper, rest, { upper: true });
  return vector ? x.squeeze(-1) : x;
}

/** A⁻¹ of A [..., n, n], as `solve` finds it for the unit matrix. A singular A gives ±∞ and NaN. Throws where A is not square. */
export function inverse(a: Tensor): Tensor {
  const n = square("inverse", a);
  return solve(a, unit(n).cast(asFloat(a).dtype));
}

/** The determinant of A [..., n, n], [...]: the product of the pivots of `solve`, with the sign of their order. Throws where A is not square. */
export function determinant(a: Tensor): Tensor {
  const n = square("determinant", a);
  let product = asFloat(a).slice(-2, 0, 0).sum([-2, -1]).add(1); // 1 for each matrix
  let rest = asFloat(a);
  for (let k = 0; k < n; k++) {
    const { pivot, below, swapped } = step(rest, n - k);
    const value = pivot.slice(-1, 0, 1).squeeze(-1).squeeze(-1);
    product = product.mul(where(swapped, value.neg(), value));
    if (k + 1 < n) rest = cleared(pivot, below);
  }
  return product;
}

export interface TriangularOptions {
  /** Whether A is zero below its diagonal, instead of above. */
  upper?: boolean;
}

/**
 * X with A·X = B for a triangular A [..., n, n], by substitution; B [..., n, m] or a vector [n]; leading axes broadcast. What
 * lies on the other side of A's diagonal is not read. A zero on the diagonal gives ±∞ and NaN. Throws where the shapes do not fit.
 */
export function triangularSolve(a: Tensor, b: Tensor, { upper = false }: TriangularOptions = {}): Tensor {
  const { left, right, vector } = system("triangularSolve", a, b);
  const turned = (t: Tensor, ...axes: number[]): Tensor => (upper ? t.flip(axes) : t); // upside down, an upper one is a lower one
  let [l, rest] = [turned(left, -2, -1), turned(right, -2)];
  const rows: Tensor[] = [];
  for (let n = l.shape[l.rank - 1]; n > 0; n--) {
    const row = rest.slice(-2, 0, 1).div(corner(l));
    rows.push(row);
    if (n === 1) break;
    rest = rest.slice(-2, 1).sub(l.slice(-2, 1).slice(-1, 0, 1).mul(row));
    l = l.slice(-2, 1).slice(-1, 1);
  }
  const x = rows.length === 0 ? rest : turned(concat(rows, -2), -2);
  return vector ? x.squeeze(-1) : x;
}

/**
 * Lower triangular L with positive diagonal and L·Lᵀ = A, for a symmetric positive definite A [..., n, n]; of another A it is
 * the factor of (A + Aᵀ) / 2, so that gradients are symmetric. Where that is not positive definite there is NaN, from the
 * column on where it shows. Throws where A is not square.
 */
export function cholesky(a: Tensor): Tensor {
  const n = square("cholesky", a);
  let rest = asFloat(a).add(a.transpose()).mul(0.5);
  if (n === 0) return rest;
  const columns: Tensor[] = [];
  for (let k = 0; k < n; k++) {
    const column = rest.slice(-1, 0, 1).div(corner(rest).sqrt());
    columns.push(column.pad(onAxis(column, -2, [k, 0])));
    const below = column.slice(-2, 1);
    rest = rest.slice(-2, 1).slice(-1, 1).sub(below.mul(below.transpose()));
  }
  return concat(columns, -1);
}

/** The factors of a matrix, Q [..., m, k] and R [..., k, n] with k = min(m, n). */
export interface QR {
  readonly q: Tensor;
  readonly r: Tensor;
}

/**
 * Q with orthonormal columns and upper triangular R with Q·R = A [..., m, n], by the modified Gram–Schmidt process, run twice
 * so that Q is orthonormal to rounding (Giraud et al., 2005). R's diagonal is positive, which makes the factors unique; LAPACK
 * and PyTorch leave its signs open. Where the first k columns depend on each other, columns of Q are rounding errors or NaN.
 * Throws where A is no matrix.
 */
export function qr(a: Tensor): QR {
  if (a.rank < 2) fail("qr", `needs matrices [..., m, n], got ${show(a.shape)}`);
  if (a.size === 0) fail("qr", `needs matrices with elements, got ${show(a.shape)}`);
  const first = orthogonalized(asFloat(a));
  const second = orthogonalized(first.q);
  return { q: second.q, r: second.r.matmul(first.r) };
}

function orthogonalized(a: Tensor): QR {
  const [m, n] = a.shape.slice(-2);
  const [columns, rows]: [Tensor[], Tensor[]] = [[], []];
  let rest = a;
  for (let k = 0; k < Math.min(m, n); k++) {
    const column = rest.slice(-1, 0, 1);
    const norm = column.square().sum(-2, { keepDims: true }).sqrt();
    const q = column.div(norm);
    const others = rest.slice(-1, 1);
    const row = q.mul(others).sum(-2, { keepDims: true });
    const whole = concat([norm, row], -1);
    columns.push(q);
    rows.push(whole.pad(onAxis(whole, -1, [k, 0])));
    rest = others.sub(q.mul(row));
  }
  return { q: concat(columns, -1), r: concat(rows, -2) };
}

/** A made upper triangular, and B with the same done to it. */
function eliminated(a: Tensor, b: Tensor): { upper: Tensor; rest: Tensor } {
  const n = a.shape[a.rank - 1];
  if (n === 0) return { upper: a, rest: b };
  const rows: Tensor[] = [];
  let both = concat([a, b], -1);
  for (let k = 0; k < n; k++) {
    const { pivot, below } = step(both, n - k);
    rows.push(pivot.pad(onAxis(pivot, -1, [k, 0])));
    if (k + 1 < n) both = cleared(pivot, below);
  }
  const done = concat(rows, -2);
  return { upper: done.slice(-1, 0, n), rest: done.slice(-1, n) };
}

/**
 * The row whose first element is the largest of a matrix [..., n, w] in size, [..., 1, w], and the other n − 1 rows: the first
 * one stands where the pivot was, `swapped` says [...] whether that is another place.
 */
function step(matrix: Tensor, n: number): { pivot: Tensor; below: Tensor; swapped: Tensor } {
  const sizes = matrix.slice(-1, 0, 1).detach().abs(); // [..., n, 1]
  const at = sizes.argmax(-2).unsqueeze(-1); // [..., 1, 1]
  const hit = iota(sizes.shape, -2).eq(at);
  const pivot = where(hit, matrix, 0).sum(-2, { keepDims: true });
  const below = where(hit.slice(-2, 1), matrix.slice(-2, 0, 1), matrix.slice(-2, 1));
  return { pivot, below: n === 1 ? matrix.slice(-2, 1) : below, swapped: at.ne(0).squeeze(-1).squeeze(-1) };
}

/** The rows below a pivot once their first elements are eliminated, without these. */
const cleared = (pivot: Tensor, below: Tensor): Tensor =>
  below.slice(-1, 1).sub(below.slice(-1, 0, 1).div(corner(pivot)).mul(pivot.slice(-1, 1)));

/** The first element of each matrix, [..., 1, 1]. */
const corner = (t: Tensor): Tensor => t.slice(-2, 0, 1).slice(-1, 0, 1);

/** Widths of padding along one axis. */
const onAxis = (t: Tensor, axis: number, widths: readonly [number, number]): (readonly [number, number])[] =>
  t.shape.map((_, i) => (i === axis + t.rank ? widths : [0, 0]));

const unit = (n: number): Tensor => iota([n, n], -1).eq(iota([n, n], -2));

/** The size of square matrices. */
function square(op: string, a: Tensor): number {
  checkTensors(op, [a]);
  const [m, n] = a.shape.slice(-2);
  if (a.rank < 2 || m !== n) fail(op, `needs square matrices [..., n, n], got ${show(a.shape)}`);
  return n;
}

/** Both sides of A·X = B in one dtype, with equal leading axes; a vector as one column. */
function system(op: string, a: Tensor, b: Tensor): { left: Tensor; right: Tensor; vector: boolean } {
  const n = square(op, a);
  checkTensors(op, [b]);
  const vector = b.rank === 1;
  if (b.rank === 0 || b.shape[vector ? 0 : b.rank - 2] !== n)
    fail(op, `needs a right side [..., ${n}, m] or [${n}], got ${show(b.shape)}`);
  const dtype = promote(promote(a.dtype, b.dtype), "f32");
  const [left, right] = [as(dtype, a), as(dtype, vector ? b.unsqueeze(1) : b)];
  const lead = broadcastShapes(op, left.shape.slice(0, -2), right.shape.slice(0, -2));
  return {
    left: spread(left, [...lead, n, n]),
    right: spread(right, [...lead, ...right.shape.slice(-2)]),
    vector,
  };
}
