// First-order optimizers: a pure rule for one parameter, lifted to one compiled step for a whole model.
import {
  capturing,
  full,
  grad,
  live,
  type RandomState,
  randomState,
  state,
  Tensor,
  training,
  where,
} from "../graph/index.ts";
import { type DType, fail, show } from "../graph/internal.ts";
import { namedParameters, nameModules } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import { diagnose, notFinite } from "./diagnose.ts";
import { type Labelled, type Loss, lossOf, type Optimizer, type Probe } from "./optimizer.ts";
import type { Schedule } from "./schedule.ts";

/** How one parameter p with gradient g moves: a pure function, written once for all parameters. */
export interface Rule<Slot extends string = string, Scalar extends string = string> {
  /** Tensors of p's shape that live from step to step, and the value that they start from. */
  readonly slots: Readonly<Record<Slot, number>>;
  /** Numbers that change from step to step, of the step's number t = 1, 2, … and its learning rate; in double precision on the host. */
  readonly scalars: Readonly<Record<Scalar, (t: number, lr: number) => number>>;
  update(
    p: Tensor,
    g: Tensor,
    slots: Readonly<Record<Slot, Tensor>>,
    scalars: Readonly<Record<Scalar, Tensor>>,
  ): { p: Tensor; slots: Readonly<Record<Slot, Tensor>> };
}

export interface FirstOrderOptions {
  /** Learning rate, or a schedule of it. */
  lr: number | Schedule;
  /**
   * What must be finite for a step to change anything. "loss" costs nothing; a gradient that is not finite at a finite loss
   * (such as that of √x at 0) then spoils its parameter, and the next step's loss shows it. "gradients" reads all
   * gradients once more, refuses the step, and returns NaN as its loss.
   */
  guard?: "loss" | "gradients" | undefined;
}

/** Lifts a rule over the parameters of a model, or of an array of them. Throws where there are none. */
export const firstOrder = <B = Labelled>(
  model: object,
  loss: Loss<B>,
  rule: Rule,
  options: FirstOrderOptions,
): Optimizer<B> => new FirstOrder(model, loss, rule, options);

/** The gradient once ½λ|p|² is added to the loss. */
export const penalized = (g: Tensor, p: Tensor, lambda: number): Tensor => (lambda === 0 ? g : g.add(p.mul(lambda)));

interface Slotted {
  readonly p: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
  readonly scalars: Readonly<Record<string, Tensor>>;
}

class FirstOrder<B> implements Optimizer<B> {
  readonly loss: Loss<B>;
  readonly state: ReadonlyMap<string, Tensor>;
  steps = 0;
  probes: Readonly<Record<string, Tensor>> = {};
  readonly #rule: Rule;
  readonly #guard: "loss" | "gradients";
  readonly #parameters: ReadonlyMap<string, Slotted>;
  #lr: number | Schedule = 0;
  #probe: Probe<B> | undefined;
  #compiled: (batch: B) => Promise<{ loss: Tensor; probes: Record<string, Tensor> }>;
  #running = false;
  /** The random stream before the last step, so that it can be repeated. */
  #random: RandomState = randomState();

