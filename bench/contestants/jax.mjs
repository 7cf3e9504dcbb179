// jax-js (wasm backend) in the benchmark; it needs a newer Node than hebb. Every use of an array but its last takes `.ref`.
import { labels, noise, serve } from "./serve.mjs";

await serve(async () => {
  const jax = await import("@jax-js/jax");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  return { version: "0.1.25", cases: cases(jax) };
});

function cases({ blockUntilReady, grad, jit, lax, nn, numpy: np, tree, valueAndGrad }) {
  const random = (shape, scale = 1, seed = 1) => {
    const size = shape.reduce((n, d) => n * d, 1);
    return np.array(noise(size, seed).map((u) => u * scale)).reshape(shape);
  };
  const kept = (f, ...inputs) => {
    const run = jit(f);
    return async () => {
      const result = run(...inputs.map((x) => x.ref));
      await blockUntilReady(result);
      tree.dispose(result);
    };
  };
  const matmul = (n) => async () => kept((a, b) => np.matmul(a, b), random([n, n]), random([n, n]));
  const [image, kernel] = [
    [32, 64, 32, 32],
    [64, 64, 3, 3],
  ];
  const same = [
    [1, 1],
    [1, 1],
  ];
  const square = (x) => x.ref.mul(x);

  /** Pure rules, of a parameter, its gradient, its slots and numbers that depend on the step: the next parameter and slots. */
  const adam = {
    slots: 2,
    scalars: (t) => [1e-3 / (1 - 0.9 ** t), 1 / Math.sqrt(1 - 0.999 ** t)],
    update(p, g, [m, v], [rate, correction]) {
      const m1 = m.mul(0.9).add(g.ref.mul(0.1));
      const v1 = v.mul(0.999).add(square(g).mul(0.001));
      const step = m1.ref.mul(rate.ref).div(np.sqrt(v1.ref).mul(correction.ref).add(1e-8));
      return [p.sub(step), [m1, v1]];
    },
  };
  const momentum = {
    slots: 1,
    scalars: () => [0.01],
    update(p, g, [b], [rate]) {
      const next = b.mul(0.9).add(g);
      return [p.sub(next.ref.mul(rate.ref)), [next]];
    },
  };
  /** loss(parameters, x, y) → a scalar; parameters is a list. */
  const train = (parameters, rule, loss, x, y) => {
    const run = jit((ps, slots, scalars, input, target) => {
      const copies = ps.map((p) => p.ref);
      const [value, gradients] = valueAndGrad(loss)(copies, input, target);
      const moved = ps.map((p, i) => rule.update(p, gradients[i], slots[i], scalars));
      tree.dispose(scalars);
      return [value, moved.map(([p]) => p), moved.map(([, s]) => s)];
    });
    let ps = parameters;
    let slots = ps.map((p) => Array.from({ length: rule.slots }, () => np.zeros(p.shape)));
    let t = 0;
    return async () => {
      const scalars = rule.scalars(++t).map((value) => np.array(value));
      const [value, nextPs, nextSlots] = run(ps, slots, scalars, x.ref, y.ref);
      [ps, slots] = [nextPs, nextSlots];
      return (await value.data())[0];
    };
  };
  const linear = (x, w, b) => np.matmul(x, w).add(b);
  const dense = (sizes) =>
    sizes.slice(1).flatMap((n, i) => [random([sizes[i], n], 1 / Math.sqrt(sizes[i])), np.zeros([n])]);
  const perceptron = (activation) => (ps, x) => {
    let y = x;
    for (let i = 0; i < ps.length; i += 2) {
      y = linear(y, ps[i], ps[i + 1]);
      if (i + 2 < ps.length) y = activation(y);
    }
    return y;
  };
  const digits = () => nn.oneHot(np.array(labels(64, 10), { dtype: np.int32 }), 10);
  const crossEntropy = (forward) => (ps, x, y) => {
    const likelihood = nn.logSoftmax(forward(ps, x), -1).mul(y); // [B, classes]
    return likelihood.sum().div(-64);
  };
  const meanSquare = (forward) => (ps, x, y) => square(forward(ps, x).sub(y)).mean();
  const relu = (x) => nn.relu(x);
  const tanh = (x) => np.tanh(x);
  const halve = (x) => {
    const [n, c, h, w] = x.shape;
    return x.reshape([n, c, h / 2, 2, w / 2, 2]).mean([3, 5]); // [N, C, H/2, W/2]
  };
  const convolve = (x, w, padding, stride = 1) =>
    lax.convGeneralDilated(
      x,
      w,
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
    );
  const lenet = (ps, x) => {
    const [w1, b1, w2, b2, ...rest] = ps;
    const h1 = halve(tanh(convolve(x, w1, 2).add(b1.reshape([6, 1, 1]))));
    const h2 = halve(tanh(convolve(h1, w2, 0).add(b2.reshape([16, 1, 1]))));
    return perceptron(tanh)(rest, h2.reshape([64, 400]));
  };
  const heads = [2, 6, 1024, 64];
  const attention = (q, k, v) => {
    const scores = np.matmul(q.mul(0.125), np.swapaxes(k, -1, -2));
    return np.matmul(nn.softmax(scores, -1), v);
  };

  return {
    matmul256: matmul(256),
    matmul512: matmul(512),
    matmul1024: matmul(1024),
    convForward: async () => kept((x, w) => convolve(x, w, 1), random(image), random(kernel)),
    convBackward: async () => {
      const loss = (x, w) => square(lax.conv(x, w, [1, 1], same)).sum();
      return kept((x, w) => grad(loss, { argnums: [0, 1] })(x, w), random(image), random(kernel));
    },
    expTanh: async () => kept((x) => np.tanh(np.exp(x)), random([1 << 20])),
    softmax: async () => kept((x) => nn.softmax(x, -1), random([4096, 1000])),
    attentionForward: async () => kept(attention, ...[1, 2, 3].map(() => random(heads))),
    attentionBackward: async () => {
      const loss = (...given) => square(attention(...given)).sum();
      return kept((...given) => grad(loss, { argnums: [0, 1, 2] })(...given), ...[1, 2, 3].map(() => random(heads)));
    },
    mlp: async () =>
      train(dense([784, 512, 512, 10]), adam, crossEntropy(perceptron(relu)), random([64, 784]), digits()),
    lenet: async () => {
      const weights = [random([6, 1, 5, 5], 0.2), np.zeros([6]), random([16, 6, 5, 5], 0.08), np.zeros([16])];
      const parameters = [...weights, ...dense([400, 120, 84, 10])];
      return train(parameters, momentum, crossEntropy(lenet), random([64, 1, 28, 28]), digits());
    },
    tiny: async () =>
      train(dense([2, 16, 16, 1]), adam, meanSquare(perceptron(tanh)), random([32, 2]), random([32, 1])),
    deep: async () => {
      const parameters = dense(new Array(101).fill(64));
      return train(parameters, adam, meanSquare(perceptron(tanh)), random([32, 64]), random([32, 64]));
    },
  };
}
