import { glyphs } from "hebb/data";
import { AvgPool2d, Conv2d, crossEntropy, Flatten, Linear, Sequential, tanh } from "hebb/nn";
import { adam } from "hebb/optim";

const model = new Sequential(new Conv2d(1, 8, 5), tanh, new AvgPool2d(4), new Flatten(), new Linear(288, 10));
const optimizer = adam(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 3e-3 });

for await (const batch of glyphs("train", { count: 3200 }).shuffle().batch(64)) {
  console.log(await optimizer.step(batch));
}
