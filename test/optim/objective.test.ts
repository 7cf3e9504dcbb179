// The objective: gradients and curvature products against differences in double precision, flat against named, moving without retracing.
import { beforeAll, describe, expect, test } from "vitest";
import { device, param, randomState, restoreRandom, seed, state, type Tensor, tensor } from "../../src/index.ts";
import { BatchNorm2d, Dropout, mse } from "../../src/nn/index.ts";
import { objective } from "../../src/optim/index.ts";
import { testDevices } from "../devices.ts";
import { messagesOf } from "../messages.ts";

const noise = (n: number, from: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => Math.sin(12.9898 * (i + 1) + from));

const batch = { x: tensor(noise(12, 1), [4, 3]), y: tensor(noise(8, 2), [4, 2]) };

function setup() {
  const model = { w: param(noise(6, 3), [3, 2]), inner: { b: param(noise(2, 4)) } };
  let traces = 0;
  const loss = ({ x, y }: typeof batch) => {
    traces++;
    const outputs = x.matmul(model.w).add(model.inner.b).tanh(); // [4, 2]
    return { loss: outputs.sub(y).square().square().mean(), outputs };
  };
  return { model, of: objective(model, loss), traces: () => traces };
}

const values = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

/** The central difference of a function of vectors, which is exact to h² and rounding. */
async function difference(
  point: readonly number[],
  v: readonly number[],
  f: (at: Tensor) => Promise<number[]>,
): Promise<number[]> {
  const h = 1e-5;
  const along = (sign: number) => f(tensor(Float64Array.from(point, (value, i) => value + sign * h * v[i])));
  const [high, low] = [await along(1), await along(-1)];
  return high.map((value, i) => (value - low[i]) / (2 * h));
}

function expectClose(found: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(found.length).toBe(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expect(scale).toBeGreaterThan(0.01);
  found.forEach((value, i) => {
    expect(Math.abs(value - expected[i]) / scale).toBeLessThan(tolerance);
  });
}

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("gradient and Hessian products are the differences of value and gradient", async () => {
      const { of, traces } = setup();
      const start = await values(await of.flat.point());
      const value = async (at: Tensor) => {
        await of.flat.move(at);
        return [await of.flat.value(batch)];
      };
      const gradient = async (at: Tensor) => {
        await of.flat.move(at);
        return values((await of.flat.gradient(batch)).gradient);
      };
      const g = await gradient(tensor(Float64Array.from(start)));
      expect((await of.flat.gradient(batch)).loss).toBe(await of.flat.value(batch));
      for (let i = 0; i < 8; i++) {
        const unit = start.map((_, k) => Number(k === i));
        const [slope] = await difference(start, unit, value);
        expect(Math.abs(slope - g[i])).toBeLessThan(1e-8);
      }
      await of.flat.move(tensor(Float64Array.from(start)));
      const v = noise(8, 5);
      const product = await values(await of.flat.hessianProduct(batch, tensor(v)));
      expectClose(product, await difference(start, Array.from(v), gradient), 1e-7);
      expect(traces()).toBe(3); // value, gradient, product: each once
    });

    test("Gauss-Newton products are Jᵀ·H·J·v, with J from differences", async () => {
      const { model, of } = setup();
      const start = await values(await of.flat.point());
      const v = noise(8, 6);
      const outputsAt = async (at: Tensor) => {
        await of.flat.move(at);
        return values(batch.x.matmul(model.w).add(model.inner.b).tanh());
      };
      const jacobian: number[][] = [];
      for (let i = 0; i < 8; i++)
        jacobian.push(
          await difference(
            start,
            start.map((_, k) => Number(k === i)),
            outputsAt,
          ),
        );
      await of.flat.move(tensor(Float64Array.from(start)));
      const [z, y] = [await outputsAt(await of.flat.point()), await values(batch.y)];
      const along = z.map((value, k) => {
        const jv = jacobian.reduce((sum, row, i) => sum + row[k] * v[i], 0);
        return (12 * (value - y[k]) ** 2 * jv) / 8; // the second derivative of the mean of (z − y)⁴
      });
      const expected = jacobian.map((row) => row.reduce((sum, j, k) => sum + j * along[k], 0));
      expectClose(await values(await of.flat.gaussNewtonProduct(batch, tensor(v))), expected, 1e-8);
    });

    test("named points are the flat ones in parts", async () => {
      const { model, of } = setup();
      expect([...of.parameters.keys()]).toEqual(["w", "inner.b"]);
      const v = noise(8, 7);
      const named = new Map([
        ["inner.b", tensor(v.slice(6))],
        ["w", tensor(v.slice(0, 6), [3, 2])],
      ]);
      const joined = async (point: ReadonlyMap<string, Tensor>) => [
        ...(await values(point.get("w")!)),
        ...(await values(point.get("inner.b")!)),
      ];
      for (const method of ["hessianProduct", "gaussNewtonProduct"] as const) {
        const product = await of[method](batch, named);
        expect(product.get("w")!.shape).toEqual([3, 2]);
        expect(await joined(product)).toEqual(await values(await of.flat[method](batch, tensor(v))));
      }
      expect(await joined((await of.gradient(batch)).gradient)).toEqual(
        await values((await of.flat.gradient(batch)).gradient),
      );
      const before = await of.flat.point();
      await of.move(named);
      expect(await values(model.w)).toEqual(Array.from(v.slice(0, 6)));
      expect(await values(await of.flat.point())).toEqual(Array.from(v));
      await of.flat.move(before);
      expect(await joined(await of.point())).toEqual(await values(before));
    });

    test("running statistics land with the gradient alone, and only where the loss is finite", async () => {
      const model = { norm: new BatchNorm2d(1), w: param([1]) };
      const of = objective(model, (x: Tensor) => model.norm.forward(x).mul(model.w).square().mean());
      const x = (value: number) => tensor([1, 2, 3, value], [2, 1, 1, 2]);
      const mean = async () => model.norm.running_mean.item();
      await of.value(x(4));
      await of.flat.hessianProduct(x(4), tensor([1, 1, 1]));
      expect(await mean()).toBe(0);
      await of.gradient(x(4));
      expect(await mean()).toBeCloseTo(0.25, 6);
      await of.gradient(x(Number.POSITIVE_INFINITY));
      expect(await mean()).toBeCloseTo(0.25, 6);
    });

    test("draws can be repeated across value, gradient and products", async () => {
      seed(3);
      const model = { w: param(noise(64, 8)) };
      const drop = new Dropout(0.5);
      const of = objective<undefined>(model, () => drop.forward(model.w).square().sum());
      const before = randomState();
      const value = await of.value(undefined);
      expect(await of.value(undefined)).not.toBe(value);
      restoreRandom(before);
      const { loss, gradient } = await of.flat.gradient(undefined);
      expect(loss).toBe(value);
      restoreRandom(before);
      const product = await of.flat.hessianProduct(undefined, tensor(noise(64, 8)));
      expectClose(await values(product), await values(gradient), 1e-12); // a quadratic: H·w is the gradient at w
    });
  });
}

