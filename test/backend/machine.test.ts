// The machine: allocation, programs on several threads, barriers, traps, idle cost.

import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { OutOfMemory } from "../../src/backend/backend.ts";
import { type Func, WasmModule } from "../../src/backend/wasm/assembler.ts";
import { formatBytes, Heap } from "../../src/backend/wasm/heap.ts";
import { emitBarrier, type Installed, Machine, ProgramError } from "../../src/backend/wasm/machine.ts";

/** Installs the program whose `main` (locals 0…3: thread, threads, bindings, arena) `body` writes. */
function program(machine: Machine, body: (main: Func, barrier: Func) => void, parallel = true): Installed {
  const module = new WasmModule(machine.imports);
  const main = module.func("main", ["i32", "i32", "i32", "i32"], [], { export: true });
  body(main, emitBarrier(module));
  return machine.install(module.bytes(), { parallel });
}

/** Pushes bindings + 4 · thread. */
const leaf = (main: Func) => main.get(2).get(0).i32(2).op("i32.shl").op("i32.add");

/** Every thread writes 1 + its number into its leaf of the bindings. */
const sign = (main: Func) => leaf(main).get(0).i32(1).op("i32.add").memory("i32.store");

/** Repeats `body` as often as the word at the arena's address says. */
function repeat(main: Func, body: () => void) {
  const left = main.local("i32");
  main.get(3).memory("i32.load").set(left);
  main.block(() =>
    main.loop(() => {
      main.get(left).op("i32.eqz").brIf(1);
      body();
      main.get(left).i32(1).op("i32.sub").set(left).br(0);
    }),
  );
}

/** In each round thread t reads its neighbour's counter and adds one to it: a lost barrier leaves counters apart. */
const relay = (main: Func, barrier: Func) =>
  repeat(main, () => {
    const value = main.local("i32");
    const neighbour = main.get(2).get(0).i32(1).op("i32.add").get(1).op("i32.rem_u").i32(2).op("i32.shl").op("i32.add");
    neighbour.memory("i32.load").i32(1).op("i32.add").set(value).get(1).call(barrier);
    leaf(main).get(value).memory("i32.store").get(1).call(barrier);
  });

