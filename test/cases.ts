// The case table: for every primitive, graphs of one such node over leaves and views of leaves. A primitive without cases is a type error.

import { concat, full, iota, where } from "../src/graph/creators.ts";
import type { Args, DType, Op, Shape } from "../src/graph/index.ts";
import { make } from "../src/graph/operands.ts";
import { Tensor } from "../src/graph/tensor.ts";
import {
  all,
  anyBits,
  axesReversed,
  binary,
  bits,
  type Case,
  computed,
  expanded,
  floats,
  leaf,
  numbers,
  oneCase,
  permuted,
  plain,
  reversed,
  small,
  unary,
  type View,
  viewCases,
} from "./case-makers.ts";
import { stream } from "./harness.ts";

const leafCase = (x: Tensor): Case => oneCase("", [x], x);

function randomCase(shape: Shape, n: number): Case {
  const key = leaf([2], "i32", anyBits);
  return oneCase(`[${shape}] stream ${n}`, [key], new Tensor("random", [key], { stream: n }, shape, "i32"));
}

function whereCases(dtype: DType): Case[] {
  const shapes: readonly (readonly [Shape, Shape, Shape])[] = [
    [[7], [7], [7]],
    [[3, 1], [4], [3, 4]],
    [[], [5], []],
    [[2, 3, 4], [1, 3, 1], [4]],
    [[37], [4, 37], []],
    [[0], [0], [1]],
  ];
  return shapes.map(([c, a, b]) => {
    const [x, y, condition] = [leaf(a, dtype), leaf(b, dtype), leaf(c, "bool")];
    return oneCase("", [x, y, condition], where(condition, x, y));
  });
}

function reductions(dtype: DType, op: "sum" | "maxReduce"): Case[] {
  const over = (shape: Shape, axes: readonly number[], view: View): Case[] => {
    if (op === "maxReduce" && axes.some((a) => shape[a] === 0)) return [];
    const x = leaf(view.base(shape) ?? shape, dtype);
    const y = view.base(shape) === undefined ? x : view.of(x, shape, 0);
    return [oneCase(`${view.name}[${shape}] over [${axes}]`, [x], make(op, [y], { axes }))];
  };
  const shapes: readonly Shape[] = [[7], [0], [5, 0], [3, 1, 5], [4, 37], [33, 17], [2, 3, 4, 5]];
  const long: readonly (readonly [Shape, readonly number[]])[] = [
    [[9001], [0]],
    [[8192], [0]],
    [[3, 5000], [1]],
    [
      [70, 70],
      [0, 1],
    ],
    [[5000, 3], [0]],
    [
      [6, 30, 41],
      [0, 1, 2],
    ],
    [
      [30, 4, 300],
      [0, 2],
    ],
  ];
  return [
    ...shapes.flatMap((shape) =>
      subsets(shape.length).flatMap((axes) => [plain, permuted, expanded].flatMap((v) => over(shape, axes, v))),
    ),
    ...long.flatMap(([shape, axes]) => over(shape, axes, plain)),
  ];
}

const subsets = (n: number): number[][] =>
  Array.from({ length: 2 ** n }, (_, bitsSet) =>
    Array.from({ length: n }, (_, i) => i).filter((i) => (bitsSet >> i) & 1),
  );

const reshapeCases = (dtype: DType): Case[] =>
  (
    [
      [[12], [3, 4]],
      [[3, 4], [12]],
      [
        [4, 6],
        [3, 8],
      ],
      [
        [2, 3, 4],
        [6, 2, 2],
      ],
      [[], [1, 1]],
      [[0, 3], [0]],
      [[1], []],
    ] as const
  ).flatMap(([from, to]) => viewCases(`to [${to}]`, from, dtype, (x) => x.reshape(to)));

const permuteCases = (dtype: DType): Case[] =>
  (
    [
      [
        [3, 4],
        [1, 0],
      ],
      [
        [2, 3, 4],
        [2, 0, 1],
      ],
      [
        [2, 3, 4],
        [0, 2, 1],
      ],
      [
        [33, 5],
        [1, 0],
      ],
      [
        [2, 1, 3, 4],
        [3, 1, 2, 0],
      ],
      [
        [0, 3],
        [1, 0],
      ],
    ] as const
  ).flatMap(([shape, order]) => viewCases(`by [${order}]`, shape, dtype, (x) => x.permute(order)));

