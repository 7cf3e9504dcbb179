// Assignments outside of steps: in program order, none lost, each carried out once.
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { OutOfMemory } from "../../src/backend/backend.ts";
import { compile, device, live, param, state, tensor, within, zeros } from "../../src/index.ts";
import { currentBackend } from "../../src/run/device.ts";

beforeAll(() => {
  device("js");
});

afterEach(() => {
  vi.restoreAllMocks();
});

test("each assignment sees what those before it wrote", async () => {
  const [p, q] = [param([1]), param([10])];
  p.assign(p.add(1));
  p.assign(p.mul(5));
  p.assign(p.add(q));
  q.assign(p);
  expect(await p.array()).toEqual([20]);
  expect(await q.array()).toEqual([20]);
  const counter = state([0]);
  for (let i = 0; i < 40; i++) counter.assign(counter.add(1));
  expect(await counter.item()).toBe(40);
});

test("in a step all reads see the old values, and the last assignment counts", async () => {
  const [p, q] = [param([1]), param([2])];
  await compile(() => {
    p.assign(q);
    q.assign(p);
    p.assign(p.add(q));
  })();
  expect(await p.array()).toEqual([3]);
  expect(await q.array()).toEqual([1]);
});

test("a tensor that is not read yet sees all assignments", async () => {
  const p = param([1]);
  const y = p.mul(2);
  p.assign(4);
  expect(await y.item()).toBe(8);
  p.assign(5);
  expect(await y.item()).toBe(8); // it has been read
});

test("assignments that find no memory stay, and land once there is some", async () => {
  const [p, q] = [param([1]), param([2])];
  await p.data();
  p.assign(p.add(1));
  q.assign(q.mul(p));
  const allocate = vi.spyOn(currentBackend(), "allocate").mockImplementation(() => {
    throw new OutOfMemory("full");
  });
  await expect(p.data()).rejects.toThrow("full");
  allocate.mockRestore();
  expect(await p.array()).toEqual([2]);
  expect(await q.array()).toEqual([4]);
});

test("an assignment that cannot be computed is named and dropped, the others are not", async () => {
  const [p, q, gone] = [param([1]), param([2]), tensor([3]).add(1)];
  await gone.data();
  gone[Symbol.dispose]();
  p.assign(p.add(gone));
  p.assign(p.add(10));
  q.assign(zeros([1]));
  await expect(q.data()).rejects.toThrow(
    "assign: a value for a param [1] is dropped, as it cannot be computed: tensor: ",
  );
  expect(await p.array()).toEqual([11]);
  expect(await q.array()).toEqual([0]);
});

test("an assignment that fails takes no other with it that could land together with it", async () => {
  const [a, b, c, d] = [param([1]), param([2, 2]), state([3]), param([4])];
  let reads = 0;
  const rate = live(() => ++reads, [1]);
  a.assign(rate);
  within({ constructor: { name: "Norm" } }, () =>
    b.assign(
      live(() => {
        throw new Error("boom");
      }, [2]),
    ),
  );
  c.assign(rate.add(a));
  d.assign(live(() => [1, 2], [1]));
  await expect(a.data()).rejects.toThrow(
    "assign: a value for a param [2] in Norm is dropped, as it cannot be computed: boom",
  );
  await expect(a.data()).rejects.toThrow("a value for a param [1] is dropped, as it cannot be computed: live: ");
  expect(await Promise.all([a, b, c, d].map((t) => t.array()))).toEqual([[1], [2, 2], [3], [4]]);
  expect(reads).toBe(2); // once for each of the two that landed
});
