// hebb in the benchmark: node hebb.mjs THREADS DEVICE, built from src/ before.
import { readFileSync } from "node:fs";
import { realSizes } from "./hebb-real.mjs";
import { labels, noise, serve } from "./serve.mjs";

await serve(async ({ patient = true } = {}) => {
  const hebb = await import("../../dist/index.js");
  const nn = await import("../../dist/nn/index.js");
  const optim = await import("../../dist/optim/index.js");
  const zoo = await import("../../dist/zoo/index.js");
  const threads = Number(process.argv[2]);
  hebb.device(process.argv[3], { threads });
  if (patient && threads > 1) await new Promise((resolve) => setTimeout(resolve, 200)); // its workers boot
  return {
    version: JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version,
    cases: { ...operations(hebb, nn), ...trainings(hebb, nn, optim, zoo), ...realSizes(hebb, nn, optim, zoo) },
  };
});

/** Single operations on values that lie on the device; the results stay there, in the memory of a state. */
function operations({ compile, grad, realize, state, tensor, zeros }, { softmax }) {
  const random = async (...shape) => {
    const t = tensor(noise(shape.reduce((n, d) => n * d, 1)), shape).neg();
    await realize(t);
    return t;
  };
  const kept = (outputs, compute) => {
    const states = outputs.map((shape) => state(zeros(shape)));
    const run = compile((...inputs) => {
      compute(...inputs).forEach((value, i) => {
        states[i].assign(value);
      });
    });
    return (...inputs) => run(...inputs);
  };
  const matmul = (n) => async () => {
    const [a, b] = [await random(n, n), await random(n, n)];
    const run = kept([[n, n]], (x, y) => [x.matmul(y)]);
    return () => run(a, b);
  };
  const unary = (shape, f) => async () => {
    const x = await random(...shape);
    const run = kept([shape], (t) => [f(t)]);
    return () => run(x);
  };
  const [image, kernel] = [
    [32, 64, 32, 32],
    [64, 64, 3, 3],
  ];
  const convolution = (outputs, compute) => async () => {
    const [x, w] = [await random(...image), await random(...kernel)];
    const run = kept(outputs, (a, b) => compute(a, b, a.conv(b, { padding: 1 })));
    return () => run(x, w);
  };
  const heads = [2, 6, 1024, 64];
  const attention = (outputs, compute) => async () => {
    const inputs = await Promise.all([1, 2, 3].map(() => random(...heads)));
    const weighted = (q, k, v) => softmax(q.mul(0.125).matmul(k.transpose())).matmul(v);
    const run = kept(outputs, (...given) => compute(given, weighted(...given)));
    return () => run(...inputs);
  };
  return {
    matmul256: matmul(256),
    matmul512: matmul(512),
    matmul1024: matmul(1024),
    convForward: convolution([image], (_x, _w, y) => [y]),
    // The square's gradient is not constant, so no part of the backward pass can be left out.
    convBackward: convolution([[], image, kernel], (x, w, y) => {
      const loss = y.square().sum();
      return [loss, ...grad(loss, [x, w])];
    }),
    expTanh: unary([1 << 20], (t) => t.exp().tanh()),
    softmax: unary([4096, 1000], (t) => softmax(t)),
    attentionForward: attention([heads], (_given, y) => [y]),
    attentionBackward: attention([[], heads, heads, heads], (given, y) => {
      const loss = y.square().sum();
      return [loss, ...grad(loss, given)];
    }),
  };
}

