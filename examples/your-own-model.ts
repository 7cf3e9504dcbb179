import { compile, normal, seed, type Tensor, tensor, within } from "hebb";
import { Dataset } from "hebb/data";
import { crossEntropy, Linear, nameModules, relu, softmax } from "hebb/nn";

seed(1);

class Residual {
  inner: Linear;
  constructor(width: number) {
    this.inner = new Linear(width, width);
  }
  forward(x: Tensor): Tensor {
    return within(this, () => x.add(relu(this.inner.forward(x)))); // [B, width] → [B, width]
  }
}

class Net {
  first = new Linear(2, 16);
  blocks = [new Residual(16), new Residual(16)];
  last = new Linear(16, 2);
  forward(x: Tensor): Tensor {
    return within(this, () => {
      const hidden = this.blocks.reduce((h, block) => block.forward(h), relu(this.first.forward(x))); // [B, 16]
      return this.last.forward(hidden); // [B, 2], one number a class
    });
  }
}

const net = new Net();
nameModules(net); // errors then say: in Linear "blocks.1.inner"

async function ring(count: number): Promise<Dataset> {
  const x = (await normal([count, 2]).data()) as Float32Array;
  const y = Uint8Array.from({ length: count }, (_, i) => Number(Math.hypot(x[2 * i], x[2 * i + 1]) > 1.2));
  return new Dataset({ x, y }, { name: "ring", shape: [2], classes: ["inside", "outside"] }).batch(50);
}

const train = await ring(1000);
const test = await ring(500);

import { adam } from "hebb/optim";
import { accuracy, Trainer } from "hebb/train";

type Batch = { x: Tensor; y: Tensor };
const loss = ({ x, y }: Batch): Tensor => crossEntropy(net.forward(x), y);

const trainer = new Trainer(net, adam(net, loss, { lr: 0.01 }), { metrics: { accuracy } });
const { validation } = await trainer.fit(train, { epochs: 10, validation: test });
console.log(validation!.metrics.accuracy); // above 0.95

const probabilities = compile((x: Tensor) => softmax(net.forward(x)));
const answer = await probabilities(
  tensor([
    [0, 0],
    [2, 2],
  ]),
);
console.log(answer.shape, await answer.data()); // [2, 2], a row a point
console.log(await answer.at(0).argmax().item()); // 0: inside

import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "hebb/io";
import { load, stateDict } from "hebb/nn";

const file = join(tmpdir(), "ring.safetensors");
await writeSafetensors(file, await stateDict(net)); // "first.weight", "blocks.0.inner.weight", …

const copy = new Net();
const { tensors } = await readSafetensors(file);
await load(copy, tensors);
console.log(await copy.forward(tensor([[0, 0]])).data());

import { isTraining, state, zeros } from "hebb";

class Centre {
  mean: Tensor;
  constructor(features: number) {
    this.mean = state(zeros([features]));
  }
  forward(x: Tensor): Tensor {
    return within(this, () => {
      if (!isTraining()) return x.sub(this.mean);
      const mean = x.mean(0); // [B, features] → [features]
      this.mean.assign(this.mean.mul(0.9).add(mean.mul(0.1))); // lands when the step ends
      return x.sub(mean);
    });
  }
}

import { evaluating, training } from "hebb";

const centre = new Centre(2);
const points = tensor([
  [1, 10],
  [3, 30],
]);
console.log(await training(() => centre.forward(points)).data()); // [-1, -10, 1, 10]
console.log(await centre.mean.data()); // [0.2, 2]
console.log(await evaluating(() => centre.forward(points)).data()); // [0.8, 8, 2.8, 28]

import { concat, stack } from "hebb";
import { type Layer, tanh } from "hebb/nn";

/** h′ = tanh(W·[x, h] + b), which is its output and its state. */
class Recurrent implements Layer<[x: Tensor, state: Tensor], [output: Tensor, state: Tensor]> {
  inner: Linear;
  constructor(inputs: number, width: number) {
    this.inner = new Linear(inputs + width, width);
  }
  forward(x: Tensor, state: Tensor): [output: Tensor, state: Tensor] {
    return within(this, () => {
      const next = tanh(this.inner.forward(concat([x, state], -1))); // [B, inputs + width] → [B, width]
      return [next, next];
    });
  }
}

class Tagger {
  cell = new Recurrent(1, 8);
  head = new Linear(8, 2);
  forward(x: Tensor): Tensor {
    return within(this, () => {
      const [batch, time] = x.shape;
      let state = zeros([batch, 8]);
      const outputs: Tensor[] = [];
      for (let t = 0; t < time; t++) {
        const [output, next] = this.cell.forward(x.slice(1, t, t + 1), state); // [B, 1], [B, 8] → [B, 8]
        outputs.push(this.head.forward(output)); // [B, 2]
        state = next;
      }
      return stack(outputs, 1); // [B, T] → [B, T, 2]
    });
  }
}