test("f32 and f64 parameters share a vector in f64 and keep their dtypes", async () => {
  const model = { a: param([0.1]), b: param(Float64Array.of(0.1)), count: state([7]) };
  const of = objective<undefined>(model, () => model.a.mul(model.b).sum());
  const point = await of.flat.point();
  expect([point.dtype, ...(await point.data())]).toEqual(["f64", Math.fround(0.1), 0.1]);
  await of.flat.move(tensor(Float64Array.of(0.2, 0.3)));
  expect([await model.a.item(), await model.b.item()]).toEqual([Math.fround(0.2), 0.3]);
});

test("misuse is refused in one line", async () => {
  const model = { w: param([1, 2]), b: param([3]) };
  const loss = () => mse(model.w, model.b.expand(2));
  const of = objective<undefined>(model, loss);
  const other = objective<undefined>(model, () => ({ loss: loss(), outputs: model.w.mul(2) }));
  const v = tensor([1, 1, 1]);
  const misuse: Record<string, () => unknown> = {
    "no parameters": () => objective<undefined>({}, loss),
    "no outputs": () => of.flat.gaussNewtonProduct(undefined, v),
    "outputs beside the loss": () => other.flat.gaussNewtonProduct(undefined, v),
    "vector too short": () => of.flat.move(tensor([1])),
    "map for vector": () => of.flat.move(new Map() as never),
    "name missing": () => of.move(new Map([["w", tensor([1, 2])]])),
    "name unknown": () => of.move(new Map([["c", tensor([1, 2])]])),
    "shape differs": () => of.hessianProduct(undefined, new Map(Object.entries({ w: tensor([1]), b: tensor([1]) }))),
  };
  expect(await messagesOf(misuse)).toMatchInlineSnapshot(`
    "no parameters: Error: objective: the model has no parameters (param(…) in its own properties)
    no outputs: ShapeError: gaussNewtonProduct: it needs the model's outputs, a float tensor (let the loss return { loss, outputs })
    outputs beside the loss: ShapeError: gaussNewtonProduct: the loss is not computed from the outputs that it returned (return the very tensor)
    vector too short: ShapeError: objective: takes vectors [3], got [1]
    map for vector: ShapeError: objective: takes vectors [3], got a Map
    name missing: ShapeError: objective: "b" [1] is missing
    name unknown: ShapeError: objective: "c" is no parameter of the model
    shape differs: ShapeError: objective: "w" has the shape [1], the parameter [2]"
  `);
});
