// Probes: what the layers of a model gave on the way to its result, for whoever watches.
import { moduleLabel, Tensor } from "../graph/index.ts";
import { watch } from "../graph/internal.ts";
import { walk } from "./module.ts";

/** A layer and the tensor that it gave last. */
export interface Probed {
  readonly module: object;
  /** As errors call it, e.g. `Linear "net.2"`. */
  readonly name: string;
  readonly output: Tensor;
}

/**
 * Runs fn, such as `() => model.forward(x)`, and gives its result with the outputs of its layers: of the modules that run
 * through `within` and contain no other such, each once, in the order in which they ran first; of a recurrent layer's `run` its `outputs`. Inside of a compiled function the outputs
 * can be among its results, and derivatives can be taken with respect to them; a step without a probe does no more work.
 * Throws where fn is async.
 */
export function probe<T>(fn: () => T): { result: T; layers: Probed[] } {
  const { result, outputs } = watch(fn);
  const last = new Map<object, Tensor>();
  for (const { module, output } of outputs) {
    const tensor = output instanceof Tensor ? output : (output as { outputs?: unknown } | undefined)?.outputs;
    if (tensor instanceof Tensor) last.set(module, tensor);
  }
  const isLeaf = (module: object): boolean =>
    ![...walk(module)].some(([, inner]) => inner !== module && last.has(inner));
  const layers = [...last].filter(([module]) => isLeaf(module));
  return { result, layers: layers.map(([module, output]) => ({ module, name: moduleLabel(module), output })) };
}
