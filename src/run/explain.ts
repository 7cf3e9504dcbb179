// explain(t): what would be computed for a tensor, as data: the graph, the kernels, their loops, work and memory traffic.
import type { Executable } from "../backend/backend.ts";
import { type Program, printProgram } from "../compile/program.ts";
import { print } from "../graph/index.ts";
import { type Tensor, trace } from "../graph/internal.ts";
import { currentBackend } from "./device.ts";
import { executableFor } from "./execute.ts";
import { inTurn } from "./turns.ts";

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
  /** Where it would run. */
  readonly device: string;
  /** The graph, one node a line. */
  readonly graph: string;
  /** None where the device interprets the graph as it is. */
  readonly kernels: readonly KernelReport[];
  /** Bytes for intermediate values, after sharing. */
  readonly arenaBytes: number;
  /** The whole program as text: kernels, then the order in which they run on which buffers. */
  readonly program: string;
  /** The code that runs: C, or a WebAssembly module in base64. */
  readonly source: string;
}

/**
 * Prepares what the tensors need on the current device, without running it, and tells what came out. With `repeated` as in a
 * compiled function, on which more work is spent.
 */
export async function explain(
  tensors: Tensor | readonly Tensor[],
  { repeated = false }: { repeated?: boolean } = {},
): Promise<Explanation> {
  const list = Array.isArray(tensors) ? (tensors as readonly Tensor[]) : [tensors as Tensor];
  const graph = print(...list);
  const backend = currentBackend();
  const executable = await inTurn(() => executableFor(backend, trace(list), repeated, true));
  return { device: backend.name, graph, ...describe(executable) };
}

/** What an executable runs. */
function describe({ program, source }: Executable): Omit<Explanation, "device" | "graph"> {
  return {
    kernels: program === undefined ? [] : kernelReports(program),
    arenaBytes: program?.arenaBytes ?? 0,
    program: program === undefined ? "" : printProgram(program),
    source: source?.() ?? "",
  };
}

/** What each distinct kernel of a program is and costs. */
export function kernelReports(program: Program): KernelReport[] {
  return program.kernels.map(({ tiled, text }, i) => {
    const calls = program.calls.filter((s) => s.kernel === i);
    const size = (axes: readonly { extent: number }[]): string => axes.map((a) => a.extent).join("×") || "1";
    const tile = tiled.unrolled.map((u) => `${u.factor} of ${u.axis.extent}`);
    if (tiled.vector !== undefined)
      tile.push(`${tiled.vectors} vector${tiled.vectors > 1 ? "s" : ""} along ${tiled.vector.extent}`);
    const terms = [...tiled.outer, ...tiled.reduced].reduce((n, a) => n * a.extent, tiled.reductions.length);
    return {
      text,
      layout: `loops ${size(tiled.plain)}; tile ${tile.join(", ") || "1"}; reduced ${size(tiled.reducedOrder)}`,
      flops: 2 * terms * calls.length,
      bytes: calls.reduce((sum, s) => sum + s.accesses.reduce((n, a) => n + a.bytes, 0), 0),
      runs: calls.length,
    };
  });
}
