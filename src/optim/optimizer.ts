// What every optimizer offers: one verb, and what a training loop watches, saves and restores.
import type { Step, Tensor } from "../graph/index.ts";
import type { Loss } from "./loss.ts";
import type { Schedule } from "./schedule.ts";

/** What a probe sees of the step being traced. */
export interface Seen extends Pick<Step, "outputs"> {
  readonly loss: Tensor;
  /** What the loss returned as outputs, undefined where it returned a tensor. */
  readonly returned: unknown;
  /** By parameter name, as they are before any transform; of the parameters that have one. */
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
  /** What it minimizes; where it follows a source of gradients, the figure that `step` returns. */
  readonly loss: Loss<B>;
  /** The slots, by parameter and slot name, e.g. "0.weight.momentum"; saved with `stateDict` and restored with `load`. */
  readonly state: ReadonlyMap<string, Tensor>;
  /**
   * Steps done, one a batch; set it when a run is resumed. With `accumulate(k)` the parameters have moved ⌊steps / k⌋ times:
   * schedules and bias corrections count these moves.
   */
  steps: number;
  /** The learning rate, or its schedule. Changing it recompiles nothing. */
  lr: number | Schedule;
  /** The learning rate of the next step. */
  readonly rate: number;
  /** Extra outputs of each step, or undefined. Changing it compiles the step anew. */
  probe: Probe<B> | undefined;
  /** What the probe asked for, from the last step. */
  readonly probes: Readonly<Record<string, Tensor>>;
  /** Repeats the last step's computation, dropout included, without updates: the first value that is not finite, or undefined. */
  diagnose(batch: B): Promise<string | undefined>;
}
