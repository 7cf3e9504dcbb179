// TensorFlow.js (wasm backend) in the benchmark, with the cases it has kernels for.
import { createRequire } from "node:module";
import { labels, noise, serve } from "./serve.mjs";

await serve(async () => {
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs");
  require("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend("wasm");
  await tf.ready();
  return { version: tf.version.tfjs, cases: cases(tf) };
});

function cases(tf) {
  const random = (...shape) => tf.tensor(noise(shape.reduce((n, d) => n * d, 1)), shape);
  const kept = (f) => () => tf.dispose(tf.tidy(f));
  const matmul = (n) => async () => {
    const [a, b] = [random(n, n), random(n, n)];
    return kept(() => a.matMul(b));
  };
  const [image, kernel] = [
    [32, 32, 32, 64],
    [3, 3, 64, 64],
  ];
  /** A step that minimizes and reads the loss. */
  const train = (model, optimizer, loss) => {
    const variables = model.trainableWeights.map((w) => w.val);
    return async () => {
      const value = optimizer.minimize(loss, true, variables);
      const [number] = await value.data();
      value.dispose();
      return number;
    };
  };
  const digits = () => tf.oneHot(tf.tensor1d(labels(64, 10), "int32"), 10).toFloat();
  const classify = (model, optimizer, x) => {
    const y = digits();
    return train(model, optimizer, () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true })));
  };
  const regress = (model, x, y) => train(model, tf.train.adam(), () => tf.losses.meanSquaredError(y, model.apply(x)));
  const dense = (inputs, sizes, activation) =>
    tf.sequential({
      layers: sizes.map((units, i) =>
        tf.layers.dense({
          units,
          activation: i < sizes.length - 1 ? activation : "linear",
          ...(i === 0 && { inputShape: [inputs] }),
        }),
      ),
    });
  const { conv2d, averagePooling2d, flatten } = tf.layers;
  const lenet = () =>
    tf.sequential({
      layers: [
        conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, padding: "same", activation: "tanh" }),
        averagePooling2d({ poolSize: 2 }),
        conv2d({ filters: 16, kernelSize: 5, activation: "tanh" }),
        averagePooling2d({ poolSize: 2 }),
        flatten(),
        ...[120, 84].map((units) => tf.layers.dense({ units, activation: "tanh" })),
        tf.layers.dense({ units: 10 }),
      ],
    });
  const heads = [2, 6, 1024, 64];
  const attention = (q, k, v) => tf.matMul(q.mul(0.125).matMul(k, false, true).softmax(), v);

  return {
    matmul256: matmul(256),
    matmul512: matmul(512),
    matmul1024: matmul(1024),
    convForward: async () => {
      const [x, w] = [random(...image), random(...kernel)];
      return kept(() => tf.conv2d(x, w, 1, "same"));
    },
    convBackward: async () => {
      const [x, w] = [random(...image), random(...kernel)];
      const backward = tf.grads((a, b) => tf.conv2d(a, b, 1, "same").square().sum());
      return kept(() => backward([x, w]));
    },
    expTanh: async () => {
      const x = random(1 << 20);
      return kept(() => x.exp().tanh());
    },
    softmax: async () => {
      const x = random(4096, 1000);
      return kept(() => x.softmax());
    },
    attentionForward: async () => {
      const [q, k, v] = [1, 2, 3].map(() => random(...heads));
      return kept(() => attention(q, k, v));
    },
    attentionBackward: async () => {
      const inputs = [1, 2, 3].map(() => random(...heads));
      const backward = tf.grads((...given) =>
        attention(...given)
          .square()
          .sum(),
      );
      return kept(() => backward(inputs));
    },
    mlp: async () => classify(dense(784, [512, 512, 10], "relu"), tf.train.adam(), random(64, 784)),
    lenet: async () => classify(lenet(), tf.train.momentum(0.01, 0.9), random(64, 28, 28, 1)),
    tiny: async () => regress(dense(2, [16, 16, 1], "tanh"), random(32, 2), random(32, 1)),
    deep: async () => regress(dense(64, new Array(100).fill(64), "tanh"), random(32, 64), random(32, 64)),
  };
}
