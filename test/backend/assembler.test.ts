// The assembler: every instruction by name, each kind of immediate, exact constants, structure, speed.

import { describe, expect, test } from "vitest";
import { type Func, type Op, type ValueType, WasmModule } from "../../src/backend/wasm/assembler.ts";
import { opcodes } from "../../src/backend/wasm/opcodes.ts";

const options = { memory: { shared: true, minimum: 1, maximum: 2 } };

/** Assembles and instantiates; returns the exports and the memory. */
function instantiate(module: WasmModule) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  const call = (name: string, ...args: (number | bigint)[]) =>
    (instance.exports[name] as (...args: (number | bigint)[]) => number | bigint)(...args);
  return { call, memory: new DataView(memory.buffer) };
}

/** Runs one function of the given type. */
function evaluate(result: ValueType, body: (f: Func) => void, params: ValueType[] = [], ...args: (number | bigint)[]) {
  const module = new WasmModule(options);
  body(module.func("main", params, [result], { export: true }));
  return instantiate(module).call("main", ...args);
}

test("every instruction is the one its name says, by the engine's own disassembly", () => {
  const mismatches: string[] = [];
  for (const name of Object.keys(opcodes) as Op[]) {
    const module = new WasmModule(options);
    const f = module.func("f", []);
    if (/^v128.*_lane$/.test(name)) f.memoryLane(name, 0, 0);
    else if (/_lane/.test(name)) f.lane(name, 0);
    else if (/load|store|atomic\.(rmw|wait|notify)/.test(name)) f.memory(name);
    else f.op(name);
    // Operands are missing on purpose: the message then names the instruction that the engine saw.
    try {
      new WebAssembly.Module(module.bytes());
      if (!["unreachable", "nop", "return", "atomic.fence"].includes(name)) mismatches.push(name);
    } catch (error) {
      const seen = /arguments on the stack for (\S+)/.exec((error as Error).message)?.[1];
      if (seen !== name && name !== "memory.size") mismatches.push(`${name}: ${(error as Error).message}`);
    }
  }
  expect(mismatches).toEqual([]);
});

describe("constants", () => {
  const edges = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)];

  test.each(edges)("i32 %i", (value) => expect(evaluate("i32", (f) => f.i32(value))).toBe(value));

  test("i32 takes the unsigned reading too", () => {
    expect(evaluate("i32", (f) => f.i32(0xffffffff))).toBe(-1);
    expect(evaluate("i32", (f) => f.i32(0x80000000))).toBe(-(2 ** 31));
  });

  test.each([...edges.map(BigInt), 2n ** 63n - 1n, -(2n ** 63n), 2n ** 34n, -(2n ** 34n) - 1n])("i64 %s", (value) =>
    expect(evaluate("i64", (f) => f.i64(value))).toBe(value),
  );

  test.each([0, -0, 1, Math.fround(0.1), 2 ** -149, 3.4028234663852886e38, Infinity, -Infinity, NaN])(
    "f32 %s",
    (value) => expect(evaluate("f32", (f) => f.f32(value))).toBe(value),
  );

  test.each([0, -0, 0.1, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, NaN])("f64 %s", (value) =>
    expect(evaluate("f64", (f) => f.f64(value))).toBe(value),
  );

  test("every NaN is written with the same bits", () => {
    expect(evaluate("i32", (f) => f.f32(0 / Number("0")).op("i32.reinterpret_f32"))).toBe(0x7fc00000);
    expect(evaluate("i64", (f) => f.f64(-NaN).op("i64.reinterpret_f64"))).toBe(0x7ff8000000000000n);
  });

  test("v128", () => {
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => 16 * i + 1);
    expect(evaluate("i32", (f) => f.v128(bytes).lane("i32x4.extract_lane", 3))).toBe(0xf1e1d1c1 | 0);
  });
});

