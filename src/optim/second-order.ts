// Optimizers beyond the gradient: a method that goes from one point to the next, evaluating where it likes, lifted to an optimizer.
import {
  capturing,
  concat,
  type RandomState,
  randomState,
  restoreRandom,
  state,
  type Tensor,
  tensor,
  where,
} from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { compile } from "../run/index.ts";
import { overwrite, read } from "../run/realize.ts";
import { diagnose, notFinite } from "./diagnose.ts";
import { differentiate, type Labelled, type Loss } from "./loss.ts";
import { type Objective, objective } from "./objective.ts";
import type { Optimizer, Probe } from "./optimizer.ts";
import { checkRate, type Schedule } from "./schedule.ts";
import { allFinite } from "./vector.ts";

/** What a method has asked for since the optimizer was made. */
export interface Counts {
  /** Evaluations of the loss alone. */
  readonly values: number;
  /** Evaluations of loss and gradient. */
  readonly gradients: number;
  /** Products of a curvature matrix and a vector. */
  readonly products: number;
}

export interface SecondOrder<B = Labelled> extends Optimizer<B> {
  readonly counts: Counts;
  /** Why the last step left the parameters as they were, such as "the gradient is zero"; undefined where it moved them. */
  readonly stopped: string | undefined;
}

type Slots = Readonly<Record<string, Float64Array>>;

/** Where a step begins, and what can be asked from there; x is the vector of all parameters. Draws (dropout) repeat throughout a step. */
export interface Iterate<B> {
  readonly x: Float64Array;
  readonly loss: number;
  /** ∂L/∂x, finite and not zero. */
  readonly gradient: Float64Array;
  readonly slots: Slots;
  /** The learning rate, which scales what a method would do first. */
  readonly rate: number;
  readonly batch: B;
  /** L at another point. */
  value(x: Float64Array): Promise<number>;
  /** L and its gradient at another point, on this batch or another. */
  evaluate(x: Float64Array, batch?: B): Promise<{ loss: number; gradient: Float64Array }>;
  /** H·v at x. */
  hessianProduct(v: Float64Array, batch?: B): Promise<Float64Array>;
  /** The Gauss-Newton matrix at x times v. */
  gaussNewtonProduct(v: Float64Array, batch?: B): Promise<Float64Array>;
  /** A product with any other curvature at x, with the draws of this step. */
  product(compute: (v: Tensor) => Promise<Tensor>, v: Float64Array): Promise<Float64Array>;
}

/** What a step comes to: the next point, or why there is none, and new values of slots; those left out stay. */
export interface Next {
  readonly x?: Float64Array;
  readonly stopped?: string;
  readonly slots?: Slots;
}

/** How a step goes from one point to the next: a function of the iterate alone, so that a resumed run repeats it to the bit. */
export interface Method<B> {
  /** Vectors that live from step to step, and what they start from, for n parameters. */
  slots(n: number): Slots;
  step(at: Iterate<B>): Promise<Next>;
}

/** Lifts a method over the parameters of a model, or of an array of them. Throws where there are none, or the loss is no function. */
export const secondOrder = <B>(
  model: object,
  loss: Loss<B>,
  method: Method<B>,
  lr: number | Schedule,
): SecondOrder<B> => {
  if (typeof loss !== "function")
    throw new TypeError(`optimizer: a method beyond the gradient takes (model, loss), got ${kindOf(loss)} as the loss`);
  return new Lifted(model, loss, method, lr);
};

/** What the first evaluation of a step gives. */
interface Traced {
  readonly loss: Tensor;
  readonly gradient: Tensor;
  readonly probes: Record<string, Tensor>;
}

class Lifted<B> implements SecondOrder<B> {
  readonly loss: Loss<B>;
  readonly state: ReadonlyMap<string, Tensor>;
  steps = 0;
  probes: Readonly<Record<string, Tensor>> = {};
  stopped: string | undefined;
  readonly counts = { values: 0, gradients: 0, products: 0 };
  readonly #method: Method<B>;
  readonly #objective: Objective<B>;
  #lr: number | Schedule = 0;
  #probe: Probe<B> | undefined;
  #compiled: (batch: B) => Promise<Traced>;
  #running = false;
  /** The random stream before the last step, so that its draws can be repeated. */
  #random: RandomState = randomState();

