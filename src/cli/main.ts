#!/usr/bin/env node
// The program `hebb`: the command line on this process's arguments, streams and signals.
import { main } from "./cli.ts";
import { programName } from "./program.ts";

function interruption(): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop); // how containers and batch systems say the same
  return controller.signal;
}

const [, script, ...args] = process.argv;
const { stdout, stderr } = process;
stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== "EPIPE") stderr.write(`hebb: cannot write to standard output (${message})\n`); // EPIPE: whoever read it has enough
  process.exit(1);
});
stderr.on("error", () => {}); // nobody is left to tell, and a training goes on without being watched
process.exitCode = await main(args, { program: programName(script), stdout, stderr, interruption });
