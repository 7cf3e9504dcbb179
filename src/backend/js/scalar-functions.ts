// The elementary functions of the reference backend, in double precision and the same bits on every machine.
import { f64Scalars } from "../../compile/evaluate.ts";
import { type Elementary, elementary } from "../../compile/math.ts";

const names = Object.keys(elementary) as Elementary[];

export const scalarFunctions: Record<Elementary, (x: number) => number> = Object.fromEntries(
  names.map((name) => [name, (x: number) => elementary[name](f64Scalars, x)]),
) as Record<Elementary, (x: number) => number>;
