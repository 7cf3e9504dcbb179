// How the verifier words what it finds: one line that names the pass whose result is wrong, the thing, and what is wrong with it.
import { type Node, show } from "../../graph/internal.ts";

export type Checked = "prepare" | "schedule" | "lower" | "tile" | "strips" | "plan" | "share";

/** Throws `verify: after plan: …`. */
export function fault(pass: Checked, problem: string): never {
  throw new Error(`verify: after ${pass}: ${problem}`);
}

/** A node in an error: `add f32 [2, 3]`. */
export const named = (n: Node): string => `${n.op}#${n.id} ${n.dtype} ${show(n.shape)}`;
