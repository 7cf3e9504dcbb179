// First-order optimizers: a pure rule for one parameter, lifted to one compiled step for a whole model.
import { capturing, full, live, type RandomState, randomState, state, Tensor, where } from "../graph/index.ts";
import { type DType, fail, kindOf, sameShape, show } from "../graph/internal.ts";
import { namedParameters, nameModules } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import { averageSlot, checkAverage, newShare } from "./average.ts";
import type { Constraint } from "./constraints.ts";
import { diagnose, notFinite } from "./diagnose.ts";
import { groupsOf, type ParameterGroup } from "./groups.ts";
import { checkLoss, differentiate, type GradientSource, type Labelled, type Loss, resultOf } from "./loss.ts";
import type { Optimizer, Probe } from "./optimizer.ts";
import { updateIf } from "./rows.ts";
import { checkRate, type Schedule } from "./schedule.ts";
import { checkDecay, checkTransforms, type Gradient, penalized, type Transform } from "./transforms.ts";

/** How one parameter p with gradient g moves: a pure function, written once for all parameters. */
export interface Rule<Slot extends string = string, Scalar extends string = string> {
  /** Tensors of p's shape that live from step to step, and the value that they start from. */
  readonly slots: Readonly<Record<Slot, number>>;
  /** Numbers that change from move to move, of the move's number t = 1, 2, … and its learning rate; in double precision on the host. */
  readonly scalars: Readonly<Record<Scalar, (t: number, lr: number) => number>>;
  /** Whether weight decay stays out of g: p ← (1 − lr·λ)·p before the update, instead of g ← g + λp (Loshchilov & Hutter, 2019). */
  readonly decoupled?: boolean;
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
  /** λ of the L2 penalty ½λ|θ|², whose gradient λθ is added after all transforms; a decoupled rule shrinks θ by lr·λ instead. */
  weightDecay?: number | undefined;
  /** Parameters with settings of their own. */
  groups?: readonly ParameterGroup[] | undefined;
  /** What happens to the gradients before the rule, in this order. */
  transforms?: readonly Transform[] | undefined;
  /** What holds of the parameters after each move, such as `maxNorm(3)`; brought about in this order. */
  constraints?: readonly Constraint[] | undefined;
  /** Decay of a mean of the parameters over the moves that is kept beside them; see `averaged`. */
  average?: number | undefined;
  /**
   * What must be finite for a step to change anything. "loss" costs nothing; a gradient that is not finite at a finite loss
   * (such as that of √x at 0) then spoils its parameter, and the next step's loss shows it. "gradients" reads all
   * gradients, before transforms, once more, refuses the step, and returns NaN as its loss.
   */
  guard?: "loss" | "gradients" | undefined;
}

/**
 * Lifts a rule over the parameters of a model, or of an array of them. Each step is one program: loss and gradients, transforms,
 * weight decay, rule. Throws where there are no parameters, a group has none, or two transforms gather batches.
 */
export const firstOrder = <B = Labelled>(
  model: object,
  loss: Loss<B> | GradientSource<B>,
  rule: Rule,
  options: FirstOrderOptions,
): Optimizer<B> => new FirstOrder(model, loss, rule, options);

type Slots = Readonly<Record<string, Tensor>>;

/** A parameter that moves, with all that belongs to it. */
interface Moving {
  readonly p: Tensor;
  readonly slots: Slots;
  /** The slots of each transform. */
  readonly transformed: readonly Slots[];
  readonly scalars: Slots;
  readonly weightDecay: number;
  /** 1 − lr·λ, where the rule is decoupled and λ > 0. */
  readonly keep: Tensor | undefined;
  /** The mean over the moves and the share of the newest value in it, where one is kept. */
  readonly average: { readonly mean: Tensor; readonly share: Tensor } | undefined;
}

/** What the parameters of one group and dtype share. */
type Shared = Pick<Moving, "scalars" | "weightDecay" | "keep"> & { readonly share: Tensor | undefined };

