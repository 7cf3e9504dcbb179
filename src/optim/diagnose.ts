// Finding where a step went wrong: the first value that is not finite, by the name of the module that made it.
import {
  capturing,
  grad,
  moduleLabel,
  type RandomState,
  randomState,
  restoreRandom,
  type Tensor,
  training,
} from "../graph/index.ts";
import { compile } from "../run/index.ts";
import { read } from "../run/realize.ts";
import { floatsIn, partOf, wrongData } from "./check.ts";
import { type GradientSource, type Loss, resultOf } from "./loss.ts";

/** How many elements of a float tensor are infinite or NaN. */
export const notFinite = (x: Tensor): Tensor =>
  x.lt(Number.POSITIVE_INFINITY).and(x.gt(Number.NEGATIVE_INFINITY)).not().sum();

/**
 * Computes a step without its updates and names the first value that is not finite: the batch, the parameters, the modules'
 * outputs in the order they ran, the loss, the gradients of those outputs in the order of the backward pass, the gradients
 * of the parameters. Before all that, a value that the loss cannot be given, such as a label of no class. Returns e.g. `output of Linear "2" has 3 of 640 elements that are not finite`, or undefined.
 */
export async function diagnose<B>(
  parameters: Parameters,
  source: Loss<B> | GradientSource<B>,
  { batch, random }: { batch: B; random: RandomState },
): Promise<string | undefined> {
  const wrong = typeof source === "function" ? await wrongData(source, [batch]) : undefined;
  if (wrong !== undefined) return wrong;
  const labels: string[] = [];
  const counts = compile((input: B) => {
    const suspects = suspectsOf(parameters, source, input);
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

interface Parameters {
  readonly moving: ReadonlyMap<string, Tensor>;
  readonly frozen: ReadonlyMap<string, Tensor>;
}

function suspectsOf<B>(
  { moving, frozen }: Parameters,
  source: Loss<B> | GradientSource<B>,
  batch: B,
): [label: string, Tensor][] {
  const { loss, gradients } = training(() => resultOf(source, batch));
  const step = capturing()!;
  step.updates.clear();
  const outputs = new Map<Tensor, string>();
  for (const { module, output } of step.outputs) {
    for (const t of floatsIn(output).values()) if (!outputs.has(t)) outputs.set(t, `output of ${moduleLabel(module)}`);
  }
  const backward = [
    ...[...outputs].reverse().map(([t, label]) => [`gradient of the ${label}`, t] as const),
    ...[...moving].map(([name, p]) => [`gradient of parameter "${name}"`, p] as const),
  ];
  const found =
    gradients ??
    new Map(
      zip(
        backward,
        grad(
          loss,
          backward.map(([, t]) => t),
        ),
      ),
    );
  return [
    ...[...floatsIn(batch)].map(([path, t]) => [partOf(path), t] as [string, Tensor]),
    ...[...moving, ...frozen].map(([name, p]) => [`parameter "${name}"`, p] as [string, Tensor]),
    ...[...outputs].map(([t, label]) => [label, t] as [string, Tensor]),
    ["the loss", loss],
    ...backward.flatMap(([label, t]) => (found.has(t) ? [[label, found.get(t)!] as [string, Tensor]] : [])),
  ];
}

const zip = (labelled: readonly (readonly [string, Tensor])[], gradients: readonly Tensor[]): [Tensor, Tensor][] =>
  labelled.map(([, t], i) => [t, gradients[i]]);
