// hebb/zoo: models of the literature, each with its paper and the recipe that trains it.
import type { ZooEntry } from "./entry.ts";
import { lenet5Entry, lenet5Of1998Entry } from "./lenet5.ts";
import { mlpEntry } from "./mlp.ts";

export type { Fitting, Recipe, ZooEntry } from "./entry.ts";
export { type LeNet5Options, lenet5 } from "./lenet5.ts";
export { type MlpOptions, mlp } from "./mlp.ts";

/** Every model that can be called by name. */
export const zoo: readonly ZooEntry[] = [lenet5Entry, lenet5Of1998Entry, mlpEntry];
