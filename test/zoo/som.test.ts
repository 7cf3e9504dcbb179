// The map of images: what it gives back, how its neighbourhood narrows over a training, what it learns of digits.
import { beforeEach, expect, test } from "vitest";
import { glyphs } from "../../src/data/index.ts";
import { device, seed, tensor } from "../../src/index.ts";
import { namedTensors } from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/index.ts";
import { SampleSom, somEntry } from "../../src/zoo/som.ts";

beforeEach(() => {
  device("wasm");
  seed(1);
});

test("gives back the nearest unit, and as the code its row and column", async () => {
  const map = new SampleSom(2, 3, 4);
  map.weight = tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5], [6, 4]);
  const x = tensor([2, 2.2, 2.1, 2, 4, 4, 4, 4.9], [2, 1, 2, 2]);
  expect(map.reconstruct(x).shape).toEqual([2, 1, 2, 2]);
  expect([...(await map.reconstruct(x).data())]).toEqual([2, 2, 2, 2, 4, 4, 4, 4]);
  expect([...(await map.encode(x).data())]).toEqual([0, 2, 1, 1]);
});

test("the neighbourhood narrows from half of the map to half a unit over the steps, and no further", async () => {
  const map = somEntry.build() as SampleSom;
  expect([...namedTensors(map).keys()]).toEqual(["weight", "radius"]);
  const optimizer = sgd(map, somEntry.source!(map, 20), { lr: 0.5 });
  const data = glyphs("train", { count: 400 }).batch(100);
  const error = async (): Promise<number> => {
    const { x } = (await data.raw().next()).value!;
    return map.quantizationError(tensor(x as Float32Array, [100, 784])).item();
  };
  const [first, radii]: [number, number[]] = [await error(), []];
  for (let epoch = 0; epoch < 6; epoch++) {
    radii.push(await map.radius.item());
    for await (const { x } of data.iterate({ epoch })) await optimizer.step({ x });
  }
  radii.forEach((radius, epoch) => {
    expect(radius).toBeCloseTo(Math.max(0.5, 5 * 0.1 ** (epoch / 5)), 4);
  });
  expect(await error()).toBeLessThan(0.8 * first);
});

test("the share of samples whose two nearest units are apart is the map's own figure", async () => {
  const map = somEntry.build() as SampleSom;
  const { x } = (await glyphs("test", { count: 40 }).batch(40).raw().next()).value!;
  const samples = tensor(x as Float32Array, [40, 1, 28, 28]);
  const { sum, count } = somEntry.metrics!(map).topographicError({ x: samples }, samples);
  expect(count).toBe(40);
  const share = await map.topographicError(samples.reshape(40, 784)).item();
  expect(share).toBeGreaterThan(0);
  expect((await sum.item()) / 40).toBeCloseTo(share, 6);
});
