// Ambient scopes while a graph is traced: train mode, the module being built, pending updates. Tracing is synchronous, so they nest.
import { kindOf } from "./kind.ts";
import type { Tensor } from "./tensor.ts";

let train = false;
let hollow = false;
const modules: string[] = [];
const names = new WeakMap<object, string>();

/** Whether layers act as in training (dropout drops, batch norm uses and updates batch statistics). */
export const isTraining = (): boolean => train;

/** Runs fn with layers in training mode. Throws where fn is async. */
export const training = <T>(fn: () => T, ..._refused: Plain<T>): T => withMode("training", fn);

/** Runs fn with layers in evaluation mode (the mode outside any scope). Throws where fn is async. */
export const evaluating = <T>(fn: () => T, ..._refused: Plain<T>): T => withMode("evaluating", fn);

/** Whether leaves are made without values, see `shapesOnly`. */
export const isShapesOnly = (): boolean => hollow;

/**
 * Runs fn, in which layers make parameters that have shapes but no values: nothing is drawn and nothing takes memory, so
 * that a model of any size can be counted, shown, and given values by `load`. Reading or running one that has none throws.
 */
export function shapesOnly<T>(fn: () => T, ..._refused: Plain<T>): T {
  const before = hollow;
  hollow = true;
  try {
    return refuseAsync("shapesOnly", fn());
  } finally {
    hollow = before;
  }
}

/** What follows a function in a call: nothing, or for an async one a type that no call fulfils. */
export type Plain<T> =
  Extract<T, PromiseLike<unknown>> extends never
    ? []
    : ["the function is async: make tensors in a plain one and await their values after it"];

function withMode<T>(mode: "training" | "evaluating", fn: () => T): T {
  const before = train;
  train = mode === "training";
  try {
    return refuseAsync(mode, fn());
  } finally {
    train = before;
  }
}

/** The result of a scope's function, which must not be async: what runs after its first await would run outside the scope. */
function refuseAsync<T>(scope: string, result: T): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {}); // its failures follow from this one
  const module = currentModule();
  throw new Error(
    `${scope}: the function is async; make tensors in a plain one and await their values after it${module === "" ? "" : `, in ${module}`}`,
  );
}

/** Gives a module the name that errors and probes use, e.g. "net.2". */
export function nameModule(module: object, name: string): void {
  names.set(module, name);
}

/** What errors call a module: its class and, once it has one, its name. */
export function moduleLabel(module: object): string {
  const name = names.get(module);
  return name === undefined ? module.constructor.name : `${module.constructor.name} "${name}"`;
}

/** What a module gave. */
export interface Output {
  readonly module: object;
  readonly output: unknown;
}

let watched: Output[] | undefined;

/**
 * Runs fn and gives, besides its result, what the modules inside gave, in the order in which they were done. Inside of a
 * compiled function they can be its results like any tensor. Throws where fn is async.
 */
export function watch<T>(fn: () => T): { result: T; outputs: readonly Output[] } {
  const before = watched;
  const outputs: Output[] = (watched = []);
  try {
    return { result: refuseAsync("probe", fn()), outputs };
  } finally {
    watched = before;
    before?.push(...outputs);
  }
}

/**
 * Runs a module's forward pass: tensors and errors made inside carry its label, and a captured step keeps its output. With
 * its input x, throws a TypeError where that is no tensor.
 */
export function within<T>(module: object, forward: () => T): T;
export function within<T>(module: object, x: Tensor, forward: () => T): T;
export function within<T>(module: object, ...given: [() => T] | [Tensor, () => T]): T {
  modules.push(moduleLabel(module));
  try {
    if (given.length === 2) checkInput(module, given[0]);
    const output = (given.length === 2 ? given[1] : given[0])();
    capturing()?.outputs.push({ module, output });
    watched?.push({ module, output });
    return output;
  } finally {
    modules.pop();
  }
}

/** By its shape, since Tensor is below this file. */
function checkInput(module: object, x: Tensor): void {
  if (Array.isArray(x?.inputs)) return;
  throw new TypeError(`${moduleLabel(module)}: takes a tensor, got ${kindOf(x)} (make it one by tensor(…))`);
}

/** The innermost module being built, e.g. `Linear "net.2"`, or "". */
export const currentModule = (): string => modules[modules.length - 1] ?? "";

/** An update recorded by `leaf.assign(value)`. */
export interface Update {
  readonly leaf: Tensor;
  value: Tensor;
}

/** What a loss must not be given though no shape shows it, such as labels of no class: the values, and which are `wrong`. */
export interface Check {
  readonly values: Tensor;
  /** bool, of the values' shape. */
  readonly wrong: Tensor;
  /** One line about a wrong value. */
  readonly problem: (value: number) => string;
}

/** What one captured step collects: updates, what modules gave and losses were given, and how many random draws were made. */
export interface Step {
  readonly updates: Map<Tensor, Update>;
  readonly outputs: Output[];
  readonly compared: { readonly prediction: Tensor; readonly check?: Check }[];
  key: Tensor | undefined;
  draws: number;
}

const steps: Step[] = [];

/** Assignments made outside of steps and not carried out yet, in program order. */
export const pendingUpdates: Update[] = [];

/** The step being captured, or undefined outside of one. */
export const capturing = (): Step | undefined => steps[steps.length - 1];

export function recordUpdate(leaf: Tensor, value: Tensor): void {
  const step = capturing();
  if (step === undefined) pendingUpdates.push({ leaf, value });
  else step.updates.set(leaf, { leaf, value });
}

/** Runs fn while collecting its updates and random draws. Throws where fn is async. */
export function captureStep<T>(fn: () => T): { result: T; step: Step } {
  const step: Step = { updates: new Map(), outputs: [], compared: [], key: undefined, draws: 0 };
  steps.push(step);
  try {
    return { result: refuseAsync("compile", fn()), step };
  } finally {
    steps.pop();
  }
}
