// Sharing a program out among threads: barriers stand where one thread needs what another wrote, and nowhere else.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TiledKernel } from "../src/compile/4-tile.ts";
import { isParallel, type Phase, share, taskCount } from "../src/compile/6-share.ts";
import type { Access, Call, Program } from "../src/compile/program.ts";
import { wasmTarget } from "../src/compile/target.ts";

const kernel = (plain: readonly number[], serial = false): TiledKernel =>
  ({ plain: plain.map((extent, id) => ({ id, extent })), unrolled: [], vectors: 1, serial }) as unknown as TiledKernel;

/** A kernel with tasks to share out, one with a single task, one that is serial. */
const kernels = [kernel([4, 2]), kernel([1]), kernel([4], true)].map((tiled) => ({ tiled, text: "" }));

/** What an access touches: bytes of the arena, or all of a leaf (10,000 bytes apart from everything else). */
function bytesOf({ location, bytes }: Access): [number, number] {
  if (location.kind !== "bound") return [location.offset, location.offset + bytes];
  return [-10_000 * (location.index + 1), -10_000 * (location.index + 1) + 1];
}

/** Whether two calls may not run at the same time, element by element of what they touch. */
function collide(a: Call, b: Call): boolean {
  return a.accesses.some((x) =>
    b.accesses.some((y) => {
      const [[p, q], [r, s]] = [bytesOf(x), bytesOf(y)];
      const meet = Array.from({ length: q - p }, (_, i) => p + i).some((byte) => byte >= r && byte < s);
      return meet && (x.written || y.written) && (x.sharing === undefined || x.sharing !== y.sharing);
    }),
  );
}

const natural = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const access: fc.Arbitrary<Access> = fc
  .tuple(fc.boolean(), natural(6), fc.integer({ min: 1, max: 3 }), fc.boolean(), natural(5))
  .map(([arena, at, bytes, written, sharing]) => ({
    location: arena ? { kind: "arena", offset: at } : { kind: "bound", index: at % 3 },
    start: 0,
    bytes,
    written,
    sharing: sharing < 2 ? sharing : undefined,
  }));
const step: fc.Arbitrary<Call> = fc
  .tuple(natural(2), fc.array(access, { minLength: 1, maxLength: 3 }), fc.constantFrom(10, 60_000, 60_001, 10 ** 6))
  .map(([k, accesses, work]) => ({ kernel: k, accesses, work, once: false }));

const programOf = (calls: readonly Call[], copies: Program["copies"] = []): Program => ({
  target: wasmTarget,
  kernels,
  calls,
  runs: [],
  copies,
  arenaBytes: 16,
  stripBytes: 0,
  stripRooms: 0,
  leafCount: 3,
  outputCount: 0,
  kept: [],
  steady: [],
  updated: [],
});

const bare = ({ kernel: k, accesses, work, once }: Call): Call => ({ kernel: k, accesses, work, once });
const itemsIn = (p: Phase): readonly Call[] => (p.kind === "shared" ? [p.item] : p.kind === "first" ? p.items : []);

test("calls keep their order, and a barrier stands between any two that collide on different threads", () => {
  const property = fc.property(fc.array(step, { maxLength: 9 }), fc.boolean(), (calls, copying) => {
    const place = { kind: "arena", offset: 0 } as const;
    const phases = share(programOf(calls, copying ? [{ from: place, to: { kind: "bound", index: 0 }, bytes: 4 }] : []));
    expect(phases.flatMap(itemsIn).map(bare)).toEqual(calls.map(bare));
    const shared = (s: Call): boolean => s.kernel === 0 && s.work > 60_000;
    expect(phases.flatMap((p) => (p.kind === "shared" ? [bare(p.item)] : []))).toEqual(calls.filter(shared).map(bare));
    expect(isParallel(phases)).toBe(calls.some(shared));
    const last = phases.at(-1)?.kind === "barrier";
    expect(last).toBe(copying && calls.some(shared));
    let since: Call[] = [];
    const inner = last ? phases.slice(0, -1) : phases;
    inner.forEach((phase, i) => {
      if (phase.kind !== "barrier") {
        for (const s of itemsIn(phase)) {
          expect(since.some((o) => (shared(o) || shared(s)) && collide(o, s))).toBe(false);
          since.push(s);
        }
        return;
      }
      const [next] = itemsIn(inner[i + 1]); // a barrier is there for what comes next
      expect(since.some((o) => (shared(o) || shared(next)) && collide(o, next))).toBe(true);
      since = [];
    });
    inner.forEach((p, i) => {
      if (p.kind === "first") expect(inner[i + 1]?.kind).not.toBe("first"); // small calls go together
    });
  });
  fc.assert(property, {
    numRuns: 2000,
    seed: Number(process.env.SEED ?? 1),
    endOnFailure: process.env.SHRINK === "no",
  });
});

test("tasks are the iterations of the plain loops, else of the tile's outermost loop", () => {
  expect(taskCount(kernel([4, 3, 2]))).toBe(24);
  expect(taskCount(kernel([4, 3], true))).toBe(1);
  expect(taskCount(kernel([]))).toBe(1);
  const axis = { id: 0, extent: 10 };
  expect(taskCount({ ...kernel([]), unrolled: [{ axis, factor: 4 }] } as unknown as TiledKernel)).toBe(3);
});
