// hebb devices: where tensors can be computed on this machine.
import { availableParallelism } from "node:os";
import { device, deviceNames, nativeCompiler } from "../run/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { chooseDevice } from "./setup.ts";

const descriptions: Readonly<Record<string, string>> = {
  native: "large steps compiled to machine code, small ones to WebAssembly",
  wasm: "compiled to WebAssembly, with SIMD and threads",
  js: "reference interpreter in double precision: slow, for checking",
};

export const devices: Command = {
  summary: "lists where to compute",
  positionals: "",
  flags: ["json"],
  run: async (positionals, options, io) => {
    if (positionals.length > 0) throw new UsageError(`devices takes no arguments, got ${positionals.join(" ")}`);
    const problem = choose();
    const threads = availableParallelism();
    const compiler = findCompiler();
    const chosen = problem === undefined ? device() : undefined; // asked last: without a compiler, native is wasm
    const list = deviceNames
      .filter((name) => name !== "auto")
      .map((name) => ({
        name,
        threads: name === "js" ? 1 : threads,
        chosen: name === chosen,
        description:
          name === "native" ? (compiler.problem ?? `${descriptions[name]} (${compiler.version})`) : descriptions[name],
      }));
    const lines = list.map(
      ({ name, threads, chosen, description }) =>
        `${chosen ? "*" : " "} ${name.padEnd(6)} ${`${threads}`.padStart(3)} threads  ${description}`,
    );
    const note = problem ?? "* is used unless --device or HEBB_DEVICE says otherwise";
    report(io, options, `${lines.join("\n")}\n${note}`, { command: "devices", devices: list, problem });
    return 0;
  },
};

/** The C compiler, or why there is no native code. */
function findCompiler(): { version?: string; problem?: string } {
  try {
    return { version: nativeCompiler() };
  } catch (error) {
    return { problem: `not here: ${(error as Error).message}` };
  }
}

/** Why commands would find no device: HEBB_DEVICE may name one that does not exist. */
function choose(): string | undefined {
  try {
    chooseDevice({});
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}
