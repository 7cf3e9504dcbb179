// The reference interpreter: one short loop per primitive, all floats in double precision. Slow and obviously right; the oracle of the tests.
import {
  argsOf,
  forElementary,
  hostMath,
  missing,
  type Node,
  type Op,
  sizeOf,
  stridesOf,
  threefry,
} from "../../graph/internal.ts";

/** Floats (f32 and f64 alike) as doubles, i32 and bool as 32-bit integers. */
export type Values = Float64Array | Int32Array;

export const valuesFor = (dtype: string, size: number): Values =>
  dtype === "f32" || dtype === "f64" ? new Float64Array(size) : new Int32Array(size);

type Interpret = (node: Node, inputs: readonly Values[], out: Values) => void;

const unary =
  (f: (x: number) => number): Interpret =>
  (_, [x], out) => {
    for (let i = 0; i < out.length; i++) out[i] = f(x[i]);
  };

const binary =
  (f: (x: number, y: number, float: boolean) => number): Interpret =>
  (node, [x, y], out) => {
    const float = node.inputs[0].dtype === "f32" || node.inputs[0].dtype === "f64";
    for (let i = 0; i < out.length; i++) out[i] = f(x[i], y[i], float);
  };

/** Calls visit with every index vector of a shape in row-major order; the vector is reused. */
function each(shape: readonly number[], visit: (index: readonly number[], at: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const n = sizeOf(shape);
  for (let at = 0; at < n; at++) {
    visit(index, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

/** A view: each output element is the input element at source(index), or the fill value where that is undefined. */
const view =
  (source: (node: Node, index: readonly number[]) => number[] | undefined): Interpret =>
  (node, [x], out) => {
    const strides = stridesOf(node.inputs[0].shape);
    const fill = node.op === "pad" ? argsOf(node, "pad").value : 0;
    each(node.shape, (index, at) => {
      const from = source(node, index);
      out[at] = from === undefined ? fill : x[dot(from, strides)];
    });
  };

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);

const reduce =
  (start: number, combine: (a: number, x: number) => number): Interpret =>
  (node, [x], out) => {
    const { axes } = argsOf(node, "sum");
    const shape = node.inputs[0].shape;
    if (axes.length === 0) return out.set(x); // −0 + 0 would be 0
    const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const strides = stridesOf(node.shape);
    out.fill(node.dtype === "i32" && start === Number.NEGATIVE_INFINITY ? -(2 ** 31) : start);
    each(shape, (index, at) => {
      const to = kept.reduce((sum, axis, i) => sum + index[axis] * strides[i], 0);
      out[to] = combine(out[to], x[at]);
    });
  };

const convert = (value: number, dtype: string): number => {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype !== "i32") return value;
  return Number.isNaN(value) ? 0 : Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(value)));
};

const matmul: Interpret = (node, [a, b], out) => {
  const [m, k] = node.inputs[0].shape.slice(-2);
  const n = node.shape[node.shape.length - 1];
  out.forEach((_, at) => {
    const column = at % n;
    const row = Math.floor(at / n); // over batches and rows
    const batch = Math.floor(row / m);
    let sum = 0;
    for (let i = 0; i < k; i++) sum += a[row * k + i] * b[(batch * k + i) * n + column];
    out[at] = sum;
  });
};

const conv: Interpret = (node, [x, w], out) => {
  const { stride, padding, inputDilation, dilation, groups } = argsOf(node, "conv");
  const [xShape, wShape] = node.inputs.map((i) => i.shape);
  const [xStrides, wStrides] = [stridesOf(xShape), stridesOf(wShape)];
  const perGroup = wShape[0] / groups;
  each(node.shape, ([n, o, ...place], at) => {
    let sum = 0;
    each(wShape.slice(1), ([c, ...tap]) => {
      const channel = Math.floor(o / perGroup) * wShape[1] + c;
      let [from, weight] = [n * xStrides[0] + channel * xStrides[1], o * wStrides[0] + c * wStrides[1]];
      for (let i = 0; i < tap.length; i++) {
        const p = place[i] * stride[i] + tap[i] * dilation[i] - padding[i][0];
        const q = p / inputDilation[i];
        if (p < 0 || !Number.isInteger(q) || q >= xShape[i + 2]) return;
        from += q * xStrides[i + 2];
        weight += tap[i] * wStrides[i + 2];
      }
      sum += x[from] * w[weight];
    });
    out[at] = sum;
  });
};

