// The embedding layer.
import { param, type Tensor, where, within } from "../graph/index.ts";
import { type Init, normal } from "./init.ts";
import { checkSizes } from "./module.ts";

export interface EmbeddingOptions {
  init?: Init;
  /** The index of padding: its row starts from zeros and has no gradient. Negative ones count from the end. */
  paddingIndex?: number;
}

/**
 * A learned row per index, indices i32 [...] → [..., features]; starts from N(0, 1), as in PyTorch. An index
 * outside 0 … count − 1 gives NaN. Throws a RangeError where paddingIndex is none of the rows.
 */
export class Embedding {
  weight: Tensor; // [count, features]
  readonly paddingIndex: number | undefined;

  constructor(count: number, features: number, { init = normal, paddingIndex }: EmbeddingOptions = {}) {
    checkSizes("Embedding", { count, features });
    const values = init([count, features]).slice();
    if (paddingIndex !== undefined) {
      const row = paddingIndex < 0 ? paddingIndex + count : paddingIndex;
      if (!Number.isInteger(row) || row < 0 || row >= count)
        throw new RangeError(`Embedding: paddingIndex must be one of ${count} rows, got ${paddingIndex}`);
      values.fill(0, row * features, (row + 1) * features);
      this.paddingIndex = row;
    }
    this.weight = param(values, [count, features]);
  }

  forward(indices: Tensor): Tensor {
    return within(this, indices, () => {
      const rows = this.weight.gather(indices);
      if (this.paddingIndex === undefined) return rows;
      return where(indices.eq(this.paddingIndex).unsqueeze(-1), rows.detach(), rows);
    });
  }
}
