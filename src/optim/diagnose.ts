// Finding where a step went wrong: the first value that is not finite, by the name of the module that made it.
import {
  capturing,
  grad,
  moduleLabel,
  type RandomState,
  randomState,
  restoreRandom,
  Tensor,
  training,
} from "../graph/index.ts";
import { isFloat } from "../graph/internal.ts";
import { walk } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import { wrongData } from "./check.ts";
import { type Loss, lossOf } from "./optimizer.ts";

/** How many elements of a float tensor are infinite or NaN. */
export const notFinite = (x: Tensor): Tensor =>
  x.lt(Number.POSITIVE_INFINITY).and(x.gt(Number.NEGATIVE_INFINITY)).not().sum();

/**
 * Computes a step without its updates and names the first value that is not finite: the batch, the parameters, the modules'
 * outputs in the order they ran, the loss, the gradients of those outputs in the order of the backward pass, the gradients
 * of the parameters. Before all that, a value that the loss cannot be given, such as a label of no class. Returns e.g. `output of Linear "2" has 3 of 640 elements that are not finite`, or undefined.
 */
export async function diagnose<B>(
  parameters: ReadonlyMap<string, Tensor>,
  loss: Loss<B>,
  { batch, random }: { batch: B; random: RandomState },
): Promise<string | undefined> {
  const wrong = await wrongData(loss, [batch]);
  if (wrong !== undefined) return wrong;
  const labels: string[] = [];
  const counts = compile((input: B) => {
    const suspects = suspectsOf(parameters, loss, input);
    labels.push(...suspects.map(([label]) => label));
    return suspects.map(([, t]) => [notFinite(t), t.size] as const);
  });
  const now = randomState();
  restoreRandom(random); // the same draws as in the step
  try {
    const found = await counts(batch);
    for (const [i, [count, size]] of found.entries()) {
      const [bad] = await read(count);
      if (bad > 0) return `${labels[i]} has ${bad} of ${size} elements that are not finite`;
    }
    return undefined;
  } finally {
    restoreRandom(now);
  }
}

function suspectsOf<B>(parameters: ReadonlyMap<string, Tensor>, loss: Loss<B>, batch: B): [label: string, Tensor][] {
  const { loss: value } = lossOf(training(() => loss(batch)));
  const step = capturing()!;
  step.updates.clear();
  const outputs = new Map<Tensor, string>();
  for (const { module, output } of step.outputs) {
    for (const t of floatsIn(output).values()) if (!outputs.has(t)) outputs.set(t, `output of ${moduleLabel(module)}`);
  }
  const backward = [...outputs].reverse();
  const gradients = grad(value, [...backward.map(([t]) => t), ...parameters.values()]);
  const names = [
    ...backward.map(([, label]) => `gradient of the ${label}`),
    ...[...parameters.keys()].map((name) => `gradient of parameter "${name}"`),
  ];
  return [
    ...[...floatsIn(batch)].map(
      ([path, t]) => [path === "" ? "the batch" : `"${path}" of the batch`, t] as [string, Tensor],
    ),
    ...[...parameters].map(([name, p]) => [`parameter "${name}"`, p] as [string, Tensor]),
    ...[...outputs].map(([t, label]) => [label, t] as [string, Tensor]),
    ["the loss", value],
    ...gradients.map((g, i) => [names[i], g] as [string, Tensor]),
  ];
}

/** The float tensors of a tree, by their paths. */
function floatsIn(tree: unknown): Map<string, Tensor> {
  if (typeof tree !== "object" || tree === null) return new Map();
  const tensors = [...walk(tree)].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  return new Map(tensors.filter(([, t]) => isFloat(t.dtype)));
}
