// hebb devices: where tensors can be computed on this machine.
import { availableParallelism } from "node:os";
import { device, devices as deviceReports } from "../run/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { chooseDevice } from "./setup.ts";

export const devices: Command = {
  summary: "lists where to compute",
  positionals: "",
  flags: ["json"],
  run: async (positionals, options, io) => {
    if (positionals.length > 0) throw new UsageError(`devices takes no arguments, got ${positionals.join(" ")}`);
    const problem = choose();
    const threads = availableParallelism();
    const found = deviceReports();
    const chosen = problem === undefined ? device() : undefined; // asked last: without a compiler, native is wasm
    const list = found.map(({ name, description, sharesThreads, detail, problem }) => ({
      name,
      threads: sharesThreads ? threads : 1,
      chosen: name === chosen,
      description: problem ? `not here: ${problem}` : detail ? `${description} (${detail})` : description,
    }));
    const lines = list.map(
      ({ name, threads, chosen, description }) =>
        `${chosen ? "*" : " "} ${name.padEnd(6)} ${`${threads}`.padStart(3)} thread${threads === 1 ? " " : "s"}  ${description}`,
    );
    const note = problem ?? "* is used unless --device or HEBB_DEVICE says otherwise";
    report(io, options, `${lines.join("\n")}\n${note}`, { command: "devices", devices: list, problem });
    return 0;
  },
};

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
