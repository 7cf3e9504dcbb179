// A contestant's process as the driver sees it: started, asked one thing at a time, stopped when it takes too long.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const newerNode = path("node_modules/node/bin/node");
const python = process.env.HEBB_BENCH_PYTHON ?? "/usr/bin/python3";

const entry = (title, threads, limit, program, file, reference, ...rest) => ({
  title,
  threads,
  limit,
  reference,
  command: [program, path(`contestants/${file}`), String(threads), ...rest],
});

/** By the name that `--contestants` takes. limit: what of the machine's bounds it. reference: whom its speed is compared with, the better one if there are several. */
export const contestants = {
  hebb1: entry("hebb wasm, 1 thread", 1, "wasm", process.execPath, "hebb.mjs", ["torch1"], "wasm"),
  hebb2: entry("hebb wasm, 2 threads", 2, "wasm", process.execPath, "hebb.mjs", ["torch1", "torch2"], "wasm"),
  native1: entry("hebb native, 1 thread", 1, "native", process.execPath, "hebb.mjs", ["torch1"], "native"),
  native2: entry("hebb native, 2 threads", 2, "native", process.execPath, "hebb.mjs", ["torch1", "torch2"], "native"),
  torch1: entry("PyTorch, 1 thread", 1, "native", python, "pytorch.py"),
  torch2: entry("PyTorch, 2 threads", 2, "native", python, "pytorch.py"),
  onnx1: entry("onnxruntime, 1 thread", 1, "native", process.execPath, "onnx.mjs", ["torch1"]),
  onnx2: entry("onnxruntime, 2 threads", 2, "native", process.execPath, "onnx.mjs", ["torch1", "torch2"]),
  jax: entry("jax-js wasm", 1, undefined, newerNode, "jax.mjs", ["torch1"]),
  tfjs: entry("TensorFlow.js wasm", 1, undefined, process.execPath, "tfjs.mjs", ["torch1"]),
};

export class Contestant {
  #name;
  #extra;
  #child;
  #errors = "";
  #waiting;

  constructor(name, extra = []) {
    this.#name = name;
    this.#extra = extra;
  }

  /** The first answer: { ready: version } or, with `--first`, the time; { error } where it does not start. */
  start(limit = 60, variables = {}) {
    const { command, threads } = contestants[this.#name];
    const [program, ...rest] = command;
    const env = {
      ...process.env,
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      ...variables,
    };
    const child = spawn(program, [...rest, ...this.#extra], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    this.#errors = "";
    const gone = (reason) => {
      if (this.#child === child) this.#child = undefined;
      this.#waiting?.({ error: reason });
    };
    child.on("error", (error) => gone(error.code === "ENOENT" ? `${program} is not there` : error.message));
    child.on("exit", (code, signal) => gone(this.#lastError() || `ended with ${signal ?? `status ${code}`}`));
    child.stderr.on("data", (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-4000);
    });
    child.stdin.on("error", () => {}); // a dead process is reported by its exit
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.#waiting?.(JSON.parse(line)); // libraries print greetings, too
    });
    return this.#answer(limit);
  }

  /** The answer to a request; starts the process again if it is gone. { error } after `limit` seconds, which end it. */
  async ask(request, limit) {
    if (this.#child === undefined) {
      const { error } = await this.start();
      if (error !== undefined) return { error };
    }
    const answer = this.#answer(limit);
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer;
  }

  stop() {
    const child = this.#child;
    this.#child = undefined;
    child?.kill("SIGKILL");
  }

  #answer(limit) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#waiting({ error: `more than ${limit} s` }, this.stop()), 1000 * limit);
      this.#waiting = (answer) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(answer);
      };
    });
  }

  #lastError() {
    const lines = this.#errors.split("\n").map((line) => line.trim());
    return lines.findLast((line) => /error/i.test(line)) ?? lines.findLast((line) => line !== "") ?? "";
  }
}