const expandCases = (dtype: DType): Case[] =>
  (
    [
      [[1], [5]],
      [
        [3, 1],
        [3, 7],
      ],
      [
        [1, 4],
        [6, 4],
      ],
      [
        [1, 3, 1],
        [2, 3, 4],
      ],
      [[], [9]],
      [[1], [0]],
    ] as const
  ).flatMap(([from, to]) => viewCases(`to [${to}]`, from, dtype, (x) => x.expand(to)));

const padCases = (dtype: DType): Case[] =>
  (
    [
      [[5], [[1, 2]]],
      [
        [3, 4],
        [
          [0, 0],
          [3, 1],
        ],
      ],
      [
        [3, 4],
        [
          [2, 1],
          [0, 5],
        ],
      ],
      [
        [2, 3, 2],
        [
          [1, 0],
          [0, 2],
          [1, 1],
        ],
      ],
      [[0], [[2, 3]]],
      [[17], [[0, 3]]],
    ] as const
  ).flatMap(([shape, widths]) =>
    [0, 1].flatMap((value) =>
      viewCases(`by ${widths.join("|")} with ${value}`, shape, dtype, (x) => x.pad(widths, value)),
    ),
  );

const sliceCases = (dtype: DType): Case[] =>
  (
    [
      [[9], [2], [9], [3]],
      [
        [3, 8],
        [1, 0],
        [3, 7],
        [1, 2],
      ],
      [
        [2, 3, 4],
        [0, 2, 1],
        [2, 3, 3],
        [1, 1, 1],
      ],
      [[5], [3], [3], [1]],
      [[37], [1], [36], [1]],
    ] as const
  ).flatMap(([shape, start, stop, step]) =>
    viewCases(`${start} to ${stop} by ${step}`, shape, dtype, (x) => make("slice", [x], { start, stop, step })),
  );

const flipCases = (dtype: DType): Case[] =>
  (
    [
      [[7], [0]],
      [[3, 4], [0]],
      [[3, 4], [1]],
      [
        [3, 4],
        [0, 1],
      ],
      [
        [2, 3, 5],
        [0, 2],
      ],
      [[0], [0]],
      [[1, 37], [1]],
    ] as const
  ).flatMap(([shape, axes]) => viewCases(`over ${axes}`, shape, dtype, (x) => x.flip(axes)));

function concatCases(dtype: DType): Case[] {
  const lists: readonly (readonly [number, ...Shape[]])[] = [
    [0, [3], [4]],
    [0, [1], [0], [5], [2]],
    [0, [7]],
    [0, [0], [0]],
    [1, [3, 2], [3, 5], [3, 1]],
    [0, [2, 3], [1, 3]],
    [1, [2, 3, 4], [2, 1, 4]],
    [2, [2, 3, 17], [2, 3, 16], [2, 3, 1]],
    [1, [1, 4, 5], [1, 2, 5]],
    [1, [5, 0], [5, 2]],
    [0, [0, 4], [3, 4], [0, 4]],
  ];
  return lists.flatMap(([axis, ...shapes]) =>
    [plain, permuted, expanded].flatMap((view) => {
      const bases = shapes.map((s) => view.base(s));
      if (bases.some((s) => s === undefined)) return [];
      const xs = bases.map((s) => leaf(s!, dtype));
      const parts = xs.map((x, i) => view.of(x, shapes[i], 0));
      const joined = concat(parts, axis);
      return [
        oneCase(`${view.name}along ${axis}`, xs, joined),
        oneCase(`computed ${view.name}along ${axis}`, xs, concat(parts.map(computed), axis)),
        oneCase(`used ${view.name}along ${axis}`, xs, computed(joined)),
        oneCase(`twice ${view.name}along ${axis}`, xs, concat([joined, computed(parts[0]), joined], axis)),
      ];
    }),
  );
}

