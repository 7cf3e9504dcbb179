// The optimizers that the command line calls by name.
import type { Batch } from "../data/index.ts";
import type { Tensor } from "../graph/index.ts";
import {
  adadelta,
  adagrad,
  adam,
  adamax,
  adamw,
  bfgs,
  conjugateGradient,
  type FirstOrderOptions,
  type GradientSource,
  hessianFree,
  lbfgs,
  naturalGradient,
  newton,
  type Optimizer,
  rmsprop,
  type Schedule,
  sgd,
} from "../optim/index.ts";
import { UsageError } from "./command.ts";
import { find } from "./find.ts";
import type { Entry } from "./names.ts";

/** What the command line's optimizers follow. */
export type Source<B> = Loss<B> | GradientSource<B, Tensor>;

export type Loss<B = Batch> = (batch: B) => Tensor | { readonly loss: Tensor; readonly outputs: Tensor };

/** What the command line sets of an optimizer. */
interface Settings extends FirstOrderOptions {
  readonly momentum?: number | undefined;
  /** Of sgd, where it has no momentum; others move whole tables. */
  readonly sparse?: boolean;
}

interface OptimizerEntry {
  /** The learning rate where neither the user nor the model's recipe names one. */
  readonly lr: number;
  /** Whether its steps are found by search, which takes no settings but the rate. */
  readonly searches?: boolean;
  /** Throws a UsageError for a setting that it has not. */
  make<B>(model: object, source: Source<B>, settings: Settings): Optimizer<B>;
}

type Make = <B>(model: object, source: Source<B>, options: FirstOrderOptions) => Optimizer<B>;

const firstOrder = (name: string, lr: number, make: Make): OptimizerEntry => ({
  lr,
  make(model, source, { momentum, sparse: _, ...options }) {
    if (momentum !== undefined) throw new UsageError(`--momentum is of sgd, ${name} has none`);
    return make(model, source, options);
  },
});

/** What settings are on the command line. */
const flagsOf: Readonly<Record<string, string>> = {
  momentum: "--momentum",
  weightDecay: "--weight-decay",
  transforms: "--clip",
  groups: "--freeze or --lr-scale",
  constraints: "",
};

/** Whose steps are found by search, from values and curvature; they move all parameters alike, by the loss alone. */
const searching = (
  name: string,
  make: <B>(model: object, loss: Loss<B>, options: { lr: number | Schedule }) => Optimizer<B>,
): OptimizerEntry => ({
  lr: 1,
  searches: true,
  make(model, loss, { lr, ...others }) {
    if (typeof loss !== "function")
      throw new UsageError(`${name} searches for its steps by a loss, and this model has none; take sgd or adam`);
    const refused = Object.keys(flagsOf).filter((setting) => `${others[setting as keyof typeof others] ?? ""}` !== "");
    if (refused.includes("constraints"))
      throw new UsageError(`this model's weights are held within bounds, which ${name} cannot; take sgd or adam`);
    if (refused.length > 0)
      throw new UsageError(
        `${name} searches for its steps and takes no ${refused.map((setting) => flagsOf[setting]).join(", ")}; leave that out, or take sgd or adam`,
      );
    return make(model, loss, { lr });
  },
});

const optimizers: Readonly<Record<string, OptimizerEntry>> = {
  sgd: {
    lr: 0.05,
    make: (model, loss, { momentum = 0.9, sparse = false, ...rest }) =>
      sgd(model, loss, { momentum, sparse: sparse && momentum === 0, ...rest }),
  },
  adam: firstOrder("adam", 1e-3, adam),
  adamw: firstOrder("adamw", 1e-3, adamw),
  adamax: firstOrder("adamax", 2e-3, adamax),
  adagrad: firstOrder("adagrad", 0.01, adagrad),
  adadelta: firstOrder("adadelta", 1, adadelta),
  rmsprop: firstOrder("rmsprop", 1e-3, rmsprop),
  newton: searching("newton", newton),
  "natural-gradient": searching("natural-gradient", naturalGradient),
  "conjugate-gradient": searching("conjugate-gradient", conjugateGradient),
  bfgs: searching("bfgs", bfgs),
  lbfgs: searching("lbfgs", lbfgs),
  "hessian-free": searching("hessian-free", hessianFree),
};

export const optimizerNames: readonly string[] = Object.keys(optimizers);

export const findOptimizer = (name: string): OptimizerEntry => find("optimizer", name, optimizers);

/** The learning rate where the user names none: the recipe's, or the optimizer's where that is another one. */
export function usualRate({ recipe }: Entry, optimizer: string): number {
  return optimizer === recipe.optimizer ? recipe.lr : findOptimizer(optimizer).lr;
}
