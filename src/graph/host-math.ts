// The elementary functions of plain numbers: double precision, and the same bits on every machine, unlike those of Math.
import { type Elementary, elementary } from "./elementary.ts";
import { f64Scalars } from "./evaluate.ts";

const names = Object.keys(elementary) as Elementary[];

/** exp, log, sin, cos, tanh, sigmoid, erf, expm1 and log1p of a number, as an f64 tensor has them on every device. */
export const hostMath: Readonly<Record<Elementary, (x: number) => number>> = Object.fromEntries(
  names.map((name) => [name, (x: number) => elementary[name](f64Scalars, x)]),
) as Record<Elementary, (x: number) => number>;
