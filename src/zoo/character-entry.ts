// What the zoo says of language models of characters: Tiny Shakespeare in windows of 128, Adam along a cosine, gradients clipped.
import type { Shape } from "../graph/index.ts";
import type { Layer } from "../nn/index.ts";
import type { Recipe, ZooEntry } from "./entry.ts";

/** The entry of a model made for so many tokens and texts of a length, with what its training has of its own. */
export const characterEntry = (
  { name, paper, epochs, lr, clip }: Pick<ZooEntry, "name" | "paper"> & Pick<Recipe, "epochs" | "lr" | "clip">,
  build: (tokens: number, length: number) => Layer,
): ZooEntry => ({
  name,
  paper,
  input: [128],
  tokens: 65,
  classes: 0,
  task: "language",
  normalize: false,
  recipe: {
    data: "tiny-shakespeare",
    epochs,
    batch: 64,
    optimizer: "adam",
    lr,
    decay: 1,
    schedule: "cosine",
    clip,
    shift: 0,
  },
  build: ({ input = [128], tokens = 65 } = {}) => build(tokens, textLength(name, input)),
});

/** T of texts [T]. Throws a RangeError for samples of another form. */
export function textLength(name: string, input: Shape): number {
  if (input.length !== 1) throw new RangeError(`${name}: takes texts [T], got [${input.join(", ")}]`);
  return input[0];
}
