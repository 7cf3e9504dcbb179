// Gradients that are zeros but for some rows, as those of an embedding: a step need not walk over the whole table.
import { concat, type Tensor, where } from "../graph/index.ts";
import { make } from "../graph/internal.ts";

/** Rows of a table, i32 [n], and what is added to each of them, [n, …]; a row that comes twice gets both. */
export interface Rows {
  readonly rows: Tensor;
  readonly values: Tensor;
}

/** What a gradient adds up, where it is nothing but rows among zeros, as that of gather is; else undefined. */
export function rowsOf(g: Tensor): Rows | undefined {
  const parts: Rows[] = [];
  const stack = [g];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const t = bare(top);
    const [values, rows] = t.inputs;
    if (t.op === "add") stack.push(...t.inputs);
    else if (t.op !== "scatterAdd" || t.inputs.length > 2) return undefined;
    else parts.push({ rows: rows.reshape(-1), values: values.reshape(rows.size, ...values.shape.slice(rows.rank)) });
  }
  if (parts.length === 1) return parts[0];
  return { rows: concat(parts.map(({ rows }) => rows)), values: concat(parts.map(({ values }) => values)) };
}

/** The table with values added to its rows: where that is what a leaf becomes, it is done where the leaf lies. */
export const addRows = (table: Tensor, { rows, values }: Rows): Tensor =>
  make("scatterAdd", [values, rows, table], { size: table.shape[0] });

/** An update's value where `happens` holds, else the leaf as it is. */
export function updateIf(happens: Tensor, { leaf, value }: { readonly leaf: Tensor; readonly value: Tensor }): Tensor {
  const { op, inputs } = bare(value);
  const [values, rows, table] = inputs;
  if (op !== "scatterAdd" || table !== leaf) return where(happens, value, leaf);
  return addRows(leaf, { rows, values: where(happens, values, -0) }); // x + −0 is x, of −0 too
}

/** The node below casts that change nothing. */
const bare = (t: Tensor): Tensor => (t.op === "cast" && t.inputs[0].dtype === t.dtype ? bare(t.inputs[0]) : t);
