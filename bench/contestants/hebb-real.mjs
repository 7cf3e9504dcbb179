// Networks of the sizes that people train, and what they cost to make and to ask.
import { labels, noise } from "./noise.mjs";

export function realSizes({ compile, param, tensor }, nn, { adam, sgd }, { resnet, vgg }) {
  const { crossEntropy, Embedding, gelu, init, LayerNorm, Linear, stateDict, TransformerEncoderLayer } = nn;
  const photographs = (batch) => tensor(noise(batch * 3 * 224 * 224), [batch, 3, 224, 224]);
  const train = (depth) => async () => {
    const model = resnet(depth);
    const optimizer = sgd(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 0.01, momentum: 0.9 });
    const batch = { x: photographs(8), y: tensor(labels(8, 1000)) };
    return () => optimizer.step(batch);
  };
  const infer = (make, batch) => async () => {
    const model = make();
    const run = compile((x) => model.forward(x));
    const x = photographs(batch);
    return async () => (await run(x)).data();
  };

  class Gpt {
    constructor(characters = 65, width = 384, context = 256) {
      this.embedding = new Embedding(characters, width);
      this.places = param((shape) => init.normal(shape, 0, 0.02), [context, width]);
      const options = { hidden: 4 * width, dropout: 0, activation: gelu, normFirst: true, causal: true };
      this.layers = Array.from({ length: 6 }, () => new TransformerEncoderLayer(width, 6, options));
      this.norm = new LayerNorm(width);
      this.output = new Linear(width, characters);
    }
    forward(ids) {
      const x = this.embedding.forward(ids).add(this.places);
      return this.output.forward(this.norm.forward(this.layers.reduce((h, layer) => layer.forward(h), x)));
    }
  }

  return {
    resnet18: train(18),
    resnet50: train(50),
    gpt: async () => {
      const model = new Gpt();
      const optimizer = adam(model, ({ x }) => crossEntropy(model.forward(x), x));
      const batch = { x: tensor(labels(8 * 256, 65), [8, 256]) };
      return () => optimizer.step(batch);
    },
    inferResnet18One: infer(() => resnet(18), 1),
    inferResnet50One: infer(() => resnet(50), 1),
    inferResnet50Eight: infer(() => resnet(50), 8),
    inferVgg16One: infer(() => vgg("D"), 1),
    makeResnet50: async () => () => stateDict(resnet(50)),
  };
}
