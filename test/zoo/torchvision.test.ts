// The zoo against torchvision: names and shapes of its files, logits, losses, the gradients of all parameters, and running statistics, on wasm.
import { beforeAll, expect, test } from "vitest";
import { device, shapesOnly } from "../../src/index.ts";
import { namedTensors } from "../../src/nn/index.ts";
import { compareWithTorchvision, counterparts, torchvisionCases, torchvisionNames } from "./torchvision.ts";

beforeAll(() => {
  device("wasm");
});

test("every model that torchvision has too is compared with it", () => {
  expect(Object.keys(torchvisionNames).sort()).toEqual(Object.keys(counterparts).sort());
});

test.each(Object.entries(torchvisionNames))("%s has the names and shapes of torchvision's files", (name, entries) => {
  const ours = [...namedTensors(shapesOnly(() => counterparts[name]()))];
  expect(ours.map(([key, { shape }]) => `${key} ${shape.join(",")}`).sort()).toEqual([...entries].sort());
});

test.each(torchvisionCases.filter(({ heavy }) => !heavy))(
  "$name at $size, training $training",
  { timeout: 120_000 },
  compareWithTorchvision,
);
