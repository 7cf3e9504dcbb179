// A non-linear code of six numbers describes curves of six numbers; a linear one does not.
import { expect, test } from "vitest";
import { pca } from "../../src/classical/index.ts";
import { curves, type Split } from "../../src/data/index.ts";
import { device, seed, type Tensor, tensor } from "../../src/index.ts";
import { identity, init, relu } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { autoencoder, autoencoderLoss } from "../../src/zoo/index.ts";

const pixels = async (split: Split, count: number): Promise<Tensor> => {
  const { x } = await curves(split, { count }).samples();
  return tensor(
    Float32Array.from(x, (v) => v / 255),
    [count, 784],
  );
};

test("on curves its squared error is at most half of that of PCA", { timeout: 280_000 }, async () => {
  device("native");
  seed(1);
  const held = await pixels("test", 1000);
  const error = async (back: Tensor): Promise<number> =>
    ((await back.sub(held).square().sum().item()) as number) / 1000;
  const linear = await error((await pca(await pixels("train", 4000), { components: 6 })).reconstruct(held));
  const model = autoencoder(784, 256, 128, 64, 6, { activation: relu, code: identity, init: init.heNormal });
  const [epochs, steps] = [30, 200];
  const optimizer = adam<{ x: Tensor }>(model, autoencoderLoss(model));
  const data = curves("train").shuffle().batch(100);
  for (let epoch = 0; epoch < epochs; epoch++)
    for await (const { x } of data) {
      optimizer.lr = 2e-3 * (1 - optimizer.steps / (epochs * steps));
      await optimizer.step({ x: x.reshape(100, 784) });
    }
  const found = await error(model.reconstruct(held));
  console.log(`squared error per curve: PCA ${linear.toFixed(2)}, auto-encoder ${found.toFixed(2)}`);
  expect(found).toBeLessThan(linear / 2);
});
