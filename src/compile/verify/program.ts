// The verifier of compiled programs: checks the intermediate form after each pass, apart from the passes' own reasoning.
import type { Trace } from "../../graph/internal.ts";
import type { Prepared } from "../1-prepare.ts";
import { share } from "../6-share.ts";
import type { Kernel } from "../kernel.ts";
import type { Program } from "../program.ts";
import { verifyKernel, verifyParts } from "./kernel.ts";
import { verifyMemory } from "./memory.ts";
import { verifyRuns } from "./strips.ts";
import { verifyPhases } from "./threads.ts";
import { verifyTile } from "./tile.ts";

export { verifyGroups, verifyPrepared } from "./graph.ts";

/** Checks kernels, layouts, memory and threads of a program; `kernels` are those of its steps. Throws `verify: after …: …`. */
export function verifyProgram(trace: Trace, prepared: Prepared, program: Program, kernels: readonly Kernel[]): void {
  const touched = program.kernels.map(({ tiled }, i) => {
    const found = verifyKernel(tiled, `k${i}`);
    verifyTile(tiled, `k${i}`);
    return found;
  });
  verifyParts(kernels);
  verifyRuns(program, kernels);
  verifyMemory(trace, prepared, program, kernels, touched);
  verifyPhases(program, share(program));
}
