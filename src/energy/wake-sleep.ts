// Fine-tuning a deep belief net as a generative model: the up-down algorithm.
import { param, type Tensor, within } from "../graph/index.ts";
import { logOnePlusExp } from "../nn/functional.ts";
import type { Linear } from "../nn/linear.ts";
import { checkSizes } from "../nn/module.ts";
import type { Loss } from "../optim/index.ts";
import { type DBN, linearOf, sampleTop } from "./dbn.ts";
import { coins, RBM, rowsOf } from "./rbm.ts";

/**
 * A deep belief net of bits with weights of their own upwards and downwards, as the up-down algorithm trains it: below the top machine
 * `recognition[i]` gives the logits of a layer from those below it, `generative[i]` those of the lower from the upper. Made by `untie(dbn)`.
 */
export class UntiedDBN {
  readonly recognition: readonly Linear[];
  readonly generative: readonly Linear[];
  readonly top: RBM;

  constructor(recognition: readonly Linear[], generative: readonly Linear[], top: RBM) {
    [this.recognition, this.generative, this.top] = [recognition, generative, top];
  }

  /** Probabilities of the topmost units: x [B, ...] → [B, hidden]. */
  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const data = rowsOf("UntiedDBN", x, this.visible);
      return this.top.forward(this.recognition.reduce((h, layer) => layer.forward(h).sigmoid(), data));
    });
  }

  get visible(): number {
    return this.recognition[0].weight.shape[1];
  }

  /** Draws from the net, as `DBN.sample` does: [count, visible]. */
  async sample(count: number, { steps = 200 }: { steps?: number } = {}): Promise<Tensor> {
    const down = (h: Tensor): Tensor =>
      [...this.generative].reverse().reduce((v, layer, i, all) => {
        const p = layer.forward(v).sigmoid();
        return i === all.length - 1 ? p : coins(p);
      }, h);
    return sampleTop(this.top, down, count, steps);
  }
}

/** A copy of a deep belief net whose weights upwards and downwards are no longer tied. Throws where it has one layer, or its data are no bits. */
export async function untie(dbn: DBN): Promise<UntiedDBN> {
  const below = dbn.layers.slice(0, -1);
  if (below.length === 0) throw new RangeError("untie: the net is one machine, which has nothing to untie");
  if (below[0].kind !== "binary")
    throw new TypeError(`untie: needs bits as data, those of this net are ${below[0].kind}`);
  const [recognition, generative]: Linear[][] = [[], []];
  for (const { weight, visibleBias, hiddenBias } of below) {
    recognition.push(await linearOf(weight, hiddenBias));
    generative.push(await linearOf(weight.transpose(), visibleBias));
  }
  const top = new RBM(dbn.top.visible, dbn.top.hidden);
  top.weight = param(await dbn.top.weight.data(), dbn.top.weight.shape);
  top.visibleBias = param(await dbn.top.visibleBias.data());
  top.hiddenBias = param(await dbn.top.hiddenBias.data());
  return new UntiedDBN(recognition, generative, top);
}

/**
 * The up-down algorithm (Hinton, Osindero & Teh, 2006), a contrastive form of wake-sleep (Hinton et al., 1995), as a loss of { x [B, ...] }:
 * awake, bits drawn upwards from x teach the generative weights to give each layer from the one above; the top machine learns by CD-k from
 * what arrives; asleep, bits drawn downwards from where its chains end teach the recognition weights. What is drawn is taken as given:
 *
 *   Σᵢ −ln g(sᵢ | sᵢ₊₁) + F(s) − F(sₖ) + Σᵢ −ln r(dᵢ₊₁ | dᵢ), the mean over examples.
 *
 * Throws where k is no whole number ≥ 1, or x does not have as many units an example as are visible.
 */
export function wakeSleep(net: UntiedDBN, { k = 1 }: { k?: number } = {}): Loss<{ x: Tensor }> {
  checkSizes("wakeSleep", { k });
  const { recognition, generative, top } = net;
  return ({ x }) => {
    let s = rowsOf("wakeSleep", x, net.visible);
    const terms: Tensor[] = [];
    for (const [i, layer] of recognition.entries()) {
      const above = coins(layer.forward(s).sigmoid()).detach();
      terms.push(surprise(generative[i].forward(above), s));
      s = above;
    }
    let d = top.gibbs(s, k).detach();
    terms.push(top.freeEnergy(s).sub(top.freeEnergy(d)).mean());
    for (const [i, layer] of [...generative.entries()].reverse()) {
      const below = coins(layer.forward(d).sigmoid()).detach();
      terms.push(surprise(recognition[i].forward(below), d));
      d = below;
    }
    return terms.reduce((sum, term) => sum.add(term));
  };
}

/** −ln p of bits given their logits, summed over units, the mean over examples. */
const surprise = (logits: Tensor, bits: Tensor): Tensor => logOnePlusExp(logits).sub(logits.mul(bits)).sum(-1).mean();