const rowShapes: readonly (readonly [Shape, Shape])[] = [
  [[5], [7]],
  [[5, 3], [4]],
  [
    [6, 8],
    [2, 3],
  ],
  [[4, 2, 3], [5]],
  [[3], []],
  [[3, 37], [6]],
  [[3, 0], [2]],
  [[3, 2], [0]],
];

const gatherCases = (dtype: DType): Case[] =>
  rowShapes.flatMap(([table, indices]) =>
    [plain, permuted].flatMap((view) => {
      const base = view.base(table);
      if (base === undefined) return [];
      const [x, rows] = [leaf(base, dtype), leaf(indices, "i32", [-1, table[0]])]; // −1 and one past the end are no rows
      return [
        oneCase(view.name, [x, rows], view.of(x, table, 0).gather(rows)),
        oneCase(`flipped ${view.name}`, [x, rows], view.of(x, table, 0).gather(rows.flip())),
      ];
    }),
  );

const scatterCases = (dtype: DType): Case[] =>
  rowShapes.flatMap(([table, indices]) => {
    const [rows, size] = [leaf(indices, "i32", [-1, table[0]]), table[0]];
    const shape = [...indices, ...table.slice(1)];
    const [x, y] = [leaf(shape, dtype), leaf(reversed(shape), dtype)];
    const turned = y.permute(axesReversed(shape));
    const base = leaf(table, dtype);
    return [
      oneCase("onto", [x, rows, base], make("scatterAdd", [x, rows, base], { size })),
      oneCase("onto flipped", [x, rows, base], make("scatterAdd", [x, rows, base.flip([0])], { size })),
      oneCase("", [x, rows], make("scatterAdd", [x, rows], { size })),
      oneCase("permuted", [y, rows], make("scatterAdd", [turned, rows], { size })),
    ];
  });

function matmulCases(dtype: DType): Case[] {
  const sizes: [number, number, number][] = [
    [33, 17, 9],
    [16, 16, 16],
    [1, 64, 1],
    [5, 100, 3],
    [2, 3, 40],
    [12, 1, 12],
    [0, 3, 2],
    [2, 0, 3],
    [3, 2, 0],
    [24, 48, 20],
  ];
  const random = stream(11);
  const odd = (): number => 1 + Math.floor(20 * random());
  for (let i = 0; i < 24; i++) sizes.push([odd(), odd(), odd()]);
  const flat = sizes.flatMap(([m, k, n]) =>
    [false, true].flatMap((left) =>
      [false, true].map((right) => {
        const [x, y] = [leaf(left ? [k, m] : [m, k], dtype), leaf(right ? [n, k] : [k, n], dtype)];
        const product = make("matmul", [left ? x.transpose() : x, right ? y.transpose() : y], {});
        return oneCase(`${left ? "transposed" : "plain"} · ${right ? "transposed" : "plain"}`, [x, y], product);
      }),
    ),
  );
  const batched: readonly (readonly [Shape, Shape])[] = [
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [3, 1, 7],
      [7, 2],
    ],
    [
      [2, 1, 3, 4],
      [5, 4, 3],
    ],
    [[4], [4, 3]],
    [[2, 4], [4]],
    [[6], [6]],
  ];
  const products = batched.map(([a, b]) => {
    const [x, y] = [leaf(a, dtype), leaf(b, dtype)];
    return oneCase("batched", [x, y], x.matmul(y));
  });
  const [x, y] = [leaf([7, 12], dtype), leaf([9, 12], dtype)];
  const views = oneCase("views", [x, y], make("matmul", [x.flip(1), y.slice(0, 1, 9, 2).transpose()], {}));
  const [u, v] = [leaf([5, 4], dtype), leaf([6, 3], dtype)];
  const padded = oneCase(
    "padded and computed",
    [u, v],
    make(
      "matmul",
      [
        u
          .pad([
            [0, 2],
            [1, 1],
          ])
          .neg(),
        computed(v),
      ],
      {},
    ),
  );
  return [...flat, ...products, views, padded];
}

