// The zoo: parameter counts of the papers, LeNet-5's details of 1998, names of parameters, misuse.
import { beforeAll, expect, test } from "vitest";
import { device, evaluating, seed, tensor } from "../../src/index.ts";
import { type Layer, namedParameters, parameters, type Sequential, stateDict, tanh } from "../../src/nn/index.ts";
import { digitBitmaps } from "../../src/zoo/digit-bitmaps.ts";
import { lenet5, mlp } from "../../src/zoo/index.ts";

beforeAll(() => {
  device("js");
});

const sizes = (model: object): Record<string, number> =>
  Object.fromEntries([...namedParameters(model)].map(([name, p]) => [name, p.size]));
const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);

test("the modern LeNet-5 has 61 706 parameters, named as in PyTorch's files", () => {
  const model = lenet5();
  expect(count(model)).toBe(61_706);
  expect(sizes(model)).toEqual({
    "0.weight": 150,
    "0.bias": 6,
    "3.weight": 2400,
    "3.bias": 16,
    "7.weight": 48_000,
    "7.bias": 120,
    "9.weight": 10_080,
    "9.bias": 84,
    "11.weight": 840,
    "11.bias": 10,
  });
});

test("the LeNet-5 of 1998 has the paper's 60 000 trainable parameters, layer by layer", () => {
  const model = lenet5({ form: "1998" });
  const layers: Record<string, number> = {};
  for (const [name, size] of Object.entries(sizes(model))) {
    const [layer] = name.split(".");
    layers[layer] = (layers[layer] ?? 0) + size;
  }
  expect(layers).toEqual({ c1: 156, s2: 12, c3: 1516, s4: 32, c5: 48_120, f6: 10_164 });
  expect(count(model)).toBe(60_000);
});

test("C3 sees the maps of S2 that the paper's table links, and no others", async () => {
  const model = lenet5({ form: "1998" }) as unknown as {
    c3: Layer;
  };
  const reached: string[] = [];
  for (let map = 0; map < 6; map++) {
    const at = (value: number) =>
      tensor(
        Float32Array.from({ length: 6 * 25 }, (_, i) => (Math.floor(i / 25) === map ? value : 0)),
        [1, 6, 5, 5],
      );
    const [one, none] = [await model.c3.forward(at(1)).data(), await model.c3.forward(at(0)).data()];
    reached.push(Array.from(one, (v, i) => (v === none[i] ? "." : "X")).join(""));
  }
  expect(reached).toEqual([
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
  ]);
});

test("the RBF outputs are the log-likelihoods −d² / 10 of the bitmaps", async () => {
  const model = lenet5({ form: "1998" }) as unknown as {
    output: Layer;
  };
  const x = tensor(digitBitmaps.map((bitmap) => [...bitmap]));
  const scores = (await model.output.forward(x).array()) as number[][];
  digitBitmaps.forEach((a, i) => {
    digitBitmaps.forEach((b, j) => {
      expect(-10 * scores[i][j]).toBeCloseTo(4 * a.filter((pixel, k) => pixel !== b[k]).length, 4);
      if (i !== j) expect(scores[i][j]).toBeLessThan(-1.6); // no two codes are near each other
    });
  });
  expect(digitBitmaps.every((bitmap) => bitmap.length === 84)).toBe(true);
});

test("an mlp takes any widths and an activation, and flattens its input", async () => {
  seed(5);
  const model = mlp(6, 5, 4, { activation: tanh });
  expect(sizes(model)).toEqual({ "1.weight": 30, "1.bias": 5, "3.weight": 20, "3.bias": 4 });
  const x = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i / 6 - 1),
    [2, 1, 2, 3],
  );
  const [first, second] = [1, 3].map((i) => (model as Sequential)[i] as Layer);
  const expected = second.forward(first.forward(x.reshape(2, 6)).tanh());
  expect(await evaluating(() => model.forward(x)).data()).toEqual(await expected.data());
  expect(count(mlp(784, 512, 512, 10))).toBe(669_706);
});

test("the seed decides the parameters", async () => {
  const build = async (value: number): Promise<unknown> => {
    seed(value);
    return [...(await stateDict(lenet5({ form: "1998" }))).values()].map(({ data }) => data);
  };
  expect(await build(1)).toEqual(await build(1));
  expect(await build(1)).not.toEqual(await build(2));
});

test("misuse is refused", () => {
  expect(() => lenet5({ form: "2024" as "1998" })).toThrow('lenet5: the form is "modern" or "1998", not "2024"');
  expect(() => lenet5({ form: "1998", classes: 47 })).toThrow(/codes for 10 digits, not for 47 classes/);
  expect(() => mlp(784)).toThrow(/needs the widths of its input and output at least/);
  expect(() => lenet5().forward(tensor(new Float32Array(3 * 32 * 32), [1, 3, 32, 32]))).toThrow(
    /conv: channels differ.*in Conv2d "0"/,
  );
});
