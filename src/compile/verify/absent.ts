// What pages' bundles get in the place of the verifier (the field `browser` of package.json), which is a tool of the tests and of Node.
import type * as real from "./program.ts";

const absent = (): never => {
  throw new Error("verify: bundles for pages leave the verifier out; verify in Node");
};

export const verifyPrepared: typeof real.verifyPrepared = absent;
export const verifyGroups: typeof real.verifyGroups = absent;
export const verifyProgram: typeof real.verifyProgram = absent;
