// LeNet-5 after 100 steps on glyphs, as bytes, and what their hash is everywhere: in Node and in browsers, for any number of threads.
import { seed } from "hebb";
import { glyphs } from "hebb/data";
import { crossEntropy, stateDict } from "hebb/nn";
import { sgd } from "hebb/optim";
import { lenet5 } from "hebb/zoo";

/** SHA-256 over all parameters in the order of their names; equal on Node 20, 22 and 24 and in Chromium. */
export const lenetHash = "74116dfcb183f701c20a4e93f99e0667a2f75093aa46a7bf0f8d649c4de51139";

/** Trains on the current device. Gives each parameter's name and values, in the order of the names. */
export async function lenetBytes(): Promise<Uint8Array<ArrayBuffer>> {
  seed(1998);
  const model = lenet5();
  const optimizer = sgd(model, ({ x, y }) => crossEntropy(model.forward(x), y), { lr: 0.05, momentum: 0.9 });
  for await (const batch of glyphs("train", { count: 3200, seed: 5 }).shuffle({ seed: 5 }).batch(32))
    await optimizer.step(batch);
  if (optimizer.steps !== 100) throw new Error(`${optimizer.steps} steps were made, not 100`);
  const named = [...(await stateDict(model))].sort(([a], [b]) => (a < b ? -1 : 1));
  const pieces = named.flatMap(([name, { data }]) => [
    new TextEncoder().encode(name),
    new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  ]);
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
