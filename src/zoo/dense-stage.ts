// One layer of an auto-encoder's half.
import { type Tensor, within } from "../graph/index.ts";
import { Flatten, identity, Linear, TiedLinear } from "../nn/index.ts";

/** a(W·x + b): x [B, …], flattened to [B, inputs] → [B, outputs]; from widths, or with the weights of another stage, transposed. */
export class DenseStage {
  linear: Linear | TiedLinear;
  readonly activation: (u: Tensor) => Tensor;
  readonly flatten: Flatten = new Flatten();

  constructor(
    from: readonly [inputs: number, outputs: number] | DenseStage,
    activation: (u: Tensor) => Tensor = identity,
  ) {
    this.linear = from instanceof DenseStage ? new TiedLinear(linearOf(from)) : new Linear(from[0], from[1]);
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.activation(this.linear.forward(this.flatten.forward(x))));
  }
}

/** A stage's own layer. Throws where it shares another's. */
export function linearOf({ linear }: DenseStage): Linear {
  if (linear instanceof Linear) return linear;
  throw new TypeError(
    "autoencoder: a stage with tied weights has no weights of its own; give the stage that it is tied to",
  );
}
