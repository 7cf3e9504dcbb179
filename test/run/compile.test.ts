// What compiled functions take, give and refuse.
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import {
  compile,
  device,
  evaluating,
  isTraining,
  live,
  param,
  type Tensor,
  tensor,
  training,
  within,
} from "../../src/index.ts";

beforeAll(() => {
  device("js");
});

afterEach(() => {
  vi.restoreAllMocks();
});

class Holder {
  x: Tensor;
  constructor(x: Tensor) {
    this.x = x;
  }
}

test("plain trees come and go: null prototypes, odd keys, empty ones, typed arrays", async () => {
  let traced = 0;
  const f = compile((tree: Record<string, Tensor>, weights: Float32Array, nothing: null) => {
    traced++;
    return { sum: tree["a.b"].mul(weights[0]), none: nothing, list: [] as Tensor[] };
  });
  const tree = Object.assign(Object.create(null), { "a.b": tensor([2]) });
  const { sum, none, list } = await f(tree, Float32Array.of(3), null);
  expect([await sum.item(), none, list]).toEqual([6, null, []]);
  await f(Object.assign(Object.create(null), { "a.b": tensor([7]) }), Float32Array.of(3), null);
  expect(traced).toBe(1);
  expect(await (await f(tree, Float32Array.of(4), null)).sum.item()).toBe(8);
  expect(traced).toBe(2);
  await expect(f(tree, new Float32Array(2000), null)).rejects.toThrow(
    "compile: argument 1 is a Float32Array of 2000 elements",
  );
});

test("trees that only look alike are told apart", async () => {
  const f = compile((tree: unknown) => tensor([JSON.stringify(tree).length]));
  const length = async (tree: unknown): Promise<number> => (await f(tree)).item();
  for (const tree of [{ a: { b: 1 } }, { "a.b": 1 }, [[1], 2], [[1, 2]], { a: "1\n0.b 2" }, {}, [], "[]", 1, "1", true])
    expect(await length(tree)).toBe(JSON.stringify(tree).length);
});

test("tensors where they would not be seen are refused, parameters are not", async () => {
  const f = compile((holder: unknown) => (holder as Holder).x?.add(1));
  await expect(f(new Holder(tensor([1])))).rejects.toThrow(
    "compile: a tensor at 0.x of the arguments lies in a Holder; put it in plain objects and arrays",
  );
  await expect(f({ batch: new Map([["x", tensor([1])]]) })).rejects.toThrow(
    "a tensor at 0.batch.x of the arguments lies in a Map",
  );
  await expect(f(new Holder(tensor([1]).add(1)))).rejects.toThrow("lies in a Holder");
  expect(await (await f(new Holder(param([1]))))!.array()).toEqual([2]);
  const g = compile((x: Tensor) => new Holder(x.add(1)));
  await expect(g(tensor([1]))).rejects.toThrow("a tensor at x of the results lies in a Holder");
  await expect(compile((x: unknown) => x)(Promise.resolve(1))).rejects.toThrow(
    "argument 0 is a Promise (await it first)",
  );
});

test("a tensor in plain view is refused where it also lies hidden", async () => {
  const shared = { x: tensor([1]).add(1) };
  const hidden = new Holder(shared as never);
  const f = compile((inputs: { shared: typeof shared; hidden: Holder }) => inputs.shared.x.add(1));
  for (const inputs of [
    { shared, hidden },
    { hidden, shared },
  ])
    await expect(f(inputs)).rejects.toThrow("compile: a tensor at 0.hidden.x.x of the arguments lies in a Holder");
  const g = compile((x: Tensor) => {
    const y = x.add(1);
    return [y, new Set([Object.create(null), y])];
  });
  await expect(g(tensor([1]))).rejects.toThrow("a tensor at 1.1 of the results lies in a Set");
});

test("what is looked through for tensors runs no code, and may be long or round", async () => {
  let calls = 0;
  const round = { x: undefined as unknown, next: null as unknown };
  for (let i = 0; i < 20_000; i++) round.next = new Holder({ ...round } as never);
  round.x = new Holder(round as never);
  class Lazy {
    readonly round = round.x;
    constructor() {
      Object.defineProperty(this, "value", { enumerable: true, get: () => ++calls });
    }
  }
  expect(await (await compile((x: Tensor, _: Lazy) => x.add(1))(tensor([1]), new Lazy())).item()).toBe(2);
  expect(calls).toBe(0);
});

