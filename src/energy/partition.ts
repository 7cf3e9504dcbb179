// The logarithm of a Boltzmann machine's partition function: by enumeration, or estimated by annealed importance sampling.
import { arange, full, live, normal, state, type Tensor, tensor, zeros } from "../graph/index.ts";
import { fail, hostMath, show } from "../graph/internal.ts";
import { logOnePlusExp } from "../nn/functional.ts";
import { checkSizes } from "../nn/module.ts";
import { compile } from "../run/index.ts";
import { coins, type RBM } from "./rbm.ts";

/** Units of which all states are gone through. */
const mostUnits = 20;
/** States that are added up in one program. */
const blockBits = 12;

/**
 * ln Z exactly, in double precision: ln Σ e^−F over all states of the visible or of the hidden units, whichever are fewer bits.
 * Throws where that is more than 20.
 */
export async function logPartition(rbm: RBM): Promise<number> {
  const overVisible = rbm.kind === "binary" && rbm.visible < rbm.hidden;
  const units = overVisible ? rbm.visible : rbm.hidden;
  if (units > mostUnits)
    throw new RangeError(
      `logPartition: ${units} units have too many states, the most is ${mostUnits} (take annealedImportance)`,
    );
  const freeEnergy = (states: Tensor): Tensor => (overVisible ? rbm.freeEnergy(states) : rbm.hiddenFreeEnergy(states));
  const block = Math.min(2 ** blockBits, 2 ** units);
  const places = tensor(Int32Array.from({ length: units }, (_, i) => -i));
  const sum = compile((first: Tensor) => {
    const numbers = arange(block).add(first).unsqueeze(1); // [block, 1]
    const states = numbers.shift(places).and(1).cast("f64"); // [block, units]
    return freeEnergy(states).neg().logsumexp();
  });
  const sums: number[] = [];
  for (let first = 0; first < 2 ** units; first += block)
    sums.push(await (await sum(tensor(Int32Array.of(first)))).item());
  return logSum(sums);
}

export interface AnnealingOptions {
  /** Independent chains, whose spread gives the standard error. */
  chains?: number;
  /** Distributions between the base machine and this one. */
  temperatures?: number;
  /** Biases of the base machine's visible units, best those of the data's means; by default this machine's own. */
  base?: ArrayLike<number>;
}

/** An estimate of ln Z, and how far it is likely to be off. */
export interface PartitionEstimate {
  readonly logPartition: number;
  /** That of ln Z, from the spread of the weights: s / (mean·√chains). */
  readonly standardError: number;
}

/**
 * ln Z by annealed importance sampling (Neal, 2001; Salakhutdinov & Murray, 2008): chains go from a machine without weights,
 * whose ln Z is known, through p_β(v) ∝ e^(−(1 − β)·F_base(v) − β·V(v))·Πⱼ(1 + e^(β·(c + Wv)ⱼ)) with β = 0 … 1, V the visible part of the energy,
 * and weigh each step by the ratio of the two probabilities. Draws from the seeded stream. Throws where a count is no whole number ≥ 1
 * (chains ≥ 2), and where base has other units or real-valued ones.
 */
export async function annealedImportance(rbm: RBM, options: AnnealingOptions = {}): Promise<PartitionEstimate> {
  const { chains = 100, temperatures = 1000, base } = options;
  checkSizes("annealedImportance", { temperatures });
  checkSizes("annealedImportance", { chains }, 2);
  if (base !== undefined && (rbm.kind !== "binary" || base.length !== rbm.visible))
    fail("annealedImportance", `base needs a bias for each of the bits, ${show([rbm.visible])}, got ${base.length}`);
  const dtype = rbm.weight.dtype;
  const bias = base === undefined ? rbm.visibleBias : tensor(Float32Array.from(base)).cast(dtype);
  const v = state(zeros([chains, rbm.visible], dtype));
  const logWeights = state(full([chains], 0, "f64"));
  const beta = { last: 0, next: 0 };
  const [last, next] = [live(() => beta.last, [], dtype), live(() => beta.next, [], dtype)];
  await compile(() => v.assign(draw(rbm, zeros([chains, rbm.visible], dtype), bias)))();
  const step = compile(() => {
    const ratio = logDensity(rbm, v, bias, next).sub(logDensity(rbm, v, bias, last));
    logWeights.assign(logWeights.add(ratio.cast("f64")));
    const h = coins(rbm.hiddenInput(v).mul(next).sigmoid());
    const own = next.mul(rbm.visibleBias).add(next.neg().add(1).mul(bias)); // (1 − β)·base + β·b
    v.assign(draw(rbm, h.matmul(rbm.weight).mul(next), own));
  });
  for (let i = 1; i <= temperatures; i++) {
    [beta.last, beta.next] = [(i - 1) / temperatures, i / temperatures];
    await step();
  }
  return estimate(await logWeights.data(), await logBase(rbm, bias));
}

/** Visible units drawn at an input βWᵀh and biases. */
function draw(rbm: RBM, input: Tensor, bias: Tensor): Tensor {
  if (rbm.kind === "binary") return coins(input.add(bias).sigmoid());
  return input.add(normal(input.shape).cast(input.dtype)).mul(rbm.deviation).add(bias);
}

/** ln p_β(v) up to what is the same for all β: v [chains, visible] → [chains]. */
function logDensity(rbm: RBM, v: Tensor, bias: Tensor, beta: Tensor): Tensor {
  const hidden = logOnePlusExp(rbm.hiddenInput(v).mul(beta)).sum(-1);
  if (rbm.kind === "gaussian") return hidden; // the visible part is that of the base machine
  return hidden.add(v.mul(rbm.visibleBias.sub(bias)).sum(-1).mul(beta));
}

/** ln Z of the machine at β = 0. */
async function logBase(rbm: RBM, bias: Tensor): Promise<number> {
  const hidden = rbm.hidden * Math.LN2;
  if (rbm.kind === "gaussian") return hidden + rbm.visible * hostMath.log(rbm.deviation * Math.sqrt(2 * Math.PI));
  return hidden + (await logOnePlusExp(bias.cast("f64")).sum().item());
}

/** ln of the weights' mean, and its standard error. */
function estimate(logWeights: ArrayLike<number>, logBaseOf: number): PartitionEstimate {
  const n = logWeights.length;
  const logs = Array.from(logWeights);
  const logMean = logSum(logs) - hostMath.log(n);
  const ratios = logs.map((w) => hostMath.exp(w - logMean)); // of mean 1
  const variance = ratios.reduce((sum, r) => sum + (r - 1) ** 2, 0) / (n - 1);
  return { logPartition: logBaseOf + logMean, standardError: Math.sqrt(variance / n) };
}

/** ln Σ e^x, without overflow. */
function logSum(values: readonly number[]): number {
  const most = Math.max(...values);
  return most + hostMath.log(values.reduce((sum, x) => sum + hostMath.exp(x - most), 0));
}