describe("instructions", () => {
  test("scalar arithmetic and saturating conversion", () => {
    expect(evaluate("f64", (f) => f.get(0).get(1).op("f64.div").op("f64.sqrt"), ["f64", "f64"], 18, 2)).toBe(3);
    expect(evaluate("i32", (f) => f.get(0).op("i32.trunc_sat_f32_s"), ["f32"], 1e20)).toBe(2 ** 31 - 1);
    expect(evaluate("i32", (f) => f.i32(7).i32(9).get(0).op("select"), ["i32"], 0)).toBe(9);
  });

  test("loads and stores with offsets, fill and copy", () => {
    const module = new WasmModule(options);
    const main = module.func("main", [], ["i32"], { export: true });
    main.i32(0).f32(1.5).memory("f32.store", 400);
    main.i32(600).i32(0xab).i32(8).op("memory.fill");
    main.i32(700).i32(400).i32(4).op("memory.copy");
    main.i32(100).memory("i32.load8_u", 502).op("memory.size").op("i32.add");
    const { call, memory } = instantiate(module);
    expect(call("main")).toBe(0xab + 1);
    expect(memory.getFloat32(700, true)).toBe(1.5);
  });

  test("an offset past 2³¹ is unsigned: it traps, it does not wrap", () => {
    expect(() => evaluate("i32", (f) => f.i32(0).memory("i32.load", 0xfffffff0))).toThrow(/out of bounds/);
  });

  test("vectors: unaligned load, arithmetic, lanes, lane load and store, shuffle, bitselect", () => {
    const module = new WasmModule(options);
    const main = module.func("main", [], ["f32"], { export: true });
    const v = main.local("v128");
    for (let i = 0; i < 4; i++)
      main
        .i32(17)
        .f32(i + 1)
        .memory("f32.store", 4 * i); // [1, 2, 3, 4]
    main.i32(17).memory("v128.load").tee(v).get(v).op("f32x4.mul"); // [1, 4, 9, 16]
    main.f32(100).lane("f32x4.replace_lane", 0).set(v); // [100, 4, 9, 16]
    main.i32(17).get(v).memoryLane("v128.load32_lane", 4, 2).set(v); // [100, 4, 2, 16]
    main.get(v).get(v).shuffle([12, 13, 14, 15, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]).set(v); // [16, 2, 100, 4]
    main.i32(128).get(v).memory("v128.store");
    main.i32(0).get(v).memoryLane("v128.store32_lane", 256, 1);
    main.i32(0).memory("v128.load32_splat", 256).get(v).op("f32x4.lt").op("i32x4.bitmask").op("f32.convert_i32_s");
    const { call, memory } = instantiate(module);
    expect(call("main")).toBe(0b1101); // 2 < [16, 2, 100, 4]
    expect([0, 4, 8, 12].map((at) => memory.getFloat32(128 + at, true))).toEqual([16, 2, 100, 4]);
  });

  test("two-byte vector opcodes", () => {
    const body = (f: Func) =>
      f.get(0).op("f64x2.splat").op("f64x2.sqrt").op("i32x4.trunc_sat_f64x2_s_zero").lane("i32x4.extract_lane", 1);
    expect(evaluate("i32", body, ["f64"], 49)).toBe(7);
  });

  test("atomics", () => {
    const module = new WasmModule(options);
    const main = module.func("main", [], ["i32"], { export: true });
    // In a function of its own: V8 11's baseline compiler loses the locals and operands of a function that waits.
    const wait = module.func("wait", [], ["i32"]);
    wait.i32(64).i32(8).i64(-1n).memory("memory.atomic.wait32");
    main.i32(64).i32(5).memory("i32.atomic.store");
    main.i32(64).i32(3).memory("i32.atomic.rmw.add").op("drop");
    main.i32(64).i32(8).i32(21).memory("i32.atomic.rmw.cmpxchg"); // 8, the old value
    main.i32(64).i32(1).memory("memory.atomic.notify").op("i32.add"); // nobody waits: 0
    main.call(wait).op("i32.add"); // not equal: 1
    main.op("atomic.fence");
    const { call, memory } = instantiate(module);
    expect(call("main")).toBe(9);
    expect(memory.getInt32(64, true)).toBe(21);
  });
});

describe("structure", () => {
  test("loop, block and branch", () => {
    const module = new WasmModule(options);
    const sum = module.func("sum", ["i32"], ["i32"], { export: true }); // 1 + 2 + … + n
    const total = sum.local("i32");
    sum.block(() =>
      sum.loop(() => {
        sum.get(0).op("i32.eqz").brIf(1);
        sum.get(total).get(0).op("i32.add").set(total);
        sum.get(0).i32(1).op("i32.sub").set(0).br(0);
      }),
    );
    sum.get(total);
    expect(instantiate(module).call("sum", 100)).toBe(5050);
  });

  test("if with a result, both arms", () => {
    const sign = (f: Func) =>
      f
        .get(0)
        .f32(0)
        .op("f32.lt")
        .if(
          () => f.f32(-1),
          () => f.f32(1),
          "f32",
        );
    expect(evaluate("f32", sign, ["f32"], -3)).toBe(-1);
    expect(evaluate("f32", sign, ["f32"], 3)).toBe(1);
  });

  test("a call forward, recursion, and return", () => {
    const module = new WasmModule(options);
    const main = module.func("main", ["i64"], ["i64"], { export: true });
    const factorial = module.func("factorial", ["i64"], ["i64"]);
    main.get(0).call(factorial);
    factorial
      .get(0)
      .op("i64.eqz")
      .if(() => factorial.i64(1n).ret());
    factorial.get(0).get(0).i64(1n).op("i64.sub").call(factorial).op("i64.mul");
    expect(instantiate(module).call("main", 20n)).toBe(2432902008176640000n);
  });

  test("locals: mixed types start at zero, freed ones are reused by type", () => {
    const module = new WasmModule(options);
    const main = module.func("main", ["i32"], ["f64"], { export: true });
    const [a, b, c, d] = (["i32", "f64", "f64", "v128"] as const).map((type) => main.local(type));
    expect([a, b, c, d]).toEqual([1, 2, 3, 4]);
    main.free(b);
    expect(main.local("f32")).toBe(5);
    expect(main.local("f64")).toBe(b);
    main.get(b).get(c).op("f64.add").get(a).op("f64.convert_i32_s").op("f64.add");
    expect(instantiate(module).call("main", 1)).toBe(0);
  });

  test("names reach traps", () => {
    const module = new WasmModule(options);
    const main = module.func("main", [], [], { export: true });
    main.call(module.func("conv2d_3", []).op("unreachable"));
    let stack = "";
    try {
      instantiate(module).call("main");
    } catch (error) {
      stack = (error as Error).stack ?? "";
    }
    expect(stack).toContain("conv2d_3");
  });
});

test("a module of 200 kB assembles in milliseconds", () => {
  const assemble = () => {
    const module = new WasmModule(options);
    for (let n = 0; n < 100; n++) {
      const f = module.func(`kernel${n}`, ["i32"], []);
      const v = f.local("v128");
      for (let i = 0; i < 150; i++) {
        f.get(0)
          .get(0)
          .memory("v128.load", 16 * i)
          .get(v)
          .op("f32x4.mul")
          .tee(v)
          .memory("v128.store", 4096 + i);
      }
    }
    return module.bytes();
  };
  assemble();
  const start = performance.now();
  const bytes = assemble();
  const milliseconds = performance.now() - start;
  expect(bytes.length).toBeGreaterThan(200_000);
  expect(WebAssembly.validate(bytes)).toBe(true);
  expect(milliseconds).toBeLessThan(500);
});
