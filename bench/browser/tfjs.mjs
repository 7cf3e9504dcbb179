// TensorFlow.js's rows of the browser's benchmark: its WebAssembly backend, which trains no convolutions.
import * as tf from "@tensorflow/tfjs";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { labels, noise } from "../contestants/noise.mjs";
import { sample } from "./sample.mjs";

const { averagePooling2d, conv2d, dense, flatten } = tf.layers;
const images = (...shape) => tf.tensor(noise(shape.reduce((n, d) => n * d, 1)), shape);
const rows = {
  mlp: () => [
    [
      dense({ inputShape: [784], units: 512, activation: "relu" }),
      dense({ units: 512, activation: "relu" }),
      dense({ units: 10 }),
    ],
    tf.train.adam(),
    images(64, 784),
  ],
  lenet: () => [
    [
      conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, padding: "same", activation: "tanh" }),
      averagePooling2d({ poolSize: 2 }),
      conv2d({ filters: 16, kernelSize: 5, activation: "tanh" }),
      averagePooling2d({ poolSize: 2 }),
      flatten(),
      ...[120, 84].map((units) => dense({ units, activation: "tanh" })),
      dense({ units: 10 }),
    ],
    tf.train.momentum(0.01, 0.9),
    images(64, 28, 28, 1),
  ],
};

/** Milliseconds of a row's training step on wasm. */
export async function measure(row, threads, pace) {
  setWasmPaths("./");
  setThreadsCount(threads);
  await tf.setBackend("wasm");
  await tf.ready();
  if (tf.getBackend() !== "wasm") throw new Error(`the backend is ${tf.getBackend()}`);
  const [layers, optimizer, x] = rows[row]();
  const model = tf.sequential({ layers });
  const y = tf.oneHot(tf.tensor1d(labels(64, 10), "int32"), 10).toFloat();
  const variables = model.trainableWeights.map((w) => w.val);
  const loss = () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }));
  return sample(async () => {
    const value = optimizer.minimize(loss, true, variables);
    await value.data();
    value.dispose();
  }, pace);
}
