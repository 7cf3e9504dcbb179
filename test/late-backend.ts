// A backend as a graphics card is one: everything happens later, buffers are aligned widely, kernels have few of them.
import type { Backend, Executable } from "../src/backend/backend.ts";
import { WasmBackend } from "../src/backend/wasm/index.ts";
import type { Program } from "../src/compile/program.ts";
import { type Target, wasmTarget } from "../src/compile/target.ts";
import { bytesOf, type Data, type DType, type Trace } from "../src/graph/internal.ts";

const target: Target = { ...wasmTarget, alignment: 256, mostBuffers: 5, mostBytes: 2 ** 20 };

export class LateBackend implements Backend {
  readonly name = "late";
  readonly target: Target = target;
  readonly #inner = new WasmBackend({ threads: 1, poison: true, verify: true, target });
  /** What has been asked for and is not done yet. */
  #queue: Promise<unknown> = Promise.resolve();

  #later<T>(work: () => T): Promise<T> {
    const result = this.#queue.then(() => new Promise((resolve) => setImmediate(resolve))).then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  allocate(dtype: DType, size: number): number {
    return this.#inner.machine.alloc(size * bytesOf[dtype] + 64, target.alignment);
  }

  free(address: number): void {
    this.#later(() => this.#inner.free(address));
  }

  write(address: number, data: Data): void {
    const copy = data.slice();
    this.#later(() => this.#inner.write(address, copy));
  }

  read(address: number, dtype: DType, size: number): Promise<Data> {
    return this.#later(() => this.#inner.read(address, dtype, size));
  }

  async prepare(trace: Trace): Promise<Executable> {
    const { program, run } = await this.#later(() => this.#inner.prepare(trace));
    const problem = excess(program!);
    if (problem !== undefined) throw new Error(`late: ${problem}`);
    return {
      program,
      run: (leaves, outputs) => {
        for (const address of [...leaves, ...outputs])
          if (address % target.alignment !== 0) throw new Error(`late: a buffer at ${address}`);
        return this.#later(() => run(leaves, outputs) as undefined);
      },
    };
  }
}

/** Where a program goes past the limits. */
function excess({ kernels, calls }: Program): string | undefined {
  const crowded = kernels.find(({ tiled }) => tiled.buffers.length > target.mostBuffers);
  if (crowded !== undefined) return `${crowded.tiled.buffers.length} buffers\n${crowded.text}`;
  const askew = calls
    .flatMap((s) => s.accesses)
    .find(({ location }) => location.kind === "arena" && location.offset % target.alignment !== 0);
  return askew === undefined ? undefined : `a buffer at ${JSON.stringify(askew.location)}`;
}