  constructor(model: object, loss: Loss<B>, rule: Rule, { lr, guard = "loss" }: FirstOrderOptions) {
    const named = namedParameters(model);
    if (named.size === 0) throw new Error("optimizer: the model has no parameters (param(…) in its own properties)");
    nameModules(model);
    this.loss = loss;
    this.#rule = rule;
    this.#guard = guard;
    this.lr = lr;
    const scalars = this.#liveScalars();
    this.#parameters = new Map(
      [...named].map(([name, p]) => [name, { p, slots: slotsOf(rule, p), scalars: scalars(p.dtype) }]),
    );
    this.state = new Map(
      [...this.#parameters].flatMap(([name, { slots }]) =>
        Object.entries(slots).map(([slot, t]) => [`${name}.${slot}`, t] as const),
      ),
    );
    this.#compiled = compile((batch: B) => this.#trace(batch));
  }

  get lr(): number | Schedule {
    return this.#lr;
  }

  set lr(lr: number | Schedule) {
    if (typeof lr === "number") checkRate(lr);
    this.#lr = lr;
  }

  get probe(): Probe<B> | undefined {
    return this.#probe;
  }

  set probe(probe: Probe<B> | undefined) {
    if (probe === this.#probe) return;
    this.#probe = probe;
    this.probes = {};
    this.#compiled = compile((batch: B) => this.#trace(batch));
  }

  async step(batch: B): Promise<number> {
    if (this.#running) throw new Error("step: the step before has not finished (await it)");
    this.#running = true;
    try {
      this.#random = randomState();
      const { loss, probes } = await this.#compiled(batch);
      const [value] = await read(loss);
      this.probes = probes;
      if (Number.isFinite(value)) this.steps++;
      return value;
    } finally {
      this.#running = false;
    }
  }

  diagnose(batch: B): Promise<string | undefined> {
    const parameters = new Map([...this.#parameters].map(([name, { p }]) => [name, p]));
    return diagnose(parameters, this.loss, { batch, random: this.#random });
  }

  /** The graph of one step: the loss, its gradients, the rule's updates, guarded. */
  #trace(batch: B): { loss: Tensor; probes: Record<string, Tensor> } {
    const { updates, outputs } = capturing()!;
    const { loss: value, outputs: returned } = lossOf(training(() => this.loss(batch)));
    const loss = scalarOf(value);
    const all = [...this.#parameters.values()];
    const gradients = grad(
      loss,
      all.map(({ p }) => p),
    );
    all.forEach(({ p, slots, scalars }, i) => {
      const next = this.#rule.update(p, gradients[i], slots, scalars);
      p.assign(next.p);
      for (const slot of Object.keys(slots)) slots[slot].assign(next.slots[slot]);
    });
    const guarded = this.#guard === "loss" ? loss : where(anyNotFinite(gradients), Number.NaN, loss);
    const finite = guarded.lt(Number.POSITIVE_INFINITY).and(guarded.gt(Number.NEGATIVE_INFINITY));
    for (const update of updates.values()) update.value = where(finite, update.value, update.leaf);
    const names = [...this.#parameters.keys()];
    const byName = new Map(names.map((name, i) => [name, gradients[i]]));
    const seen = { outputs: [...outputs], loss, returned, gradients: byName };
    return { loss: guarded, probes: this.#probe?.(batch, seen) ?? {} };
  }

  /** The rule's scalars as live values, one set per dtype of parameters. */
  #liveScalars(): (dtype: DType) => Record<string, Tensor> {
    const made = new Map<DType, Record<string, Tensor>>();
    return (dtype) => {
      let scalars = made.get(dtype);
      if (scalars === undefined) {
        const entries = Object.entries(this.#rule.scalars).map(([name, value]) => {
          return [name, live(() => value(this.steps + 1, this.#rate()), [], dtype)] as const;
        });
        made.set(dtype, (scalars = Object.fromEntries(entries)));
      }
      return scalars;
    };
  }

  #rate(): number {
    return typeof this.#lr === "number" ? this.#lr : checkRate(this.#lr(this.steps));
  }
}

const slotsOf = (rule: Rule, p: Tensor): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(rule.slots).map(([slot, start]) => [slot, state(full(p.shape, start, p.dtype))]));

const anyNotFinite = (tensors: readonly Tensor[]): Tensor =>
  tensors
    .map(notFinite)
    .reduce((sum, count) => sum.add(count))
    .gt(0);

function scalarOf(loss: Tensor): Tensor {
  if (!(loss instanceof Tensor)) throw new TypeError(`step: the loss must be a tensor, got ${typeof loss}`);
  if (loss.size !== 1)
    fail("step", `the loss must be one number, got ${loss.dtype} ${show(loss.shape)} (take its mean)`);
  return loss.reshape([]);
}

function checkRate(lr: number): number {
  if (!(lr >= 0 && lr < Number.POSITIVE_INFINITY))
    throw new RangeError(`optimizer: lr must be a finite number ≥ 0, got ${lr}`);
  return lr;
}