interface ConvCase {
  x: Shape;
  w: Shape;
  stride?: number[];
  padding?: (readonly [number, number])[];
  dilation?: number[];
  inputDilation?: number[];
  groups?: number;
}

const convolutions: readonly ConvCase[] = [
  { x: [1, 1, 5], w: [1, 1, 3] },
  { x: [2, 3, 9], w: [4, 3, 2], stride: [2] },
  { x: [2, 2, 8], w: [2, 2, 3], padding: [[1, 1]] },
  { x: [1, 4, 11], w: [4, 2, 3], groups: 2, padding: [[2, 0]], dilation: [2] },
  { x: [1, 2, 6], w: [3, 2, 3], inputDilation: [2], padding: [[1, 2]] },
  { x: [1, 2, 9], w: [3, 2, 3], padding: [[-1, -2]] },
  { x: [1, 1, 6, 6], w: [1, 1, 3, 3] },
  { x: [2, 3, 7, 6], w: [5, 3, 3, 2] },
  {
    x: [2, 3, 8, 8],
    w: [4, 3, 3, 3],
    stride: [2, 2],
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  {
    x: [1, 6, 5, 5],
    w: [6, 1, 3, 3],
    groups: 6,
    padding: [
      [1, 1],
      [1, 1],
    ],
  },
  { x: [1, 4, 9, 7], w: [6, 2, 2, 3], groups: 2, stride: [1, 2] },
  {
    x: [1, 2, 9, 9],
    w: [3, 2, 3, 3],
    dilation: [2, 3],
    padding: [
      [2, 2],
      [3, 3],
    ],
  },
  {
    x: [2, 2, 4, 5],
    w: [3, 2, 3, 3],
    inputDilation: [2, 3],
    padding: [
      [2, 1],
      [0, 2],
    ],
  },
  {
    x: [1, 2, 6, 6],
    w: [2, 2, 2, 2],
    padding: [
      [-1, 2],
      [1, -2],
    ],
  },
  { x: [1, 3, 1, 1], w: [7, 3, 1, 1] },
  {
    x: [3, 1, 28, 28],
    w: [6, 1, 5, 5],
    padding: [
      [2, 2],
      [2, 2],
    ],
  },
  { x: [2, 6, 10, 10], w: [16, 6, 5, 5] },
  { x: [0, 2, 5, 5], w: [2, 2, 3, 3] },
  {
    x: [1, 2, 4, 5, 3],
    w: [3, 2, 2, 3, 2],
    padding: [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
  },
  { x: [1, 2, 5, 4, 4], w: [2, 1, 2, 2, 2], groups: 2, stride: [2, 1, 2] },
];

const convCases = (dtype: DType): Case[] =>
  convolutions.flatMap(({ x: xShape, w: wShape, stride, padding, dilation, inputDilation, groups = 1 }) => {
    const each = <T>(list: readonly T[] | undefined, value: T): readonly T[] =>
      list ?? xShape.slice(2).map(() => value);
    const args: Args["conv"] = {
      stride: each(stride, 1),
      padding: each<readonly [number, number]>(padding, [0, 0]),
      dilation: each(dilation, 1),
      inputDilation: each(inputDilation, 1),
      groups,
    };
    const [x, w, y] = [leaf(xShape, dtype), leaf(wShape, dtype), leaf(reversed(xShape), dtype)];
    const text = JSON.stringify({ stride, padding, dilation, inputDilation, groups });
    return [
      oneCase(text, [x, w], make("conv", [x, w], args)),
      oneCase(`views ${text}`, [y, w], make("conv", [y.permute(axesReversed(xShape)), w.flip()], args)),
    ];
  });

/** Every primitive's cases. Leaves are drawn in this order, so that what is added at the end leaves the others as they are. */
export const cases: { readonly [O in Op]: readonly Case[] } = {
  buffer: all.flatMap((dtype) => small.map((shape) => leafCase(leaf(shape, dtype)))),
  const: all.flatMap((dtype) => small.map((shape) => oneCase("", [], full(shape, dtype === "i32" ? 7 : 1.7, dtype)))),
  iota: small.flatMap((shape) => shape.map((_, axis) => oneCase(`axis ${axis}`, [], iota(shape, axis)))),
  random: small.flatMap((shape) => [0, 3].map((n) => randomCase(shape, n))),
  neg: unary(numbers, (x) => x.neg()),
  exp: unary(floats, (x) => x.exp(), [-20, 20]),
  log: unary(floats, (x) => x.log(), [1e-3, 50]),
  sin: unary(floats, (x) => x.sin(), [-40, 40]),
  cos: unary(floats, (x) => x.cos(), [-40, 40]),
  sqrt: unary(floats, (x) => x.sqrt(), [1e-3, 50]),
  floor: unary(floats, (x) => x.floor(), [-5, 5]),
  tanh: unary(floats, (x) => x.tanh(), [-5, 5]),
  sigmoid: unary(floats, (x) => x.sigmoid(), [-9, 9]),
  erf: unary(floats, (x) => x.erf(), [-4, 4]),
  expm1: unary(floats, (x) => x.expm1(), [-5, 5]),
  log1p: unary(floats, (x) => x.log1p(), [-0.9, 9]),
  cast: all.flatMap((from) => all.flatMap((to) => unary([from], (x) => make("cast", [x], { dtype: to })))),
  add: binary(numbers, (x, y) => x.add(y)),
  mul: [...binary(numbers, (x, y) => x.mul(y)), ...binary(["i32"], (x, y) => x.mul(y), anyBits)],
  div: [
    ...binary(floats, (x, y) => x.div(y), [0.1, 20]),
    ...unary(floats, (x) => x.recip(), [0.1, 20]),
    ...binary(["f32"], (x, y) => x.mul(1e-39).div(y.mul(1e-39)), [0.5, 3]),
  ],
  max: binary(numbers, (x, y) => x.maximum(y)),
  mod: [
    ...binary(floats, (x, y) => x.mod(y), [-9, -0.5], [0.5, 3]),
    ...binary(floats, (x, y) => x.mod(y), [0.5, 9], [0.7, 3]),
    ...binary(["i32"], (x, y) => x.mod(y)),
    ...binary(["i32"], (x, y) => x.mod(y), anyBits),
  ],
  lt: binary(all, (x, y) => x.lt(y)),
  eq: binary(all, (x, y) => x.eq(y), [-1, 1]),
  and: binary(bits, (x, y) => x.and(y), anyBits),
  or: binary(bits, (x, y) => x.or(y), anyBits),
  xor: binary(bits, (x, y) => x.xor(y), anyBits),
  shift: [-31, -5, -1, 0, 1, 5, 31].flatMap((by) => unary(["i32"], (x) => x.shift(by), anyBits)),
  where: all.flatMap(whereCases),
  sum: numbers.flatMap((dtype) => reductions(dtype, "sum")),
  maxReduce: numbers.flatMap((dtype) => reductions(dtype, "maxReduce")),
  reshape: all.flatMap(reshapeCases),
  permute: all.flatMap(permuteCases),
  expand: all.flatMap(expandCases),
  pad: all.flatMap(padCases),
  slice: all.flatMap(sliceCases),
  flip: all.flatMap(flipCases),
  concat: all.flatMap(concatCases),
  gather: all.flatMap(gatherCases),
  scatterAdd: numbers.flatMap(scatterCases),
  matmul: floats.flatMap(matmulCases),
  conv: floats.flatMap(convCases),
  exp2: unary(floats, (x) => x.exp2(), [-20, 20]),
  log2: unary(floats, (x) => x.log2(), [1e-3, 50]),
  asin: unary(floats, (x) => x.asin(), [-0.9, 0.9]),
  acos: unary(floats, (x) => x.acos(), [-0.9, 0.9]),
  atan: unary(floats, (x) => x.atan(), [-9, 9]),
  sinh: unary(floats, (x) => x.sinh(), [-5, 5]),
  cosh: unary(floats, (x) => x.cosh(), [-5, 5]),
};
