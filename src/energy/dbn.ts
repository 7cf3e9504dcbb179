// The deep belief net: Boltzmann machines trained one on top of the other.

import { param, type Tensor, within } from "../graph/index.ts";
import { kindOf } from "../graph/internal.ts";
import { sigmoid } from "../nn/functional.ts";
import { Linear } from "../nn/linear.ts";
import { checkSizes } from "../nn/module.ts";
import { type Part, Sequential } from "../nn/sequential.ts";
import { type GradientSource, type SgdOptions, sgd } from "../optim/index.ts";
import { compile } from "../run/index.ts";
import type { BatchSource } from "../train/index.ts";
import {
  type ContrastiveDivergenceOptions,
  contrastiveDivergence,
  hintonsGuide,
  startChains,
} from "./contrastive-divergence.ts";
import { RBM, type RbmOptions, rowsOf } from "./rbm.ts";

/**
 * Deep belief net (Hinton, Osindero & Teh, 2006) of sizes [visible, hidden, …, hidden]:
 *
 *   P(v, h¹, …, hᴸ) = P(v | h¹) … P(hᴸ⁻² | hᴸ⁻¹)·P(hᴸ⁻¹, hᴸ), the last factor being the top machine's.
 *
 * Options are those of the first machine, which sees the data. A layer, x [B, ...] → the probabilities of the topmost units [B, hidden].
 * Throws where there are fewer than two sizes, or one is none.
 */
export class DBN {
  readonly layers: readonly RBM[];

  constructor(sizes: readonly number[], options: RbmOptions = {}) {
    if (!Array.isArray(sizes))
      throw new TypeError(`DBN: sizes must be a list, such as [784, 500], got ${kindOf(sizes)}`);
    if (sizes.length < 2) throw new RangeError(`DBN: needs two sizes or more, such as [784, 500], got ${sizes.length}`);
    this.layers = sizes.slice(1).map((hidden, i) => new RBM(sizes[i], hidden, i === 0 ? options : {}));
  }

  get top(): RBM {
    return this.layers[this.layers.length - 1];
  }

  forward(x: Tensor): Tensor {
    return this.up(x);
  }

  /** Probabilities of the hidden units of the machine number `layers`, of 0 the data: x [B, ...] → [B, units]. */
  up(x: Tensor, layers: number = this.layers.length): Tensor {
    return within(this, x, () => {
      const data = rowsOf("DBN", x, this.layers[0].visible);
      return this.layers.slice(0, layers).reduce((h, rbm) => rbm.forward(h), data);
    });
  }

  /** The data's means given the visible units of the top machine, bits between them drawn: [B, units] → [B, visible]. */
  down(h: Tensor): Tensor {
    const below = this.layers.slice(0, -1).reverse();
    return below.reduce((v, rbm, i) => (i === below.length - 1 ? rbm.visibleMeans(v) : rbm.sampleVisible(v)), h);
  }

  /** What trains the machine number `layer` on batches { x } of the data, as those below it show them. Throws where there is none. */
  contrastiveDivergence(layer: number, options: ContrastiveDivergenceOptions = {}): GradientSource<{ x: Tensor }> {
    const rbm = this.layers[layer];
    if (rbm === undefined) throw new RangeError(`DBN: there is no layer ${layer}, but 0 to ${this.layers.length - 1}`);
    const { chains, gradients } = contrastiveDivergence(rbm, options);
    return Object.assign({ chains }, { gradients: ({ x }: { x: Tensor }) => gradients({ x: this.up(x, layer) }) });
  }

  /** Draws from the net: `steps` rounds of Gibbs sampling at the top, then downwards: [count, visible], means of the last factor. */
  async sample(count: number, { steps = 200 }: { steps?: number } = {}): Promise<Tensor> {
    return sampleTop(this.top, (h) => this.down(h), count, steps);
  }

