// Eigenvalues and vectors of a symmetric matrix on the host, in double precision.

/** Eigenvalues in falling order, and in row k of the vectors [n, n] the unit vector that belongs to value k. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/**
 * A = Σₖ λₖ·vₖ·vₖᵀ of a symmetric matrix [n, n] in row order, of which the lower triangle is read: reflections make it tridiagonal
 * (Householder, 1958), and the implicit QL method with Wilkinson's shifts diagonal (Bowdler, Martin, Reinsch & Wilkinson, 1968).
 * About 6·n³ operations. A vector's largest element is positive. Throws a RangeError where the matrix has another number of
 * elements or one that is not finite.
 */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  if (matrix.length !== n * n)
    throw new RangeError(`symmetricEigen: a matrix [${n}, ${n}] takes ${n * n} elements, got ${matrix.length}`);
  const at = matrix.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new RangeError(`symmetricEigen: element ${at} is ${matrix[at]}; remove what is not finite`);
  if (n === 0) return { values: new Float64Array(0), vectors: new Float64Array(0) };
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const { diagonal, beside, basis } = tridiagonal(
    matrix.map((value) => value / scale),
    n,
  );
  diagonalize(diagonal, beside, basis, n);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[j] - diagonal[i]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, k) => {
    vectors.set(upright(basis.subarray(from * n, (from + 1) * n)), k * n);
  });
  return { values: Float64Array.from(order, (i) => scale * diagonal[i]), vectors };
}

/** A vector or its negative: the one whose largest element is positive. */
function upright(vector: Float64Array): Float64Array {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? vector.map((value) => -value) : vector;
}

/** T = Qᵀ·A·Q, for which A is overwritten, with its diagonal, what stands beside it (element i between i − 1 and i), and Qᵀ, a basis vector in each row. */
function tridiagonal(
  a: Float64Array,
  n: number,
): { diagonal: Float64Array; beside: Float64Array; basis: Float64Array } {
  const beside = new Float64Array(n);
  const scales = new Float64Array(n); // 2 / ‖v‖² of reflection i, whose v is left in row i
  for (let i = n - 1; i > 1; i--) {
    const v = a.subarray(i * n, i * n + i);
    const norm = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
    const last = v[i - 1];
    beside[i] = last > 0 ? -norm : norm;
    if (norm === 0) continue;
    v[i - 1] = last - beside[i];
    scales[i] = 1 / (norm * norm - last * beside[i]); // 2 / ‖v‖²
    reflect(a, n, v, scales[i]);
  }
  if (n > 1) beside[1] = a[n];
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i]);
  return { diagonal, beside, basis: basisOf(a, scales, n) };
}

/** √(a² + b²) of numbers of at most a few powers of ten. */
const hypotenuse = (a: number, b: number): number => Math.sqrt(a * a + b * b);

/** A ← H·A·H on the leading rows that v has elements for, H = 1 − s·v·vᵀ; of A the lower triangle. */
function reflect(a: Float64Array, n: number, v: Float64Array, s: number): void {
  const size = v.length;
  const p = new Float64Array(size); // s·A·v
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) {
      const value = a[i * n + j];
      sum += value * v[j];
      p[j] += value * v[i];
    }
    p[i] += sum + a[i * n + i] * v[i];
  }
  let product = 0;
  for (let i = 0; i < size; i++) {
    p[i] *= s;
    product += p[i] * v[i];
  }
  for (let i = 0; i < size; i++) p[i] -= (s * product * v[i]) / 2;
  for (let i = 0; i < size; i++) for (let j = 0; j <= i; j++) a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
}

/** The product of the reflections, transposed: row k is the kth basis vector. */
function basisOf(a: Float64Array, scales: Float64Array, n: number): Float64Array {
  const basis = new Float64Array(n * n);
  for (let i = 0; i < n; i++) basis[i * n + i] = 1;
  for (let i = 2; i < n; i++) {
    if (scales[i] === 0) continue;
    for (let row = 0; row < i; row++) {
      let sum = 0;
      for (let j = 0; j < i; j++) sum += basis[row * n + j] * a[i * n + j];
      sum *= scales[i];
      for (let j = 0; j < i; j++) basis[row * n + j] -= sum * a[i * n + j];
    }
  }
  return basis;
}

/** Makes a tridiagonal matrix diagonal by rotations, and its basis the eigenvectors, in rows. */
function diagonalize(d: Float64Array, beside: Float64Array, basis: Float64Array, n: number): void {
  const e = new Float64Array(n); // element i between i and i + 1
  e.set(beside.subarray(1));
  for (let l = 0; l < n; l++) {
    for (;;) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m++;
      if (m === l) break;
      sweep(d, e, basis, n, l, m);
    }
  }
}

/** One sweep of QL from m up to l, shifted by the eigenvalue of the leading 2 × 2 that is nearer to d[l]. */
function sweep(d: Float64Array, e: Float64Array, basis: Float64Array, n: number, l: number, m: number): void {
  const half = (d[l + 1] - d[l]) / (2 * e[l]);
  let g = d[m] - d[l] + e[l] / (half + (half < 0 ? -1 : 1) * hypotenuse(half, 1));
  let [sine, cosine, shift] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const [f, b] = [sine * e[i], cosine * e[i]];
    const r = hypotenuse(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] -= shift;
      e[m] = 0;
      return;
    }
    [sine, cosine] = [f / r, g / r];
    g = d[i + 1] - shift;
    const t = (d[i] - g) * sine + 2 * cosine * b;
    shift = sine * t;
    d[i + 1] = g + shift;
    g = cosine * t - b;
    rotate(basis, n, i, sine, cosine);
  }
  d[l] -= shift;
  e[l] = g;
  e[m] = 0;
}

/** Turns rows i and i + 1 of the basis in their plane. */
function rotate(basis: Float64Array, n: number, i: number, sine: number, cosine: number): void {
  const [first, second] = [i * n, (i + 1) * n];
  for (let k = 0; k < n; k++) {
    const [a, b] = [basis[first + k], basis[second + k]];
    basis[second + k] = sine * a + cosine * b;
    basis[first + k] = cosine * a - sine * b;
  }
}
