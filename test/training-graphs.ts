// Small training steps as graphs, for the tests of the compiler: a multilayer perceptron, a convolutional network, attention, Adam.
import { grad, param, type Tensor, tensor } from "../src/graph/index.ts";
import { type Shape, sizeOf, type Update } from "../src/graph/internal.ts";
import { state } from "../src/graph/leaves.ts";
import { stream } from "./harness.ts";

export interface Step {
  readonly loss: Tensor;
  readonly updates: readonly Update[];
}

/** Makes leaves of random values, the same ones in every run. */
function leaves(seed: number): (shape: Shape, scale?: number) => Float32Array {
  const random = stream(seed);
  return (shape, scale = 1) => Float32Array.from({ length: sizeOf(shape) }, () => scale * (2 * random() - 1));
}

/** Mean of −log softmax at the labels: logits [B, C], one-hot labels [B, C]. */
function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const shifted = logits.sub(logits.max(-1, { keepDims: true }).detach());
  const logs = shifted.sub(shifted.exp().sum(-1, { keepDims: true }).log());
  return logs.mul(labels).sum(-1).mean().neg();
}

/** Labels 0, 1, … in turn as rows of a unit matrix. */
const oneHotRows = (batch: number, classes: number): Tensor =>
  tensor(
    Float32Array.from({ length: batch * classes }, (_, i) => Number(i % classes === Math.floor(i / classes) % classes)),
    [batch, classes],
  );

/** One step of gradient descent of tanh(x·W₁ + b₁)·W₂ + b₂. */
export function mlpStep(batch: number, inputs: number, hidden: number, classes: number): Step {
  const values = leaves(1);
  const make = (shape: Shape, scale: number): Tensor => param(values(shape, scale), shape);
  const [w1, b1] = [make([inputs, hidden], inputs ** -0.5), make([hidden], 0)];
  const [w2, b2] = [make([hidden, classes], hidden ** -0.5), make([classes], 0)];
  const x = tensor(values([batch, inputs]), [batch, inputs]);
  const logits = x.matmul(w1).add(b1).tanh().matmul(w2).add(b2);
  const loss = crossEntropy(logits, oneHotRows(batch, classes));
  const params = [w1, b1, w2, b2];
  const updates = grad(loss, params).map((g, i) => ({ leaf: params[i], value: params[i].sub(g.mul(0.1)) }));
  return { loss, updates };
}

/** One Adam step of a convolution, average pooling and a linear layer: images [B, 1, S, S], S even. */
export function convStep(batch: number, size: number, channels: number, classes: number): Step {
  const values = leaves(2);
  const features = channels * (size / 2) ** 2;
  const make = (shape: Shape, scale: number): Tensor => param(values(shape, scale), shape);
  const [kernel, shift] = [make([channels, 1, 5, 5], 0.2), make([channels, 1, 1], 0)];
  const [w, b] = [make([features, classes], features ** -0.5), make([classes], 0)];
  const x = tensor(values([batch, 1, size, size]), [batch, 1, size, size]);
  const maps = x.conv(kernel, { padding: 2 }).add(shift).tanh(); // [B, C, S, S]
  const pooled = maps.reshape(batch, channels, size / 2, 2, size / 2, 2).mean([3, 5]); // [B, C, S/2, S/2]
  const loss = crossEntropy(pooled.reshape(batch, features).matmul(w).add(b), oneHotRows(batch, classes));
  return { loss, updates: adamUpdates(loss, [kernel, shift, w, b]) };
}

/** Updates of parameters and of their moments, with β₁ = 0.9, β₂ = 0.999 and no bias correction. */
export function adamUpdates(loss: Tensor, params: readonly Tensor[]): Update[] {
  return grad(loss, params).flatMap((g, i) => {
    const p = params[i];
    const [m, v] = [p, p].map(() => state(new Float32Array(p.size), p.shape));
    const nextM = m.mul(0.9).add(g.mul(0.1));
    const nextV = v.mul(0.999).add(g.square().mul(0.001));
    const value = p.sub(nextM.mul(0.001).div(nextV.sqrt().add(1e-8)));
    return [
      { leaf: p, value },
      { leaf: m, value: nextM },
      { leaf: v, value: nextV },
    ];
  });
}

/** softmax(q·kᵀ / √D)·v: three leaves [H, T, D]. */
export function attention(heads: number, length: number, width: number): Tensor {
  const values = leaves(3);
  const [q, k, v] = [1, 2, 3].map(() => tensor(values([heads, length, width]), [heads, length, width]));
  return softmax(q.matmul(k.transpose()).mul(width ** -0.5)).matmul(v); // [H, T, T] · [H, T, D]
}

/** Over the last axis. */
export function softmax(x: Tensor): Tensor {
  const e = x.sub(x.max(-1, { keepDims: true })).exp();
  return e.div(e.sum(-1, { keepDims: true }));
}