interface Traced {
  readonly loss: Tensor;
  readonly probes: Record<string, Tensor>;
}

/** The step as a program: that of a batch after which the parameters move, and that of the batches before it. */
interface Compiled<B> {
  move(batch: B): Promise<Traced>;
  gather(batch: B): Promise<Traced>;
}

class FirstOrder<B> implements Optimizer<B> {
  readonly loss: Loss<B>;
  readonly state: ReadonlyMap<string, Tensor>;
  steps = 0;
  probes: Readonly<Record<string, Tensor>> = {};
  readonly #source: Loss<B> | GradientSource<B>;
  readonly #rule: Rule;
  readonly #guard: "loss" | "gradients";
  readonly #transforms: readonly Transform[];
  readonly #constraints: readonly Constraint[];
  /** Batches to a move. */
  readonly #batches: number;
  readonly #moving: ReadonlyMap<string, Moving>;
  /** The tensors alone, for derivatives. */
  readonly #parameters: { readonly moving: ReadonlyMap<string, Tensor>; readonly frozen: ReadonlyMap<string, Tensor> };
  #lr: number | Schedule = 0;
  #probe: Probe<B> | undefined;
  #compiled: Compiled<B>;
  #running = false;
  /** The random stream before the last step, so that it can be repeated. */
  #random: RandomState = randomState();