/** Training steps on one batch of host data, as a data loader would hand it over. */
function trainings({ stack, tensor, zeros }, nn, { adam, sgd }, { lenet5 }) {
  const { BatchNorm2d, Conv2d, Embedding, Linear, Sequential, crossEntropy, mse, relu, tanh } = nn;
  const train = (model, optimizer, x, y, loss) => {
    const opt = optimizer(model, (batch) => loss(model.forward(batch.x), batch.y));
    return () => opt.step({ x, y });
  };
  const momentum = (model, loss) => sgd(model, loss, { lr: 0.01, momentum: 0.9 });
  const image = (...shape) => tensor(noise(shape.reduce((n, d) => n * d, 1)), shape);
  const digits = () => tensor(labels(64, 10));

  class Block {
    constructor(inputs, outputs, stride) {
      this.conv1 = new Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
      this.bn1 = new BatchNorm2d(outputs);
      this.conv2 = new Conv2d(outputs, outputs, 3, { padding: 1, bias: false });
      this.bn2 = new BatchNorm2d(outputs);
      if (inputs === outputs) return;
      this.downsample = new Sequential(
        new Conv2d(inputs, outputs, 1, { stride, bias: false }),
        new BatchNorm2d(outputs),
      );
    }
    forward(x) {
      const h = this.bn2.forward(this.conv2.forward(this.bn1.forward(this.conv1.forward(x)).relu()));
      return h.add(this.downsample?.forward(x) ?? x).relu();
    }
  }
  const resnet20 = () =>
    new Sequential(
      new Conv2d(3, 16, 3, { padding: 1, bias: false }),
      new BatchNorm2d(16),
      relu,
      ...[16, 32, 64].flatMap((outputs) => [
        new Block(Math.max(16, outputs / 2), outputs, outputs === 16 ? 1 : 2),
        new Block(outputs, outputs, 1),
        new Block(outputs, outputs, 1),
      ]),
      (x) => x.mean([2, 3]), // [B, 64]
      new Linear(64, 10),
    );

  const hidden = 256;
  /** Per step, from the input's and the state's share of the gates [B, gates·hidden], the next state. */
  const cells = {
    rnn: { gates: 1, next: ([x], [h]) => ({ h: x.add(h).tanh() }) },
    lstm: {
      gates: 4,
      next(x, h, { c }) {
        const [i, f, g, o] = x.map((part, k) => part.add(h[k]));
        const cell = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
        return { h: o.sigmoid().mul(cell.tanh()), c: cell };
      },
    },
    gru: {
      gates: 3,
      next([xr, xz, xn], [hr, hz, hn], { h }) {
        const [r, z] = [xr.add(hr).sigmoid(), xz.add(hz).sigmoid()];
        const n = xn.add(r.mul(hn)).tanh();
        return { h: n.add(z.mul(h.sub(n))) };
      },
    },
  };
  class CharModel {
    #cell;
    constructor({ gates, next }) {
      this.embedding = new Embedding(65, 128);
      this.input = new Linear(128, gates * hidden);
      this.recurrent = new Linear(hidden, gates * hidden);
      this.output = new Linear(hidden, 65);
      this.#cell = { gates, next };
    }
    forward(ids) {
      const { gates, next } = this.#cell;
      const parts = (t) => Array.from({ length: gates }, (_, k) => t.slice(1, k * hidden, (k + 1) * hidden));
      const inputs = this.input.forward(this.embedding.forward(ids)); // [T, B, gates·hidden]
      const start = zeros([ids.shape[1], hidden]);
      let state = { h: start, c: start };
      const outputs = [];
      for (let t = 0; t < ids.shape[0]; t++) {
        state = next(parts(inputs.at(t)), parts(this.recurrent.forward(state.h)), state);
        outputs.push(state.h);
      }
      return this.output.forward(stack(outputs)); // [T, B, 65]
    }
  }
  const characters = (cell) => async () => {
    const ids = tensor(labels(64 * 32, 65), [64, 32]);
    return train(new CharModel(cell), adam, ids, ids, crossEntropy);
  };
  const dense = (...parts) => new Sequential(...parts);

  return {
    mlp: async () => {
      const model = dense(new Linear(784, 512), relu, new Linear(512, 512), relu, new Linear(512, 10));
      return train(model, adam, image(64, 784), digits(), crossEntropy);
    },
    lenet: async () => train(lenet5(), momentum, image(64, 1, 28, 28), digits(), crossEntropy),
    resnet20: async () => train(resnet20(), momentum, image(64, 3, 32, 32), digits(), crossEntropy),
    charRnn: characters(cells.rnn),
    charLstm: characters(cells.lstm),
    charGru: characters(cells.gru),
    tiny: async () => {
      const model = dense(new Linear(2, 16), tanh, new Linear(16, 16), tanh, new Linear(16, 1));
      return train(model, adam, image(32, 2), image(32, 1), mse);
    },
    deep: async () => {
      const model = dense(...Array.from({ length: 100 }, () => [new Linear(64, 64), tanh]).flat());
      return train(model, adam, image(32, 64), image(32, 64), mse);
    },
  };
}
