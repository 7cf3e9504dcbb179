// What pages' bundles get in the place of the verifier (the field `browser` of package.json), which is a tool of the tests and of Node.
const absent = (): never => {
  throw new Error("verify: bundles for pages leave the verifier out; verify in Node");
};

export { absent as verifyGroups, absent as verifyPrepared, absent as verifyProgram };