  constructor(model: object, source: Loss<B> | GradientSource<B>, rule: Rule, options: FirstOrderOptions) {
    const { lr, guard = "loss", weightDecay = 0, groups = [], transforms = [], constraints = [], average } = options;
    checkLoss("optimizer", model, source);
    checkTransforms(transforms);
    const named = namedParameters(model);
    if (named.size === 0) throw new Error("optimizer: the model has no parameters (param(…) in its own properties)");
    nameModules(model);
    this.#source = source;
    this.loss = typeof source === "function" ? source : (batch) => resultOf(source, batch);
    this.#rule = rule;
    this.#guard = guard;
    this.#transforms = transforms;
    this.#constraints = constraints;
    this.#batches = batchesOf(transforms);
    this.lr = lr;
    const groupOf = groupsOf(named, groups);
    const isFrozen = ([name]: [string, Tensor]): boolean => groupOf.get(name)?.frozen === true;
    const moving = new Map([...named].filter((entry) => !isFrozen(entry)));
    this.#parameters = { moving, frozen: new Map([...named].filter(isFrozen)) };
    const shared = this.#shared(checkDecay(weightDecay), average);
    this.#moving = new Map(
      [...moving].map(([name, p]) => {
        const { share, ...rest } = shared(p.dtype, groupOf.get(name));
        const slots = slotsOf(rule.slots, p);
        if (share !== undefined && averageSlot in slots)
          throw new Error(`optimizer: the rule's slot "${averageSlot}" has the name of the average; give it another`);
        const transformed = transforms.map(({ slots = {} }) => slotsOf(slots, p));
        const average = share && { mean: slotsOf({ [averageSlot]: 0 }, p)[averageSlot], share };
        return [name, { p, slots, transformed, average, ...rest }];
      }),
    );
    this.state = new Map([...this.#moving].flatMap(([name, parts]) => stateOf(name, parts)));
    this.#compiled = this.#compile();
  }

  get lr(): number | Schedule {
    return this.#lr;
  }

  set lr(lr: number | Schedule) {
    if (typeof lr !== "function") checkRate(lr);
    this.#lr = lr;
  }

  get rate(): number {
    return this.#rate(this.#lr);
  }

  get probe(): Probe<B> | undefined {
    return this.#probe;
  }

  set probe(probe: Probe<B> | undefined) {
    if (probe === this.#probe) return;
    this.#probe = probe;
    this.probes = {};
    this.#compiled = this.#compile();
  }

  async step(batch: B): Promise<number> {
    if (this.#running) throw new Error("step: the step before has not finished (await it)");
    this.#running = true;
    try {
      this.#random = randomState();
      const last = (this.steps + 1) % this.#batches === 0;
      const { loss, probes } = await (last ? this.#compiled.move(batch) : this.#compiled.gather(batch));
      const [value] = await read(loss);
      this.probes = probes;
      if (Number.isFinite(value)) this.steps++;
      return value;
    } finally {
      this.#running = false;
    }
  }

  diagnose(batch: B): Promise<string | undefined> {
    return diagnose(this.#parameters, this.#source, { batch, random: this.#random });
  }

  #compile(): Compiled<B> {
    return {
      move: compile((batch: B) => this.#trace(batch, true)),
      gather: compile((batch: B) => this.#trace(batch, false)),
    };
  }

  /** The graph of one step: the loss, its gradients, the updates, guarded. */
  #trace(batch: B, last: boolean): Traced {
    const { updates, outputs } = capturing()!;
    const { loss, outputs: returned, gradients } = differentiate(this.#source, this.#parameters, batch);
    this.#move(gradients, last);
    const guarded = this.#guard === "loss" ? loss : where(anyNotFinite([...gradients.values()]), Number.NaN, loss);
    const finite = guarded.lt(Number.POSITIVE_INFINITY).and(guarded.gt(Number.NEGATIVE_INFINITY));
    for (const update of updates.values()) update.value = updateIf(finite, update);
    const seen = { outputs: [...outputs], loss, returned, gradients };
    return { loss: guarded, probes: this.#probe?.(batch, seen) ?? {} };
  }

  /** Assigns parameters and slots their next values: transforms, weight decay, rule. */
  #move(gradients: ReadonlyMap<string, Tensor>, last: boolean): void {
    if (this.#batches > 1 && gradients.size < this.#moving.size) {
      const without = [...this.#moving.keys()].find((name) => !gradients.has(name));
      throw new Error(`accumulate: parameter "${without}" has no gradient to add up (freeze it by a group)`);
    }
    let chain: Gradient[] = [...gradients].map(([name, g]) => ({ name, p: this.#moving.get(name)!.p, g }));
    for (const [i, transform] of this.#transforms.entries()) {
      const slots = chain.map(({ name }) => this.#moving.get(name)!.transformed[i]);
      const next = transform.apply(chain, slots, last);
      next.slots?.forEach((values, at) => {
        assignSlots(slots[at], values);
      });
      if (next.gradients === undefined) return;
      chain = replaced(chain, next.gradients, i);
    }
    for (const { name, p, g } of chain) {
      const { slots, scalars, weightDecay, keep } = this.#moving.get(name)!;
      const next = this.#rule.decoupled
        ? this.#rule.update(keep === undefined ? p : p.mul(keep), g, slots, scalars)
        : this.#rule.update(p, penalized(g, p, weightDecay), slots, scalars);
      p.assign(this.#constraints.reduce((value, constraint) => constrained(constraint, name, value), next.p));
      assignSlots(slots, next.slots);
    }
    const { updates } = capturing()!;
    for (const { p, average } of this.#moving.values()) {
      if (average === undefined) continue;
      const { mean, share } = average;
      mean.assign(mean.add((updates.get(p)?.value ?? p).sub(mean).mul(share)));
    }
  }

  /** The rule's scalars, the decay and the average's share as live values, one set for each group and dtype of parameters. */
  #shared(usualDecay: number, average?: number): (dtype: DType, group: ParameterGroup | undefined) => Shared {
    const made = new Map<ParameterGroup | undefined, Map<DType, Shared>>();
    if (average !== undefined) checkAverage(average);
    return (dtype, group) => {
      if (!made.has(group)) made.set(group, new Map());
      const known = made.get(group)!.get(dtype);
      if (known !== undefined) return known;
      const rate = (): number => this.#rate(group?.lr ?? this.#lr);
      const { weightDecay = usualDecay } = group ?? {};
      const entries = Object.entries(this.#rule.scalars).map(([name, value]) => {
        return [name, live(() => value(this.#moves + 1, rate()), [], dtype)] as const;
      });
      const decoupled = this.#rule.decoupled && weightDecay > 0;
      const keep = decoupled ? live(() => 1 - rate() * weightDecay, [], dtype) : undefined;
      const share = average === undefined ? undefined : live(() => newShare(average, this.#moves + 1), [], dtype);
      const set = { scalars: Object.fromEntries(entries), weightDecay, keep, share };
      made.get(group)!.set(dtype, set);
      return set;
    };
  }

  /** How often the parameters have moved. */
  get #moves(): number {
    return Math.floor(this.steps / this.#batches);
  }

  #rate(lr: number | Schedule): number {
    return typeof lr === "number" ? lr : checkRate(lr(this.#moves));
  }
}

function batchesOf(transforms: readonly Transform[]): number {
  const gathering = transforms.flatMap(({ batches = 1 }) => (batches > 1 ? [batches] : []));
  if (gathering.length > 1)
    throw new Error(
      `optimizer: two transforms gather batches, ${gathering.slice(0, 2).join(" and ")} (accumulate once)`,
    );
  return gathering[0] ?? 1;
}

const slotsOf = (starts: Readonly<Record<string, number>>, p: Tensor): Slots =>
  Object.fromEntries(Object.entries(starts).map(([slot, start]) => [slot, state(full(p.shape, start, p.dtype))]));

/** The slots of one parameter by the names that they are saved by. */
const stateOf = (name: string, { slots, transformed, average }: Moving): [string, Tensor][] => [
  ...Object.entries(slots).map(([slot, t]) => [`${name}.${slot}`, t] as [string, Tensor]),
  ...transformed.flatMap((own, i) =>
    Object.entries(own).map(([slot, t]) => [`${name}.transforms.${i}.${slot}`, t] as [string, Tensor]),
  ),
  ...(average === undefined ? [] : [[`${name}.${averageSlot}`, average.mean] as [string, Tensor]]),
];

/** A parameter's value as a constraint wants it. Throws where that is another shape or dtype. */
function constrained(constraint: Constraint, name: string, p: Tensor): Tensor {
  const value = constraint(name, p);
  if (!(value instanceof Tensor) || !sameShape(value.shape, p.shape) || value.dtype !== p.dtype) {
    const found = value instanceof Tensor ? `${value.dtype} ${show(value.shape)}` : kindOf(value);
    fail("optimizer", `a constraint gave ${found} for "${name}", which is ${p.dtype} ${show(p.shape)}`);
  }
  return value;
}

/** The gradients with the values that a transform gave. Throws where they are not as many, or not of the parameters' shapes. */
function replaced(chain: readonly Gradient[], values: readonly Tensor[], at: number): Gradient[] {
  if (values.length !== chain.length)
    throw new Error(`optimizer: transform ${at} gave ${values.length} gradients for ${chain.length} parameters`);
  return chain.map(({ name, p }, i) => {
    const g = values[i];
    if (!(g instanceof Tensor) || !sameShape(g.shape, p.shape) || g.dtype !== p.dtype) {
      const found = g instanceof Tensor ? `${g.dtype} ${show(g.shape)}` : kindOf(g);
      fail(
        "optimizer",
        `transform ${at} gave ${found} as the gradient of "${name}", which is ${p.dtype} ${show(p.shape)}`,
      );
    }
    return { name, p, g };
  });
}

/** Slots that are left out stay. */
function assignSlots(slots: Slots, values: Slots): void {
  for (const [slot, value] of Object.entries(values)) {
    if (slots[slot] === undefined)
      throw new Error(`optimizer: there is no slot "${slot}" (${Object.keys(slots).join(", ")})`);
    slots[slot].assign(value);
  }
}

const anyNotFinite = (tensors: readonly Tensor[]): Tensor =>
  tensors
    .map(notFinite)
    .reduce((sum, count) => sum.add(count))
    .gt(0);
