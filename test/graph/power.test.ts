// Powers at the edges, values and derivatives, against IEEE 754's pow and PyTorch's y·xʸ⁻¹ and xʸ·log x.
import { beforeAll, describe, expect, test } from "vitest";
import { device, grad, type Tensor, tensor } from "../../src/index.ts";
import { testDevices } from "../devices.ts";

const infinity = Number.POSITIVE_INFINITY;
const bases = [0, -0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, infinity, -infinity, Number.NaN];
const exponents = [0, 1, 2, 3, -1, -2, 0.5, 1.5, 2.5, -0.5, -1.5, 0.25, 16, 17, 18, -17, -18, 25, infinity, -infinity];

/** IEEE 754's pow, which differs from JavaScript's where the base is ±1. */
const ieee = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === infinity) ? 1 : x ** y);

/** Equal up to rounding and the sign of zero. */
const close = (a: number, b: number): boolean =>
  a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= 1e-13 * Math.abs(b);

/** The same with the sign of zero. */
const same = (a: number, b: number): boolean => Object.is(a, b) || (b !== 0 && close(a, b));

const f64 = (...values: number[]): Tensor => tensor(Float64Array.from(values));

for (const name of testDevices) {
  describe(name, () => {
    beforeAll(() => {
      device(name);
    });

    test("values, by a number and by a tensor", async () => {
      const found: string[] = [];
      for (const y of exponents) {
        const byNumber = await f64(...bases)
          .pow(y)
          .data();
        const byTensor = await f64(...bases)
          .pow(f64(y))
          .data();
        const known = Number.isFinite(y) && !Number.isInteger(y) ? -infinity : undefined; // has no root, as documented
        bases.forEach((x, i) => {
          const expected = ieee(x, y);
          const rootOfZero = x === 0 && y > 0 && y < 1; // −0 is one of −0, as documented
          if (x !== known && !same(rootOfZero ? byNumber[i] ** 2 : byNumber[i], expected))
            found.push(`${x} ** ${y} is ${byNumber[i]}`);
          if (x !== known && !same(byTensor[i], expected)) found.push(`${x} ** tensor ${y} is ${byTensor[i]}`);
        });
      }
      expect(found).toEqual([]);
    });

    test("derivatives at 0 and at negative bases", async () => {
      const slopeOf = async (x: number, y: number): Promise<number> => {
        const base = f64(x);
        return grad(base.pow(y).sum(), base).item();
      };
      const slopesOf = async (x: number, y: number): Promise<number[]> => {
        const [base, exponent] = [f64(x), f64(y)];
        return Promise.all(grad(base.pow(exponent).sum(), [base, exponent]).map((g) => g.item()));
      };
      for (const y of [0, 1, 2, 3, 17, 18, 0.25, 0.5, 1.5, 2.5]) {
        const expected = y === 0 ? 0 : y * 0 ** (y - 1);
        expect([y, await slopeOf(0, y)]).toEqual([y, expected]);
        const [dx, dy] = await slopesOf(0, y);
        expect([y, dx]).toEqual([y, expected === infinity ? 0 : expected]); // the one difference, as documented
        expect([y, dy]).toEqual([y, 0]);
      }
      for (const x of [-2, -0.5, 0.5, 3]) {
        for (const y of [1, 2, 3, 17, 18, -1, -2, -17]) {
          const expected = y * x ** (y - 1);
          expect(close(await slopeOf(x, y), expected)).toBe(true);
          expect(close((await slopesOf(x, y))[0], expected)).toBe(true);
        }
      }
      const [base, exponent] = [f64(-2, -2, 4, 0, -1), f64(0.5, 3, 0.5, 0.5, -1.5)];
      const [dxs, dys] = grad(base.pow(exponent).sum(), [base, exponent]);
      expect(await base.pow(exponent).array()).toEqual([
        Number.NaN,
        expect.closeTo(-8),
        expect.closeTo(2),
        0,
        Number.NaN,
      ]);
      expect(await dxs.array()).toEqual([Number.NaN, expect.closeTo(12), expect.closeTo(0.25), 0, Number.NaN]);
      expect([...(await dys.data())].map(Number.isNaN)).toEqual([true, false, false, false, true]);
      const [, dy] = await slopesOf(3, 2);
      expect(close(dy, 9 * Math.log(3))).toBe(true);
    });

    test("integers stay integers for whole exponents ≥ 0", async () => {
      const x = tensor(Int32Array.of(-3, 2, 0));
      expect(x.pow(3).dtype).toBe("i32");
      expect(await x.pow(3).array()).toEqual([-27, 8, 0]);
      expect(await x.pow(19).array()).toEqual([-(3 ** 19), 2 ** 19, 0]);
      expect(await x.pow(0).array()).toEqual([1, 1, 1]);
      expect(await x.pow(-1).array()).toEqual([Math.fround(-1 / 3), 0.5, infinity]);
    });
  });
}
