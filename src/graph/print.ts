// Printing a graph: one line a node, inputs before users.
import { topological } from "./grad.ts";
import { show } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** The graph below the tensors as text, e.g. `%3 = matmul(%1, %2) f32 [32, 10]  Linear "net.2"`. */
export function print(...roots: Tensor[]): string {
  const names = new Map<Tensor, string>();
  return topological(roots)
    .map((t, i) => {
      names.set(t, `%${i}`);
      const attributes =
        t.op === "buffer"
          ? [t.leaf("print").role]
          : Object.entries(t.args).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
      const operands = [...t.inputs.map((x) => names.get(x)), ...attributes].join(", ");
      return `%${i} = ${t.op}(${operands}) ${t.dtype} ${show(t.shape)}${t.module === "" ? "" : `  ${t.module}`}`;
    })
    .join("\n");
}
