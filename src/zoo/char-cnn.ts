// The network of characters (Zhang, Zhao & LeCun, Character-level Convolutional Networks for Text Classification, 2015).
import { arange, type Tensor, within } from "../graph/index.ts";
import { Conv1d, Dropout, Flatten, init, type Layer, Linear, MaxPool1d, relu, Sequential } from "../nn/index.ts";
import type { ZooEntry } from "./entry.ts";

export interface CharCnnOptions {
  classes: number;
  /** Characters of a text, at least 123. */
  length?: number;
  /** Characters told apart, numbered from 1; 0 is none of them. */
  characters?: number;
  /** Maps of the convolutions, and units of the two layers after them: 256 and 1024 in the paper's small form, 1024 and 2048 in its large one. */
  maps?: number;
  units?: number;
}

/**
 * x i32 [B, length], the characters' numbers as `encodeCharacters` of hebb/data gives them → logits [B, classes]: one row of 0 and 1 a
 * character, six convolutions (kernels 7, 7, 3, 3, 3, 3; the largest of three after the first, second and last), two layers with
 * dropout ½, one more. Weights start from N(0, 0.05²), in the large form the paper has 0.02. Throws where too little of the length is
 * left for the last layers.
 */
export const charCnn = (options: CharCnnOptions): Layer => new CharCnn(options);

class CharCnn {
  layers: Sequential;
  readonly characters: number;
  readonly length: number;

  constructor({ classes, length = 1014, characters = 70, maps = 256, units = 1024 }: CharCnnOptions) {
    this.characters = characters;
    this.length = length;
    const left = Math.floor((Math.floor((Math.floor((length - 6) / 3) - 6) / 3) - 8) / 3); // after convolutions and pooling
    if (!(left >= 1)) throw new RangeError(`charCnn: length must be at least 123, got ${length}`);
    const narrow = (shape: readonly number[]): Float32Array => init.normal(shape).map((value) => 0.05 * value);
    const conv = (inputs: number, kernel: number): Conv1d => new Conv1d(inputs, maps, kernel, { init: narrow });
    const linear = (inputs: number, outputs: number): Linear => new Linear(inputs, outputs, { init: narrow });
    this.layers = new Sequential(
      conv(characters, 7), // [B, maps, length − 6]
      relu,
      new MaxPool1d(3),
      conv(maps, 7),
      relu,
      new MaxPool1d(3),
      ...[conv(maps, 3), relu, conv(maps, 3), relu, conv(maps, 3), relu, conv(maps, 3), relu],
      new MaxPool1d(3), // [B, maps, left], of 1014 characters 34
      new Flatten(),
      linear(left * maps, units),
      relu,
      new Dropout(0.5),
      linear(units, units),
      relu,
      new Dropout(0.5),
      linear(units, classes),
    );
  }

  forward(x: Tensor): Tensor {
    return within(this, x, () => {
      const numbers = arange(1, this.characters + 1)
        .cast("i32")
        .reshape(1, -1, 1); // [1, characters, 1]
      return this.layers.forward(x.unsqueeze(1).eq(numbers).cast("f32"));
    });
  }
}

export const charCnnEntry: ZooEntry = {
  name: "charcnn",
  paper: "Zhang, Zhao & LeCun, Character-level Convolutional Networks for Text Classification, 2015",
  input: [1014],
  tokens: 71,
  classes: 4,
  normalize: false,
  recipe: { data: "trec-characters", epochs: 10, batch: 128, optimizer: "adam", lr: 1e-3, decay: 0.9, shift: 0 },
  build: ({ input = [1014], tokens = 71, classes = 4 } = {}) => {
    if (input.length !== 1) throw new RangeError(`charcnn: takes texts [T], got [${input.join(", ")}]`);
    return charCnn({ length: input[0], characters: tokens - 1, classes });
  },
};
