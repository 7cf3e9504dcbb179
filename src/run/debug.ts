// HEBB_DEBUG=1 … 4: what is compiled, on standard error. 1 a line a program (and stack traces of the command line); 2 also its
// kernels with their work and traffic; 3 also their loops and the order they run in; 4 also the WebAssembly module, base64.
import type { Backend } from "../backend/backend.ts";
import { WasmBackend } from "../backend/wasm/index.ts";
import { emitProgram } from "../backend/wasm/module.ts";
import { compileTrace, type Program, printProgram } from "../compile/program.ts";
import type { Trace } from "../graph/internal.ts";
import { type KernelReport, kernelReports } from "./explain.ts";

/** The level asked for, 0 where none is; any other text than a number counts as 1. */
export function debugLevel(): number {
  const wanted = globalThis.process?.env?.HEBB_DEBUG ?? "";
  const level = Number(wanted);
  return wanted !== "" && Number.isNaN(level) ? 1 : level;
}

/** Prints what the level asks for of a program just prepared in so many milliseconds. */
export function reportProgram(backend: Backend, trace: Trace, milliseconds: number): void {
  const level = debugLevel();
  const head = `hebb: ${backend.name}: ${trace.nodes.length} nodes, prepared in ${milliseconds.toFixed(1)} ms`;
  if (!(backend instanceof WasmBackend)) {
    console.error(head); // it runs the graph as it is
    return;
  }
  const program = compileTrace(trace, undefined, undefined, { verify: true });
  const { kernels, steps, arenaBytes } = program;
  console.error(`${head}: ${kernels.length} kernels, run ${steps.length} times, arena ${arenaBytes} bytes`);
  if (level >= 2) console.error(table(kernelReports(program)));
  if (level >= 3) console.error(printProgram(program));
  if (level >= 4) console.error(moduleText(program, backend));
}

/** A line a kernel: `k0   runs 2   1843200 flops   614400 bytes   loops 64×512; tile …`. */
const table = (kernels: readonly KernelReport[]): string =>
  kernels
    .map(({ runs, flops, bytes, layout }, i) => {
      const columns = [`k${i}`.padEnd(5), `runs ${runs}`.padEnd(9), `${flops} flops`.padStart(18)];
      return `  ${[...columns, `${bytes} bytes`.padStart(18), ` ${layout}`].join(" ")}`;
    })
    .join("\n");

function moduleText(program: Program, backend: WasmBackend): string {
  const { bytes } = emitProgram(program, backend.machine.imports);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `WebAssembly module of ${bytes.length} bytes, base64:\n${btoa(text)}`;
}
