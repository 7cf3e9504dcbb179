// One layer of an auto-encoder's half.
import { type Tensor, within } from "../graph/index.ts";
import { Flatten, identity, type init, Linear, TiedLinear } from "../nn/index.ts";

export interface DenseStageOptions {
  activation?: (u: Tensor) => Tensor;
  /** Starting values of weights of its own. */
  init?: init.Init | undefined;
}

/**
 * a(W·x + b): x [B, …], flattened to [B, inputs] → [B, outputs]; from widths, or with the weights of another stage, transposed.
 * Throws a TypeError for a stage that shares its weights already.
 */
export class DenseStage {
  linear: Linear | TiedLinear;
  readonly activation: (u: Tensor) => Tensor;
  readonly flatten: Flatten = new Flatten();

  constructor(
    from: readonly [inputs: number, outputs: number] | DenseStage,
    { activation = identity, init }: DenseStageOptions = {},
  ) {
    this.linear =
      from instanceof DenseStage
        ? new TiedLinear(ownLinear(from))
        : new Linear(from[0], from[1], init === undefined ? {} : { init });
    this.activation = activation;
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => this.activation(this.linear.forward(this.flatten.forward(x))));
  }
}

function ownLinear({ linear }: DenseStage): Linear {
  if (linear instanceof Linear) return linear;
  throw new TypeError("DenseStage: the stage has no weights of its own; give the one that it is tied to");
}
