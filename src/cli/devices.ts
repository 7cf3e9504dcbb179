// hebb devices: where tensors can be computed on this machine.
import { availableParallelism } from "node:os";
import { deviceNames } from "../run/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { chooseDevice } from "./setup.ts";

const descriptions: Readonly<Record<string, string>> = {
  wasm: "compiled to WebAssembly, with SIMD and threads",
  js: "reference interpreter in double precision: slow, for checking",
};

export const devices: Command = {
  summary: "lists where to compute",
  positionals: "",
  flags: ["json"],
  run: async (positionals, options, io) => {
    if (positionals.length > 0) throw new UsageError(`devices takes no arguments, got ${positionals.join(" ")}`);
    const { chosen, problem } = inUse();
    const threads = availableParallelism();
    const list = deviceNames
      .filter((name) => name !== "auto")
      .map((name) => ({
        name,
        threads: name === "js" ? 1 : threads,
        chosen: name === chosen,
        description: descriptions[name],
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

/** The device that commands would take, or why there is none: HEBB_DEVICE may name one that does not exist. */
function inUse(): { chosen?: string; problem?: string } {
  try {
    return { chosen: chooseDevice({}) };
  } catch (error) {
    if (error instanceof UsageError) return { problem: error.message };
    throw error;
  }
}