  /** A copy as sigmoid layers with a linear one of `classes` logits on top, to be trained further with labels: [B, visible] → [B, classes]. */
  async classifier(classes: number): Promise<Sequential> {
    checkSizes("classifier", { classes });
    return new Sequential(...(await this.#encoder()), new Linear(this.top.hidden, classes));
  }

  /**
   * A copy unrolled into an auto-encoder, W upwards and Wᵀ downwards, no longer tied (Hinton & Salakhutdinov, 2006): [B, visible] → [B, visible],
   * logits where the data are bits. `linearCode` leaves the sigmoid of the topmost units out.
   */
  async autoencoder({ linearCode = false }: { linearCode?: boolean } = {}): Promise<Sequential> {
    const encoder = await this.#encoder();
    if (linearCode) encoder.pop();
    const decoder: Part[] = [];
    for (const rbm of [...this.layers].reverse()) {
      const scaled = rbm.weight.transpose().mul(rbm.deviation); // [visible, hidden]
      decoder.push(await linearOf(scaled, rbm.visibleBias), sigmoid);
    }
    return new Sequential(...encoder, ...decoder.slice(0, -1));
  }

  async #encoder(): Promise<Part[]> {
    const parts: Part[] = [];
    for (const { weight, deviation, hiddenBias } of this.layers)
      parts.push(await linearOf(weight.div(deviation), hiddenBias), sigmoid);
    return parts;
  }
}

export interface PretrainOptions extends ContrastiveDivergenceOptions {
  /** Passes over the data for each layer. */
  epochs?: number;
  /** What differs from Hinton's guide in the settings of `sgd`. */
  sgd?: SgdOptions;
  /** Is told the mean of what `step` returned over each epoch. */
  onEpoch?: (report: { layer: number; epoch: number; loss: number }) => void;
}

/**
 * Greedy training (Hinton, Osindero & Teh, 2006; Bengio et al., 2007): each machine by contrastive divergence on what those below it, which
 * stay as they are by then, make of the data; with the settings of Hinton's guide. Throws where the data have no batch.
 */
export async function pretrain(
  dbn: DBN,
  data: BatchSource<{ x: Tensor }>,
  options: PretrainOptions = {},
): Promise<void> {
  const { epochs = 10, sgd: settings = {}, onEpoch, ...divergence } = options;
  checkSizes("pretrain", { epochs });
  for (const [layer, rbm] of dbn.layers.entries()) {
    let epoch = 0;
    const momentum = (): number => (epoch < 5 ? 0.5 : 0.9);
    const source = dbn.contrastiveDivergence(layer, divergence);
    const optimizer = sgd(rbm, source, { ...hintonsGuide(rbm, { batches: 1 }), momentum, ...settings });
    for (; epoch < epochs; epoch++) {
      let [sum, batches] = [0, 0];
      for await (const { x } of data.iterate({ epoch })) {
        sum += await optimizer.step({ x });
        batches++;
      }
      if (batches === 0) throw new RangeError("pretrain: the data have no batch");
      onEpoch?.({ layer, epoch, loss: sum / batches });
    }
  }
}

/** A linear layer with copies of the values. */
export async function linearOf(weight: Tensor, bias: Tensor): Promise<Linear> {
  const [outputs, inputs] = weight.shape;
  const layer = new Linear(inputs, outputs, { init: (shape) => new Float32Array(shape[0] * shape[1]) });
  layer.weight = param(await weight.data(), [outputs, inputs]);
  layer.bias = param(await bias.data());
  return layer;
}

/** Chains of the top machine after rounds of Gibbs sampling, and down from there. */
export async function sampleTop(top: RBM, down: (h: Tensor) => Tensor, count: number, steps: number): Promise<Tensor> {
  checkSizes("sample", { count, steps });
  const chains = startChains(top, count);
  const round = compile(() => chains.assign(top.gibbs(chains)));
  for (let i = 0; i < steps; i++) await round();
  return compile(() => down(chains))();
}
