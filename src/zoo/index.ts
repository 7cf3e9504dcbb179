// hebb/zoo: models of the literature, each with its paper and the recipe that trains it.
import type { ZooEntry } from "./entry.ts";
import { lenet5Entry, lenet5Of1998Entry } from "./lenet5.ts";
import { mlpEntry } from "./mlp.ts";
import { textCnnEntry } from "./text-cnn.ts";

export { type CharCnnOptions, charCnn } from "./char-cnn.ts";
export type { Fitting, Recipe, ZooEntry } from "./entry.ts";
export { type GatedConvOptions, gatedConv } from "./gated-conv.ts";
export { type LeNet5Options, lenet5 } from "./lenet5.ts";
export { type MlpOptions, mlp } from "./mlp.ts";
export { type TextCnnOptions, textCnn } from "./text-cnn.ts";

/** Every model that can be called by name. */
export const zoo: readonly ZooEntry[] = [lenet5Entry, lenet5Of1998Entry, mlpEntry, textCnnEntry];
