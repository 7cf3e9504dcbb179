import { seed, type Tensor, tensor } from "hebb";
import { type Batch, Vocabulary, windows } from "hebb/data";
import { crossEntropy, Embedding, Linear, LSTM } from "hebb/nn";
import { adam, clipByNorm } from "hebb/optim";
import { perplexity, Trainer } from "hebb/train";
import { generate, languageModel } from "hebb/zoo";

// A language model: windows of a text, each with the same one place further
const text = [..."the cat sat on the mat, the dog lay on the log, ".repeat(20)];
const vocabulary = new Vocabulary([...new Set(text)].sort(), { special: [] });
const data = windows({ numbers: vocabulary.encode(text), vocabulary }, { length: 24 }).batch(8);
seed(1);
const model = languageModel({ tokens: vocabulary.size, cell: "gru", hidden: 48 });
const optimizer = adam(model, ({ x, y }: Batch) => crossEntropy(model.forward(x), y), {
  lr: 0.02,
  transforms: [clipByNorm(5)],
});
const { training } = await new Trainer(model, optimizer, { metrics: { perplexity: perplexity() } }).fit(data, {
  epochs: 12,
  progress: false,
});
console.log(training.metrics.perplexity);
const more = await generate(model, [...vocabulary.encode([..."the "])], { length: 20, temperature: 0 });
console.log(`the ${more.map((token) => vocabulary.words[token]).join("")}`);

// A classifier of sequences of different lengths, padded with 0: its answer is read from the last step that counts
class Reader {
  words: Embedding = new Embedding(10, 8);
  memory: LSTM = new LSTM(8, 16);
  output: Linear = new Linear(16, 2);

  forward(x: Tensor, lengths: Tensor): Tensor {
    const { state } = this.memory.run(this.words.forward(x), { lengths }); // [h, c], each [layers, B, hidden]
    return this.output.forward(state[0].at(-1)); // [B, 2]
  }
}
const reader = new Reader();
const rows = tensor(Int32Array.of(3, 1, 4, 0, 5, 9, 0, 0), [2, 4]);
console.log((await reader.forward(rows, tensor(Int32Array.of(3, 2))).data()).length);
