// The elementary functions of plain numbers: double precision, and the same bits on every machine, unlike those of Math.
import { type Elementary, elementary, forElementary } from "./elementary.ts";
import { f64Scalars } from "./host-scalars.ts";

/** Each elementary function of a number, as an f64 tensor has it on every device. */
export const hostMath: Readonly<Record<Elementary, (x: number) => number>> = forElementary(
  (name) => (x: number) => elementary[name].of(f64Scalars, x),
);