/** x mod y with the sign of y; `%` is exact and has the sign of x. */
function modulo(x: number, y: number): number {
  const rest = x % y;
  if (rest === 0) return y < 0 || Object.is(y, -0) ? -0 : 0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}

/** How each is computed, one entry a primitive; `buffer` values are bound by the caller. */
export const interpret: { readonly [O in Op]: Interpret } = {
  ...forElementary((name) => unary(hostMath[name])),
  buffer: () => {},
  const: (node, _, out) => {
    out.fill(argsOf(node, "const").value);
  },
  iota: (node, _, out) => {
    const { axis } = argsOf(node, "iota");
    each(node.shape, (index, at) => {
      out[at] = index[axis];
    });
  },
  random: (node, [key], out) => {
    const { stream } = argsOf(node, "random");
    for (let i = 0; i < out.length; i++) out[i] = threefry(key[0], key[1], i, stream)[0];
  },
  neg: unary((x) => -x),
  sqrt: unary(Math.sqrt), // exact by IEEE 754, so the same everywhere
  floor: unary(Math.floor),
  cast: (node, [x], out) => {
    for (let i = 0; i < out.length; i++) out[i] = convert(x[i], node.dtype);
  },
  add: binary((x, y) => x + y),
  mul: binary((x, y, float) => (float ? x * y : Math.imul(x, y))),
  div: binary((x, y) => x / y),
  max: binary((x, y) => Math.max(x, y)),
  mod: binary((x, y, float) => (float ? modulo(x, y) : y === 0 ? 0 : x - Math.imul(y, Math.floor(x / y)))),
  lt: binary((x, y) => Number(x < y)),
  eq: binary((x, y) => Number(x === y)),
  and: binary((x, y) => x & y),
  or: binary((x, y) => x | y),
  xor: binary((x, y) => x ^ y),
  shift: (node, [x], out) => {
    const { by } = argsOf(node, "shift");
    for (let i = 0; i < out.length; i++) out[i] = by >= 0 ? x[i] << by : x[i] >>> -by;
  },
  where: (_, [c, a, b], out) => {
    for (let i = 0; i < out.length; i++) out[i] = c[i] !== 0 ? a[i] : b[i];
  },
  sum: reduce(0, (a, x) => a + x),
  maxReduce: reduce(Number.NEGATIVE_INFINITY, (a, x) => Math.max(a, x)),
  reshape: (_, [x], out) => {
    out.set(x);
  },
  permute: view((node, index) => {
    const from = new Array<number>(index.length);
    argsOf(node, "permute").order.forEach((axis, i) => {
      from[axis] = index[i];
    });
    return from;
  }),
  expand: view((node, index) => index.map((p, i) => (node.inputs[0].shape[i] === 1 ? 0 : p))),
  pad: view((node, index) => {
    const from = index.map((p, i) => p - argsOf(node, "pad").before[i]);
    return from.every((p, i) => p >= 0 && p < node.inputs[0].shape[i]) ? from : undefined;
  }),
  slice: view((node, index) => {
    const { start, step } = argsOf(node, "slice");
    return index.map((p, i) => start[i] + p * step[i]);
  }),
  flip: view((node, index) => index.map((p, i) => (argsOf(node, "flip").axes.includes(i) ? node.shape[i] - 1 - p : p))),
  concat: (node, inputs, out) => {
    const { axis } = argsOf(node, "concat");
    let start = 0;
    node.inputs.forEach(({ shape }, k) => {
      const run = sizeOf(shape.slice(axis));
      const step = sizeOf(node.shape.slice(axis));
      for (let i = 0; i * run < inputs[k].length; i++)
        out.set(inputs[k].subarray(i * run, (i + 1) * run), i * step + start);
      start += run;
    });
  },
  gather: (node, [table, indices], out) => {
    const rows = node.inputs[0].shape[0];
    const width = rows === 0 ? 0 : table.length / rows;
    out.fill(missing(node.dtype));
    indices.forEach((row, i) => {
      if (row >= 0 && row < rows) out.set(table.subarray(row * width, (row + 1) * width), i * width);
    });
  },
  scatterAdd: (node, [values, indices, base], out) => {
    if (base !== undefined) out.set(base);
    const rows = node.shape[0];
    const width = rows === 0 ? 0 : out.length / rows;
    indices.forEach((row, i) => {
      if (row < 0 || row >= rows) return;
      for (let j = 0; j < width; j++) out[row * width + j] += values[i * width + j];
    });
  },
  matmul,
  conv,
};
