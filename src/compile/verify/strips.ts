// Checks of runs: whichever thread is at which strip, what one strip writes no other touches, and what is inside a run has room.
import { bytesOf, type Node } from "../../graph/internal.ts";
import { type Index, ofAxis, shifted } from "../affine.ts";
import { type Guard, indicesIn, type Kernel } from "../kernel.ts";
import type { Program } from "../program.ts";
import { fault as faultAfter, named } from "./fault.ts";
import { type Range, valueAt } from "./ranges.ts";

const fault = (problem: string): never => faultAfter("strips", problem);

/** Points of a strip that are tried: corners first. */
const tried = 300;

/** An access of a member to a value. */
interface Touch {
  readonly name: string;
  readonly call: number;
  /** The call adds up along the strips of a unit. */
  readonly adds: boolean;
  readonly written: boolean;
  /** What a strip touches, in elements. */
  readonly range: (strip: number) => Range | undefined;
}

/** `kernels` are those of the calls, before equal ones were put together. */
export function verifyRuns(program: Program, kernels: readonly Kernel[]): void {
  let free = 0;
  for (const { first, calls, strips, units, inside } of program.runs) {
    if (!Number.isInteger(strips / units)) fault(`${strips} strips in ${units} units`);
    const unitOf = (strip: number): number => Math.floor((strip * units) / strips);
    if (first < free || calls < 2 || first + calls > program.calls.length)
      fault(`a run of ${calls} calls from ${first} on, of ${program.calls.length}`);
    free = first + calls;
    const touches = touchesOf(program, kernels, first, calls);
    const some = [...new Set([0, 1, Math.floor(strips / 2), strips - 2, strips - 1])];
    for (const [node, list] of touches) {
      const ranges = list.map((t) => some.map(t.range));
      list.forEach((a, i) => {
        list.forEach((b, j) => {
          if (!a.written) return;
          some.forEach((s, k) => {
            some.forEach((t, l) => {
              const [x, y] = [ranges[i][k], ranges[j][l]];
              const goesOn = a.adds && a.call === b.call && unitOf(s) === unitOf(t);
              if (s !== t && !goesOn && x && y && x.min <= y.max && y.min <= x.max)
                fault(`strip ${t} of ${b.name} touches of ${named(node)} what strip ${s} of ${a.name} writes`);
            });
          });
        });
        const room = inside.get(node);
        some.forEach((s, k) => {
          const range = ranges[i][k];
          if (room !== undefined && range && (range.min < s * room || range.max >= (s + 1) * room))
            fault(
              `strip ${s} of ${a.name} touches of ${named(node)} ${range.min} to ${range.max}, it has ${room} elements`,
            );
        });
      });
    }
    kernels.forEach(({ buffers }, i) => {
      if (i >= first && i < first + calls) return;
      const seen = buffers.find(({ node }) => inside.has(node));
      if (seen !== undefined) fault(`call ${i} touches ${named(seen.node)}, which is inside the run from ${first} on`);
    });
  }
}

function touchesOf(program: Program, kernels: readonly Kernel[], first: number, calls: number): Map<Node, Touch[]> {
  const touches = new Map<Node, Touch[]>();
  for (let i = first; i < first + calls; i++) {
    const { kernel, accesses } = program.calls[i];
    const { tiled } = program.kernels[kernel];
    const adds = tiled.adds !== undefined;
    if (adds) checkSum(tiled, kernels[i], `call ${i} (k${kernel})`);
    const add = (buffer: number, index: Index, guards: readonly Guard[], written: boolean): void => {
      const { node } = kernels[i].buffers[buffer];
      const start = accesses[buffer].start / bytesOf[node.dtype];
      const range = (strip: number): Range | undefined => rangeIn(tiled, index, guards, strip, start);
      touches.set(node, [
        ...(touches.get(node) ?? []),
        { name: `call ${i} (k${kernel})`, call: i, adds, written, range },
      ]);
    };
    for (const e of tiled.exprs) if (e.kind === "load") add(e.buffer, e.index, e.guards, false);
    for (const s of tiled.stores) add(s.buffer, s.index, [], true);
  }
  return touches;
}

/** What adds up along strips adds to the element that it stores, but for the first strip, where it adds to nothing. */
function checkSum({ adds, strips = 0, outer, stores, exprs }: Kernel, { buffers }: Kernel, name: string): void {
  const [{ buffer, index, value }] = stores;
  const before = exprs.filter(
    (e) => e.kind === "load" && !buffers[e.buffer].written && buffers[e.buffer].node === buffers[buffer].node,
  );
  const [load] = before;
  const sound =
    outer[strips - 1] === adds &&
    stores.length === 1 &&
    before.length === 1 &&
    load.kind === "load" &&
    load.index.key === index.key &&
    load.guards.some((g) => g.index.key === shifted(ofAxis(adds!), -1).key && g.size === adds!.extent) &&
    value.kind === "op" &&
    value.op === "add" &&
    value.args.includes(load);
  if (!sound) fault(`${name} does not add up along i${adds!.id}`);
}

/** Least and greatest value of an index within a strip, of the points that are tried. */
function rangeIn(
  kernel: Kernel,
  index: Index,
  guards: readonly Guard[],
  strip: number,
  start: number,
): Range | undefined {
  const { outer, reduced, strips = 0 } = kernel;
  const point = new Map<string, number>();
  let rest = strip;
  for (const { id, extent } of outer.slice(0, strips).reverse()) {
    point.set(`i${id}`, rest % extent);
    rest = Math.floor(rest / extent);
  }
  const others = [...outer.slice(strips), ...reduced].map(({ id, extent }) => ({ key: `i${id}`, extent }));
  const rows = new Map<string, number>();
  for (const e of kernel.exprs) for (const i of indicesIn(e)) rowsIn(i, rows);
  others.push(...[...rows].map(([key, extent]) => ({ key, extent })));
  let [min, max, state] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1];
  for (let n = 0; n < tried; n++) {
    others.forEach(({ key, extent }, k) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const corner = n < 128 && k < 7;
      point.set(key, corner ? ((n >> k) & 1) * (extent - 1) : Math.floor(((state >>> 0) / 2 ** 32) * extent));
    });
    const holds = guards.every(({ index: i, size }) => valueAt(i, point) >= 0 && valueAt(i, point) < size);
    if (!holds) continue;
    const at = valueAt(index, point) + start;
    min = Math.min(min, at);
    max = Math.max(max, at);
  }
  return min > max ? undefined : { min, max };
}

/** Rows that are read from memory may be any: how many there are. */
function rowsIn({ terms }: Index, into: Map<string, number>): void {
  for (const { atom } of terms) {
    if (atom.kind === "row") into.set(atom.key, atom.rows);
    else if (atom.kind !== "axis") rowsIn(atom.of, into);
  }
}
