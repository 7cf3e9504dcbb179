import { type Batch, Dataset, glyphs, mixup, randomCrop } from "hebb/data";
import { crossEntropy, load, stateDict } from "hebb/nn";
import { adam } from "hebb/optim";
import { Trainer } from "hebb/train";
import { resnetCifar } from "hebb/zoo";

// A network that has learnt ten digits, or is read from a file: (await readSafetensors("resnet18.safetensors")).tensors
const teacher = resnetCifar(8, { channels: 1 });
const learning = adam(teacher, ({ x, y }: Batch) => crossEntropy(teacher.forward(x), y), { lr: 3e-3 });
await new Trainer(teacher, learning).fit(glyphs("train", { count: 200 }).batch(40), { epochs: 2, progress: false });
const weights = await stateDict(teacher);

// The same with a head for two classes, even and odd: all but the head begins with what was learnt
const network = resnetCifar(8, { channels: 1, classes: 2 });
await load(network, new Map([...weights].filter(([name]) => !name.startsWith("fc."))), { strict: false });

// imageFolder("./pictures", { size: 32 }) would be a folder with a folder of images for each class
const { x, y } = await glyphs("train", { count: 100 }).samples();
const pictures = new Dataset({ x, y: y.map((digit) => digit % 2) }, { shape: [1, 28, 28], classes: ["even", "odd"] })
  .batch(20)
  .map(randomCrop({ padding: 2 }))
  .mapBatch(mixup({ alpha: 0.2 }));

const optimizer = adam(network, ({ x, y }: Batch) => crossEntropy(network.forward(x), y), {
  lr: 3e-3,
  groups: [
    { match: /^(conv1|bn1|layer1)/, frozen: true }, // what all images have in common stays
    { match: /^layer/, lr: 3e-4 }, // what is made of it moves slowly
  ],
});
const { training } = await new Trainer(network, optimizer).fit(pictures, { epochs: 3, progress: false });
console.log(training.loss);