  constructor(model: object, loss: Loss<B>, method: Method<B>, lr: number | Schedule) {
    this.loss = loss;
    this.lr = lr;
    this.#method = method;
    this.#objective = objective(model, loss);
    const size = [...this.#objective.parameters.values()].reduce((n, p) => n + p.size, 0);
    this.state = new Map(Object.entries(method.slots(size)).map(([name, start]) => [name, state(start)]));
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
    return typeof this.#lr === "number" ? this.#lr : checkRate(this.#lr(this.steps));
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
    this.#random = randomState();
    let after = this.#random;
    try {
      const first = await this.#compiled(batch);
      after = randomState();
      this.counts.gradients++;
      const [loss] = await read(first.loss);
      this.probes = first.probes;
      if (!Number.isFinite(loss)) return loss;
      const gradient = await host(first.gradient);
      await this.#land(await this.#next(batch, loss, gradient));
      this.steps++;
      return loss;
    } finally {
      restoreRandom(after);
      this.#running = false;
    }
  }

  diagnose(batch: B): Promise<string | undefined> {
    const { parameters } = this.#objective;
    return diagnose({ moving: parameters, frozen: new Map() }, this.loss, { batch, random: this.#random });
  }

  /** The program of loss and gradient at the parameters, with what layers assign and probes ask for. */
  #compile(): (batch: B) => Promise<Traced> {
    const { parameters } = this.#objective;
    return compile((batch: B) => {
      const { updates, outputs } = capturing()!;
      const found = differentiate(this.loss, { moving: parameters, frozen: new Map() }, batch);
      const gradient = concat([...found.gradients.values()].map((g) => g.reshape(-1)));
      const spoilt = found.loss.isFinite().and(notFinite(gradient).gt(0));
      const loss = where(spoilt, Number.NaN, found.loss);
      for (const update of updates.values()) update.value = where(loss.isFinite(), update.value, update.leaf);
      const seen = { outputs: [...outputs], loss: found.loss, returned: found.outputs, gradients: found.gradients };
      return { loss, gradient, probes: this.#probe?.(batch, seen) ?? {} };
    });
  }

  async #next(batch: B, loss: number, gradient: Float64Array): Promise<Next> {
    if (gradient.every((g) => g === 0)) return { stopped: "the gradient is zero" };
    if (this.rate === 0) return { stopped: "the learning rate is 0" };
    const { flat } = this.#objective;
    const slots: Record<string, Float64Array> = {};
    for (const [name, t] of this.state) slots[name] = await host(t);
    const repeat = <T>(counted: keyof Counts, compute: () => Promise<T>): Promise<T> => {
      this.counts[counted]++;
      restoreRandom(this.#random);
      return compute();
    };
    const product: Iterate<B>["product"] = async (compute, v) =>
      host(await repeat("products", () => compute(tensor(v))));
    return this.#method.step({
      ...{ x: await host(await flat.point()), loss, gradient, slots, rate: this.rate, batch, product },
      value: (x) => repeat("values", () => flat.valueAt(batch, tensor(x))),
      async evaluate(x, on = batch) {
        const found = await repeat("gradients", () => flat.gradientAt(on, tensor(x)));
        return { loss: found.loss, gradient: await host(found.gradient) };
      },
      hessianProduct: (v, on = batch) => product((t) => flat.hessianProduct(on, t), v),
      gaussNewtonProduct: (v, on = batch) => product((t) => flat.gaussNewtonProduct(on, t), v),
    });
  }

  /** Gives parameters and slots their next values, all at once. */
  async #land({ x, stopped, slots = {} }: Next): Promise<void> {
    this.stopped = stopped;
    if (x !== undefined && !allFinite(x)) {
      this.stopped = "the step is not finite";
      return;
    }
    const values = new Map<Tensor, Float32Array | Float64Array>();
    for (const [name, value] of Object.entries(slots)) {
      const slot = this.state.get(name);
      if (slot === undefined) throw new Error(`optimizer: there is no slot "${name}" (${[...this.state.keys()]})`);
      values.set(slot, value);
    }
    let end = 0;
    for (const p of x === undefined ? [] : this.#objective.parameters.values()) {
      const part = x!.slice(end, (end += p.size));
      values.set(p, p.dtype === "f64" ? part : new Float32Array(part));
    }
    await overwrite(values);
  }
}

/** A tensor's elements, in an array of one's own. */
async function host(t: Tensor): Promise<Float64Array> {
  const data = (await read(t)) as Float32Array | Float64Array;
  return data instanceof Float64Array ? data : new Float64Array(data);
}
