// What the case table is made with: leaves of random values, views over them, and operations of one and of two inputs over many shapes.
import type { DType, Shape } from "../src/graph/index.ts";
import { isFloat, sizeOf } from "../src/graph/internal.ts";
import { tensor } from "../src/graph/leaves.ts";
import { make } from "../src/graph/operands.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { stream, typed } from "./harness.ts";

export interface Case {
  readonly name: string;
  readonly dtype: DType;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

export type Range = readonly [number, number];

let made = 0;

/** A leaf of random values: floats in the range, whole numbers of it, or 0 and 1. */
export function leaf(shape: Shape, dtype: DType, [low, high]: Range = [-3, 3]): Tensor {
  const random = stream(++made);
  const draw = (): number => {
    if (isFloat(dtype)) return low + (high - low) * random();
    return dtype === "bool" ? Math.floor(2 * random()) : Math.floor(low + (high - low + 1) * random());
  };
  return tensor(typed(dtype, Array.from({ length: sizeOf(shape) }, draw)), shape);
}

// Views, so that operations read through index arithmetic ---------------------------------------------------------------

export interface View {
  readonly name: string;
  /** Shape of the leaf below a view of the given shape; undefined where the view does not exist. */
  readonly base: (shape: Shape) => Shape | undefined;
  readonly of: (x: Tensor, shape: Shape, value: number) => Tensor;
}

export const reversed = (shape: Shape): Shape => [...shape].reverse();
export const axesReversed = (shape: Shape): number[] => shape.map((_, i) => shape.length - 1 - i);
/** A computed node of the same values. */
export const computed = (x: Tensor): Tensor => (x.dtype === "bool" ? x.and(x.full(1)) : x.maximum(-(2 ** 20)));

export const plain: View = { name: "", base: (s) => s, of: (x) => x };
export const permuted: View = {
  name: "permuted ",
  base: (s) => (s.length > 1 ? reversed(s) : undefined),
  of: (x, s) => x.permute(axesReversed(s)),
};
export const expanded: View = {
  name: "expanded ",
  base: (s) => (s.length > 0 ? s.map((d, i) => (i % 2 === s.length % 2 ? d : 1)) : undefined),
  of: (x, s) => computed(x).expand(s),
};
const views: readonly View[] = [
  plain,
  permuted,
  expanded,
  { name: "flipped ", base: (s) => s, of: (x) => x.flip() },
  {
    name: "sliced ",
    base: (s) => s.map((d) => 2 * d + 1),
    of: (x, s) => make("slice", [x], { start: s.map(() => 1), stop: s.map((d) => 2 * d + 1), step: s.map(() => 2) }),
  },
  {
    name: "padded ",
    base: (s) => (s.every((d) => d > 1) ? s.map((d) => d - 2) : undefined),
    of: (x, s, value) =>
      x.pad(
        s.map((_, i) => (i % 2 === 0 ? [1, 1] : [2, 0])),
        value,
      ),
  },
  { name: "computed ", base: (s) => s, of: (x) => computed(x) },
  {
    name: "tangled ",
    base: (s) => (s.length > 1 ? s : undefined),
    of: (x, s) =>
      x
        .flip()
        .permute(axesReversed(s))
        .reshape(-1)
        .flip()
        .reshape(...s),
  },
];

export const small: readonly Shape[] = [
  [],
  [1],
  [0],
  [3],
  [4],
  [7],
  [33],
  [2, 3],
  [5, 0],
  [3, 1, 5],
  [4, 37],
  [2, 3, 4, 5],
];

const label = (t: Tensor): string => `${t.dtype}[${t.shape}]`;

export function oneCase(name: string, inputs: readonly Tensor[], output: Tensor): Case {
  return { name: `${name} ${inputs.map(label).join(" ")}`, dtype: inputs[0]?.dtype ?? output.dtype, inputs, output };
}

/** An operation of one input over all shapes and views. */
export function unary(dtypes: readonly DType[], of: (x: Tensor) => Tensor, range?: Range): Case[] {
  return dtypes.flatMap((dtype) =>
    small.flatMap((shape) =>
      views.flatMap((view) => {
        const base = view.base(shape);
        if (base === undefined || (sizeOf(shape) === 0 && view.name === "tangled ")) return [];
        const x = leaf(base, dtype, range);
        const value = dtype === "bool" ? 1 : Math.ceil(range?.[0] ?? 1);
        return [oneCase(`${view.name}[${shape}]`, [x], of(view.of(x, shape, value)))];
      }),
    ),
  );
}

const pairs: readonly (readonly [Shape, Shape])[] = [
  [[7], [7]],
  [[], [5]],
  [
    [3, 1],
    [1, 4],
  ],
  [[2, 3, 4], [4]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[0], [1]],
  [[33], [33]],
  [[4, 37], [37]],
  [
    [4, 37],
    [4, 1],
  ],
  [
    [6, 8],
    [6, 8],
  ],
];

export function binary(
  dtypes: readonly DType[],
  of: (x: Tensor, y: Tensor) => Tensor,
  left?: Range,
  right: Range | undefined = left,
): Case[] {
  return dtypes.flatMap((dtype) =>
    pairs.flatMap(([a, b]) =>
      [plain, permuted, expanded].flatMap((view) => {
        const base = view.base(a);
        if (base === undefined) return [];
        const [x, y] = [leaf(base, dtype, left), leaf(b, dtype, right)];
        const viewed = view.of(x, a, 0);
        return [
          oneCase(`${view.name}left`, [x, y], of(viewed, y)),
          oneCase(`${view.name}right`, [x, y], of(y, viewed)),
        ];
      }),
    ),
  );
}

/** A view of a leaf and of a computed value, itself alone and as an operand. */
export function viewCases(name: string, shape: Shape, dtype: DType, of: (x: Tensor) => Tensor): Case[] {
  const [x, y] = [leaf(shape, dtype), leaf(shape, dtype)];
  return [
    oneCase(name, [x], of(x)),
    oneCase(`computed ${name}`, [y], of(computed(y))),
    oneCase(`used ${name}`, [y], computed(of(y))),
  ];
}

export const floats: readonly DType[] = ["f32", "f64"];
export const numbers: readonly DType[] = ["f32", "f64", "i32"];
export const all: readonly DType[] = ["f32", "f64", "i32", "bool"];
export const bits: readonly DType[] = ["i32", "bool"];
/** Whole numbers of all sizes. */
export const anyBits: Range = [-(2 ** 31), 2 ** 31 - 1];