describe("heap", () => {
  test("blocks never overlap, are aligned, and coalesce to one when all are freed", () => {
    const action = fc.record({ bytes: fc.integer({ min: 0, max: 20_000 }), align: fc.constantFrom(64, 256, 4096) });
    fc.assert(
      fc.property(fc.array(fc.tuple(action, fc.nat(), fc.boolean()), { maxLength: 120 }), (steps) => {
        let end = 65_536;
        const heap = new Heap(1024, end, 4 << 20, (wanted) => {
          end = wanted;
          return true;
        });
        const live: { address: number; bytes: number }[] = [];
        for (const [{ bytes, align }, pick, release] of steps) {
          if (release && live.length > 0) heap.free(live.splice(pick % live.length, 1)[0].address);
          const address = heap.alloc(bytes, align);
          expect(address % align).toBe(0);
          live.push({ address, bytes: Math.max(1, bytes) });
        }
        const sorted = live.toSorted((a, b) => a.address - b.address);
        sorted.forEach(({ address, bytes }, i) => {
          expect(address).toBeGreaterThanOrEqual(1024);
          expect(address + bytes).toBeLessThanOrEqual(sorted[i + 1]?.address ?? end);
        });
        for (const { address } of live) heap.free(address);
        expect(heap.used).toBe(0);
        const before = end;
        expect(heap.alloc(before - 1024)).toBe(1024);
        expect(end).toBe(before);
      }),
      { numRuns: 60 },
    );
  });

  test("a freed block of the same size is the next one handed out, however full the heap", () => {
    const heap = new Heap(1024, 1 << 20, 1 << 20, () => false);
    const blocks = Array.from({ length: 50 }, (_, i) => heap.alloc(1000 + 64 * i));
    heap.free(blocks[20]);
    expect(heap.alloc(1000 + 64 * 20)).toBe(blocks[20]);
  });

  test("misuse and exhaustion are one-line errors that name the numbers", () => {
    const heap = new Heap(1024, 1 << 20, 2 << 20, () => true);
    const a = heap.alloc(1 << 20);
    heap.free(a);
    expect(() => heap.free(a)).toThrow(`free: nothing is allocated at address ${a} (freed twice?)`);
    heap.alloc(1 << 19);
    expect(() => heap.alloc(2 ** 40)).toThrow(OutOfMemory);
    expect(() => heap.alloc(2 ** 21)).toThrow(
      "2.0 MiB asked for, 512.0 KiB of 2.0 MiB are in use: use a smaller batch",
    );
    expect(heap.alloc(64)).toBeGreaterThan(0);
    expect(() => heap.alloc(Number.NaN)).toThrow("alloc: NaN is not a number of bytes");
  });

  test("100,000 allocations at random among 2,000 live blocks take no time to speak of", () => {
    const heap = new Heap(1024, 1 << 30, 2 ** 30, () => false);
    let seed = 1;
    const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    const live = Array.from({ length: 2000 }, () => heap.alloc(random(100_000)));
    const start = performance.now();
    for (let i = 0; i < 100_000; i++) {
      const at = random(live.length);
      heap.free(live[at]);
      live[at] = heap.alloc(random(100_000));
    }
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test("bytes are printed in units", () =>
    expect([0, 1023, 1536, 2 ** 32].map(formatBytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "4.0 GiB"]));
});

describe("memory", () => {
  test("views see growth, and 64 KiB past the last buffer are readable", () => {
    const machine = Machine.create({ threads: 1 });
    const bytes = 64 << 20;
    const address = machine.alloc(bytes);
    const { f32, f64, i32, u8 } = machine.view();
    f32[(address + bytes) / 4 - 1] = 1.5;
    expect(new Uint32Array(f64.buffer, address + bytes - 4, 1)[0]).toBe(i32[(address + bytes) / 4 - 1]);
    expect(u8.length).toBeGreaterThanOrEqual(address + bytes + 65_536);
    expect(machine.used).toBe(bytes);
    machine.free(address);
  });

  test("the limit is the one asked for", () => {
    const machine = Machine.create({ threads: 1, maximumPages: 512 });
    expect(() => machine.alloc(40 << 20)).toThrow(/^40\.0 MiB asked for, 0 B of 31\.9 MiB/);
    expect(machine.alloc(20 << 20)).toBeGreaterThan(0);
  });

  test("addresses past 2 GiB work", () => {
    const machine = Machine.create({ threads: 1 });
    const big = machine.alloc(2 ** 31);
    const address = machine.alloc(64);
    expect(address).toBeGreaterThan(2 ** 31);
    machine.run(program(machine, sign), address, big);
    expect(machine.view().i32[address / 4]).toBe(1);
  });
});

describe.each([1, 2, 5])("%i threads", (threads) => {
  const machine = Machine.create({ threads });
  const words = machine.alloc(4096);
  const rounds = machine.alloc(4);
  const signed = (n: number) => {
    const result = [...machine.view().i32.slice(words / 4, words / 4 + n)];
    machine.view().i32.fill(0, words / 4, words / 4 + 1024);
    return result;
  };
  afterAll(() => machine.close());

  test("a run needs no boot, and has every thread once they are up", async () => {
    const installed = program(machine, sign);
    machine.run(installed, words, 0);
    expect(signed(1)).toEqual([1]);
    await machine.ready();
    machine.run(installed, words, 0);
    expect(signed(threads + 1)).toEqual([...Array.from({ length: threads }, (_, i) => i + 1), 0]);
  });

  test("a program that is not parallel runs on the calling thread", async () => {
    const installed = program(machine, sign, false);
    await machine.ready();
    machine.run(installed, words, 0);
    expect(signed(2)).toEqual([1, 0]);
  });

  test("barriers keep threads in step over many runs", async () => {
    const installed = program(machine, relay);
    await machine.ready();
    machine.view().i32[rounds / 4] = 20;
    for (let run = 0; run < 50; run++) machine.run(installed, words, rounds);
    expect(signed(threads)).toEqual(new Array(threads).fill(1000));
  });

  test("programs arrive and go while others run", async () => {
    for (let i = 0; i < 30; i++) {
      const installed = program(machine, sign);
      if (i % 10 === 0) await machine.ready();
      machine.run(installed, words, 0);
      expect(signed(1)).toEqual([1]);
      machine.release(installed);
    }
  });

  test("workers see memory that grew after they started", async () => {
    const installed = program(machine, sign);
    await machine.ready();
    const far = machine.alloc(32 << 20) + (31 << 20);
    machine.run(installed, far, 0);
    expect([...machine.view().i32.slice(far / 4, far / 4 + threads)]).toEqual(
      Array.from({ length: threads }, (_, i) => i + 1),
    );
  });

  test("a trap on any thread, before a barrier that others wait at, is one error; the next run works", async () => {
    const good = program(machine, relay);
    const faulty = program(machine, (main, barrier) => {
      main.get(1).call(barrier);
      main
        .get(0)
        .get(2)
        .op("i32.eq")
        .if(() => main.op("unreachable"));
      main.get(1).call(barrier).get(1).call(barrier);
    });
    const outside = program(machine, (main) => main.i32(-16).memory("i32.load").op("drop"));
    await machine.ready();
    machine.view().i32[rounds / 4] = 10;
    for (let victim = 0; victim < threads; victim++) {
      for (let again = 0; again < 10; again++) {
        const start = performance.now();
        const message = `thread ${victim} of ${threads} stopped in "main": unreachable; what this run was writing is`;
        expect(() => machine.run(faulty, victim, 0)).toThrow(message);
        expect(performance.now() - start).toBeLessThan(1000);
        machine.run(good, words, rounds);
        expect(signed(threads)).toEqual(new Array(threads).fill(10));
      }
    }
    expect(() => machine.run(outside, 0, 0)).toThrow(ProgramError);
    expect(() => machine.run(outside, 0, 0)).toThrow(/memory access out of bounds/);
  });

  test("idle workers sleep", async () => {
    await machine.ready();
    machine.run(program(machine, sign), words, 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 200_000).toBeLessThan(0.3);
  });
});

test("without workers, closed or lost, a machine goes on with one thread", async () => {
  const machine = Machine.create({ threads: 2 });
  const words = machine.alloc(64);
  const installed = program(machine, sign);
  await machine.ready();
  await machine.close();
  machine.run(installed, words, 0);
  expect(machine.view().i32[words / 4]).toBe(1);
});

test("a lost worker is said once", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const machine = Machine.create({ threads: 3 });
  const words = machine.alloc(64);
  const { pool } = machine as unknown as { pool: { threads: { terminate(): Promise<number> }[] } };
  await machine.ready();
  await pool.threads[0].terminate();
  machine.run(program(machine, sign), words, 0);
  expect([...machine.view().i32.slice(words / 4, words / 4 + 2)]).toEqual([1, 0]);
  expect(warn.mock.calls).toEqual([["hebb: a worker thread was lost (exit code 1); going on with one thread"]]);
  warn.mockRestore();
});

test("without shared memory there is one thread and one line on standard error", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  vi.stubGlobal("crossOriginIsolated", false);
  const machine = Machine.create({ threads: 4 });
  vi.unstubAllGlobals();
  const words = machine.alloc(64);
  machine.run(program(machine, relay), words, words);
  expect([machine.shared, machine.threads, warn.mock.calls.length]).toEqual([false, 1, 1]);
  machine.alloc(100 << 20);
  expect(machine.view().u8.length).toBeGreaterThan(100 << 20);
  warn.mockRestore();
});
