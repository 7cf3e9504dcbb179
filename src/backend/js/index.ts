// The js backend: runs a trace node by node with the reference interpreter.
import { allocate, type Data, type DType, type Node, sizeOf, type Trace } from "../../graph/internal.ts";
import type { Backend, Executable } from "../backend.ts";
import { interpret, type Values, valuesFor } from "./interpret.ts";

const rounded = (values: Values, dtype: DType): Values => (dtype === "f32" ? values.map(Math.fround) : values.slice());

export class JsBackend implements Backend {
  readonly name = "js";
  readonly #memory = new Map<number, Values>();
  #next = 1;

  allocate(dtype: DType, size: number): number {
    this.#memory.set(this.#next, valuesFor(dtype, size));
    return this.#next++;
  }

  free(address: number): void {
    this.#memory.delete(address);
  }

  write(address: number, data: Data): void {
    this.#at(address).set(data);
  }

  read(address: number, dtype: DType, size: number): Data {
    const data = allocate(dtype, size);
    data.set(this.#at(address));
    return data;
  }

  prepare(trace: Trace): Executable {
    return {
      run: (leaves, outputs) => {
        const values = this.#evaluate(trace, leaves);
        trace.outputs.forEach((node, i) => {
          this.#at(outputs[i]).set(values.get(node)!);
        });
        // a leaf keeps what its dtype can hold, so that a saved and restored run continues with the same bits
        const updates = trace.updates.map(({ leaf, value }) => ({
          leaf,
          value: rounded(values.get(value)!, value.dtype),
        }));
        for (const { leaf, value } of updates) this.#at(leaves[leaf]).set(value);
      },
    };
  }

  #evaluate(trace: Trace, leaves: readonly number[]): Map<Node, Values> {
    const values = new Map<Node, Values>();
    for (const node of trace.nodes) {
      if (node.op === "buffer") {
        values.set(node, this.#at(leaves[node.leaf]));
        continue;
      }
      const out = valuesFor(node.dtype, sizeOf(node.shape));
      const inputs = node.inputs.map((i) => values.get(i)!);
      interpret[node.op](node, inputs, out);
      values.set(node, out);
    }
    return values;
  }

  #at(address: number): Values {
    const values = this.#memory.get(address);
    if (values === undefined) throw new Error(`js: no memory at ${address}`);
    return values;
  }
}