test("trees that contain themselves or nest without end are named", async () => {
  const round = { list: [1, 2, {}] };
  round.list[2] = round;
  const f = compile((tree: unknown) => [tree, tensor([1])]);
  await expect(f({ round })).rejects.toThrow("compile: argument 0.round.list.2 contains itself");
  await expect(compile(() => round)()).rejects.toThrow("compile: result list.2 contains itself");
  let deep: unknown = 1;
  for (let i = 0; i < 20_000; i++) deep = [deep];
  await expect(f(deep)).rejects.toThrow("compile: argument 0 nests deeper than 500 levels");
  const twice = { a: 1 };
  expect((await f([twice, twice]))[0]).toEqual([twice, twice]);
});

test("constants that are told apart: views, zeros, symbols, what an array has besides its elements", async () => {
  const view = (value: number): DataView => new DataView(Uint8Array.of(value).buffer);
  const scaled = compile((x: Tensor, v: DataView) => x.mul(v.getInt8(0)));
  expect(await (await scaled(tensor([1]), view(2))).item()).toBe(2);
  expect(await (await scaled(tensor([1]), view(7))).item()).toBe(7);
  const divided = compile((x: Tensor, v: Float64Array) => x.div(v[0]));
  expect(await (await divided(tensor([1]), Float64Array.of(0))).item()).toBe(Infinity);
  expect(await (await divided(tensor([1]), Float64Array.of(-0))).item()).toBe(-Infinity);
  const size = compile((bytes: Buffer) => tensor([bytes[0]]));
  expect(await (await size(Buffer.of(200))).item()).toBe(200);
  expect(await (await size(Buffer.of(201))).item()).toBe(201); // neither is a character of UTF-8
  await expect(compile((s: unknown) => tensor([Number(s !== null)]))(Symbol("k"))).rejects.toThrow(
    "compile: argument 0 is a symbol (pass a string)",
  );
  const first = compile((list: Tensor[], x: Tensor) => [x.mul(1), list.length]);
  const list = Object.assign([tensor([1])], { extra: tensor([5]) });
  await expect(first(list, tensor([100]))).rejects.toThrow("a tensor at 0.extra of the arguments lies in an array");
  const named = Object.assign([tensor([1])], { title: "ones" });
  expect(await ((await first(named, tensor([100])))[0] as Tensor).item()).toBe(100);
  const sparse: Tensor[] = [];
  sparse[1] = tensor([1]);
  expect(await (await compile((t: Tensor[]) => t[1].add(1))(sparse)).item()).toBe(2);
});

test("a live leaf may be an argument, and is read once a call", async () => {
  let n = 0;
  const count = live(() => ++n);
  const f = compile((x: Tensor, y: Tensor) => x.add(y).add(count));
  expect(await (await f(count, count)).item()).toBe(3);
  expect(await (await f(count, tensor([[2]]).sum())).item()).toBe(6);
});

test("tracing again and again is said once, with what changed", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const scale = compile(function scaled(x: Tensor, { rate }: { rate: number }) {
    return x.mul(rate);
  });
  for (let i = 0; i < 32; i++) await scale(tensor([1]), { rate: i });
  expect(warn).not.toHaveBeenCalled();
  for (let i = 32; i < 40; i++) await scale(tensor([1]), { rate: i });
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0][0]).toContain(
    'hebb: the compiled function "scaled" was traced 33 times, last because argument 1.rate number "31" became 1.rate number "32"',
  );
  const apply = compile((f: (x: Tensor) => Tensor, x: Tensor) => f(x));
  for (let i = 0; i < 33; i++) await apply((x) => x, tensor([1]));
  expect(warn.mock.calls[1][0]).toMatch(/argument 0 a function \(number \d+\) became 0 a function/);
});

test("a compiled function inside of another is refused", async () => {
  const inner = compile(function double(x: Tensor) {
    return x.mul(2);
  });
  // @ts-expect-error a Promise is no value of the outer function
  const outer = compile((x: Tensor) => within(new Holder(x), () => inner(x)));
  await expect(outer(tensor([1]))).rejects.toThrow(
    'compile: the compiled function "double" is called while another compiled function is traced, in Holder; call the plain function there',
  );
  expect(await (await inner(tensor([1]))).item()).toBe(2);
});

test("async functions are refused where a scope ends with them", async () => {
  // @ts-expect-error types refuse them too
  expect(() => training(async () => 1)).toThrow("training: the function is async; make tensors in a plain one");
  expect(() =>
    // @ts-expect-error likewise
    evaluating(async () => {
      throw new Error("later");
    }),
  ).toThrow("evaluating: the function is async");
  expect(isTraining()).toBe(false);
  // @ts-expect-error likewise
  await expect(compile(async () => tensor([1]))()).rejects.toThrow("compile: the function is async");
});
