// explain(t): what would be computed for a tensor, as data: the graph, the kernels, their loops, work and memory traffic.

import { compileTrace, type Pass, type Program, printProgram } from "../compile/program.ts";
import { print } from "../graph/index.ts";
import { type Tensor, trace } from "../graph/internal.ts";

export interface KernelReport {
  /** Loops, expressions and stores, one a line. */
  readonly text: string;
  /** Loops over results shared among threads, the register tile, and the axis along vector lanes, with their sizes. */
  readonly layout: string;
  /** Multiplications and additions of its reductions, per run of the program. */
  readonly flops: number;
  /** Bytes of all buffers that it reads or writes, per run of the program. */
  readonly bytes: number;
  /** How often the program runs it. */
  readonly runs: number;
}

export interface Explanation {
  /** The graph, one node a line. */
  readonly graph: string;
  readonly kernels: readonly KernelReport[];
  /** Bytes for intermediate values, after sharing. */
  readonly arenaBytes: number;
  /** The whole program as text: kernels, then the order in which they run on which buffers. */
  readonly program: string;
}

/** Compiles what the tensors need, without running it, and tells what came out. Passes in `without` are left out. */
export function explain(
  tensors: Tensor | readonly Tensor[],
  { without }: { without?: readonly Pass[] } = {},
): Explanation {
  const list = Array.isArray(tensors) ? (tensors as readonly Tensor[]) : [tensors as Tensor];
  const program = compileTrace(trace(list), new Set(without));
  const kernels = kernelReports(program);
  return { graph: print(...list), kernels, arenaBytes: program.arenaBytes, program: printProgram(program) };
}

/** What each distinct kernel of a program is and costs. */
export function kernelReports(program: Program): KernelReport[] {
  return program.kernels.map(({ tiled, text }, i) => {
    const steps = program.steps.filter((s) => s.kernel === i);
    const size = (axes: readonly { extent: number }[]): string => axes.map((a) => a.extent).join("×") || "1";
    const tile = tiled.unrolled.map((u) => `${u.factor} of ${u.axis.extent}`);
    if (tiled.vector !== undefined)
      tile.push(`${tiled.vectors} vector${tiled.vectors > 1 ? "s" : ""} along ${tiled.vector.extent}`);
    const terms = [...tiled.outer, ...tiled.reduced].reduce((n, a) => n * a.extent, tiled.reductions.length);
    return {
      text,
      layout: `loops ${size(tiled.plain)}; tile ${tile.join(", ") || "1"}; reduced ${size(tiled.reducedOrder)}`,
      flops: 2 * terms * steps.length,
      bytes: steps.reduce((sum, s) => sum + s.accesses.reduce((n, a) => n + a.bytes, 0), 0),
      runs: steps.length,
    };
  });
}
