// hebb's rows of the browser's benchmark; the same file runs in a page and in Node.
import { device, seed, tensor } from "../../dist/index.js";
import { crossEntropy, Linear, relu, Sequential } from "../../dist/nn/index.js";
import { adam, sgd } from "../../dist/optim/index.js";
import { lenet5 } from "../../dist/zoo/index.js";
import { labels, noise } from "../contestants/noise.mjs";
import { sample } from "./sample.mjs";

const images = (...shape) => tensor(noise(shape.reduce((n, d) => n * d, 1)), shape);
const rows = {
  mlp: () => [
    new Sequential(new Linear(784, 512), relu, new Linear(512, 512), relu, new Linear(512, 10)),
    (model, loss) => adam(model, loss),
    images(64, 784),
  ],
  lenet: () => [lenet5(), (model, loss) => sgd(model, loss, { lr: 0.01, momentum: 0.9 }), images(64, 1, 28, 28)],
};

/** Milliseconds of a row's training step on wasm. */
export async function measure(row, threads, pace) {
  device("wasm", { threads });
  seed(1);
  const [model, optimizer, x] = rows[row]();
  const trained = optimizer(model, (batch) => crossEntropy(model.forward(batch.x), batch.y));
  const batch = { x, y: tensor(labels(64, 10)) };
  return sample(() => trained.step(batch), pace);
}
