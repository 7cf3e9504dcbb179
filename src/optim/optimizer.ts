// What every optimizer offers: one verb, and what a training loop watches, saves and restores.
import { type Step, Tensor } from "../graph/index.ts";
import type { Schedule } from "./schedule.ts";

/** What a batch is unless a loss says otherwise: inputs and what they should give. */
export interface Labelled {
  x: Tensor;
  y: Tensor;
}

/** The loss of a batch: a float tensor of one element, alone or with the outputs that it was computed from, for metrics. */
export type Loss<B, O = unknown> = (batch: B) => Tensor | { readonly loss: Tensor; readonly outputs: O };

/** What a loss returned, taken apart. */
export const lossOf = <O>(result: ReturnType<Loss<never, O>>): { readonly loss: Tensor; readonly outputs?: O } =>
  result instanceof Tensor || typeof result !== "object" || result === null ? { loss: result } : result;

/** What a probe sees of the step being traced. */
export interface Seen extends Pick<Step, "outputs"> {
  readonly loss: Tensor;
  /** The outputs that the loss returned beside it, if any. */
  readonly returned: unknown;
  /** By parameter name. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/** Values that a step shall return besides its loss, by name. */
export type Probe<B> = (batch: B, seen: Seen) => Record<string, Tensor>;

export interface Optimizer<B> {
  /**
   * One step on a batch (tensors in any nesting of arrays and plain objects): updates the parameters and returns the loss
   * before it. A loss that is not finite is returned, but changes nothing: parameters, running statistics, slots and
   * `steps` stay as they were.
   */
  step(batch: B): Promise<number>;
  /** What it minimizes. */
  readonly loss: Loss<B>;
  /** The slots, by parameter and slot name, e.g. "0.weight.momentum"; saved with `stateDict` and restored with `load`. */
  readonly state: ReadonlyMap<string, Tensor>;
  /** Steps done; set it when a run is resumed. */
  steps: number;
  /** The learning rate, or its schedule. Changing it recompiles nothing. */
  lr: number | Schedule;
  /** Extra outputs of each step, or undefined. Changing it compiles the step anew. */
  probe: Probe<B> | undefined;
  /** What the probe asked for, from the last step. */
  readonly probes: Readonly<Record<string, Tensor>>;
  /** Repeats the last step's computation, dropout included, without updates: the first value that is not finite, or undefined. */
  diagnose(batch: B): Promise<string | undefined>;
}
