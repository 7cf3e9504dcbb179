// HEBB_DEBUG=1 … 4: what is prepared to run, on standard error. 1 a line a program, whose intermediate form is verified (and stack
// traces of the command line); 2 also its kernels with their work and traffic; 3 also their loops and order; 4 also the code.
import type { Executable } from "../backend/backend.ts";
import { printProgram } from "../compile/program.ts";
import type { Trace } from "../graph/internal.ts";
import { type KernelReport, kernelReports } from "./explain.ts";

/** The level asked for, 0 where none is; any other text than a number counts as 1. */
export function debugLevel(): number {
  const wanted = globalThis.process?.env?.HEBB_DEBUG ?? "";
  const level = Number(wanted);
  return wanted !== "" && Number.isNaN(level) ? 1 : level;
}

/** Prints what the level asks for of a program just prepared on a device in so many milliseconds. */
export function reportProgram(
  device: string,
  { program, source }: Executable,
  trace: Trace,
  milliseconds: number,
): void {
  const level = debugLevel();
  const head = `hebb: ${device}: ${trace.nodes.length} nodes, prepared in ${milliseconds.toFixed(1)} ms`;
  if (program === undefined) {
    console.error(head); // it runs the graph as it is
    return;
  }
  const { kernels, calls, arenaBytes } = program;
  console.error(`${head}: ${kernels.length} kernels, run ${calls.length} times, arena ${arenaBytes} bytes`);
  if (level >= 2) console.error(table(kernelReports(program)));
  if (level >= 3) console.error(printProgram(program));
  if (level >= 4 && source !== undefined) console.error(source());
}

/** A line a kernel: `k0   runs 2   1843200 flops   614400 bytes   loops 64×512; tile …`. */
const table = (kernels: readonly KernelReport[]): string =>
  kernels
    .map(({ runs, flops, bytes, layout }, i) => {
      const columns = [`k${i}`.padEnd(5), `runs ${runs}`.padEnd(9), `${flops} flops`.padStart(18)];
      return `  ${[...columns, `${bytes} bytes`.padStart(18), ` ${layout}`].join(" ")}`;
    })
    .join("\n");