import { type BatchSource, type Metric, meanOf } from "hebb/train";

type Walks = { steps: Tensor; above: Tensor }; // f32 and i32, [B, T]

async function walks(count: number): Promise<Walks> {
  const steps = (await normal([count, 6]).data()).map(Math.sign) as Float32Array;
  const above = new Int32Array(steps.length);
  for (let i = 0, height = 0; i < steps.length; i++) {
    height = (i % 6 === 0 ? 0 : height) + steps[i];
    above[i] = Number(height > 0);
  }
  return { steps: tensor(steps, [count, 6]), above: tensor(above, [count, 6]) };
}

const batches = [await walks(100), await walks(100), await walks(60)];
const source: BatchSource<Walks> = {
  async *iterate({ skip = 0 } = {}) {
    yield* batches.slice(skip);
  },
};

const tagger = new Tagger();
const taggerLoss = ({ steps, above }: Walks): Tensor => crossEntropy(tagger.forward(steps), above);
const right: Metric<Walks> = ({ above }, outputs) => meanOf(outputs.argmax(-1).eq(above));
const walker = new Trainer(tagger, adam(tagger, taggerLoss, { lr: 0.02 }), { metrics: { right } });
await walker.fit(source, { epochs: 40, progress: false });
console.log((await walker.evaluate(source))!.metrics.right); // above 0.95

import { firstOrder, type Rule } from "hebb/optim";

const lion: Rule<"m", "rate"> = {
  slots: { m: 0 },
  scalars: { rate: (_step, lr) => lr },
  update: (p, g, { m }, { rate }) => ({
    p: p.sub(m.mul(0.9).add(g.mul(0.1)).sign().mul(rate)),
    slots: { m: m.mul(0.99).add(g.mul(0.01)) },
  }),
};

const optimizer = firstOrder(net, loss, lion, { lr: 1e-4 });
for await (const batch of train.shuffle()) {
  console.log(await optimizer.step(batch));
}

import { accumulate, adamw, clipByNorm, cosine, warmup } from "hebb/optim";

const schedule = warmup(cosine(0.01, { steps: 1000 }), 20); // counts moves of the parameters
const tuned = adamw(net, loss, {
  lr: schedule,
  weightDecay: 0.1,
  transforms: [accumulate(4), clipByNorm(1)], // the mean over 4 batches, then of norm at most 1
  groups: [
    { match: /^first\./, frozen: true },
    { match: /\.bias$/, weightDecay: 0 },
    { match: /^blocks\./, lr: (move) => 0.1 * schedule(move) }, // the weights, as the biases have their group
  ],
});
for await (const batch of train.shuffle()) await tuned.step(batch);

import { param, uniform } from "hebb";
import { init, mse } from "hebb/nn";
import { type GradientSource, sgd } from "hebb/optim";

const rbm = { w: param(init.normal([20, 8], 0, 0.01), [20, 8]), a: param(zeros([20])), b: param(zeros([8])) };
const hidden = (v: Tensor): Tensor => v.matmul(rbm.w).add(rbm.b).sigmoid(); // [B, 20] → [B, 8]
const divergence: GradientSource<Tensor> = {
  gradients(v) {
    const h = hidden(v);
    const fired = uniform(h.shape).lt(h).cast("f32");
    const again = fired.matmul(rbm.w.transpose()).add(rbm.a).sigmoid(); // [B, 20]
    const statistics = (x: Tensor, y: Tensor): Tensor => x.transpose().matmul(y).div(v.shape[0]);
    return {
      loss: mse(again, v), // a figure to watch: what step returns
      gradients: new Map([
        [rbm.w, statistics(again, hidden(again)).sub(statistics(v, h))],
        [rbm.a, again.sub(v).mean(0)],
        [rbm.b, hidden(again).sub(h).mean(0)],
      ]),
    };
  },
};
const machine = sgd(rbm, divergence, { lr: 0.1, momentum: 0.5 });
console.log(await machine.step(uniform([10, 20]).lt(0.5).cast("f32")));

import { objective } from "hebb/optim";

const { flat } = objective(net, ({ x, y }: Batch) => {
  const outputs = net.forward(x);
  return { loss: crossEntropy(outputs, y), outputs };
});
const two = {
  x: tensor([
    [0, 0],
    [2, 2],
  ]),
  y: tensor(Int32Array.of(0, 1)),
};
const { gradient } = await flat.gradient(two);
const curved = await flat.gaussNewtonProduct(two, gradient);
const length = gradient.square().sum().div(gradient.mul(curved).sum());
await flat.move((await flat.point()).sub(gradient.mul(length)));
console.log(await flat.value(two));
