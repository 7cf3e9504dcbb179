// Renders a program as one C module: a function a kernel, and `hebb_main`, which every thread calls once a run.

import type { Location } from "../../compile/5-plan.ts";
import { type Item, share } from "../../compile/6-share.ts";
import { type Access, type Call, onceBinding, type Program } from "../../compile/program.ts";
import { kernelHead, renderKernel } from "./kernel.ts";
import { prelude } from "./prelude.ts";

/** A part of a program that is worth a compiler of its own, in characters of C. */
const partSize = 40_000;

/** The C of a program, in up to `most` files that compile side by side. */
export function renderProgram(program: Program, most: number): string[] {
  const { target } = program;
  const inPlace = new Set(program.calls.filter(overwrites).map((s) => s.kernel));
  const kernels = program.kernels
    .map((k, i) => renderKernel(k.tiled, target, `k${i}`, !inPlace.has(i)))
    .sort((a, b) => b.length - a.length);
  const size = kernels.reduce((n, k) => n + k.length, 0);
  const parts = Array.from({ length: Math.max(1, Math.min(most, Math.ceil(size / partSize))) }, () => [
    prelude(target.lanes),
  ]);
  const lengths = parts.map(() => 0);
  for (const kernel of kernels) {
    const least = lengths.indexOf(Math.min(...lengths));
    parts[least].push(kernel);
    lengths[least] += kernel.length;
  }
  parts[0].push(renderMain(program));
  return parts.map((part) => part.join("\n"));
}

/** Whether a step replaces a leaf that it also reads, or adds to what it wrote; else, in the arena, nothing shares bytes with what is written. */
const overwrites = ({ accesses }: Call): boolean =>
  accesses.some((a) => a.written && accesses.some((b) => !b.written && sameLocation(a.location, b.location)));

const sameLocation = (a: Location, b: Location): boolean => String(place(a)) === String(place(b));

/**
 * The steps are data, which compiles in no time however many they are; kernels are called from one place each.
 *
 * Threads walk the steps together. Of a kernel's tasks each has a share of its own, in a few pieces that it claims one after the other, and
 * then claims what others have left: so a thread that the machine keeps waiting holds up no more than the piece that it is at. Small steps
 * between two barriers are all done by the thread that comes to the first of them. Who computes an element has no influence on its value.
 */
function renderMain(program: Program): string {
  const heads = program.kernels.map((k, i) => `${kernelHead(k.tiled, `k${i}`)};`);
  const calls = program.kernels.map(({ tiled: { buffers } }, i) => {
    const places = buffers.map((_, n) => `placeOf(c + ${2 * n}, w)`);
    return `case ${i}: k${i}(${[...places, "begin", "end"].join(", ")}); break;`;
  });
  const { code, items } = codeOf(program);
  return `${boardSource}
${heads.join("\n")}
static const long code[] = { ${code.join(", ")} };
static const unsigned short places[] = { ${program.kernels.map(({ tiled }) => tiled.buffers.length).join(", ")} };
/* Where buffers are: the memory, what is bound, the arena, what the thread has for strips, and at which of them it is. */
struct where { char *base; unsigned *bindings; char *arena, *room; long strip, thread, threads; };
static inline char *placeOf(const long *place, const struct where *w) {
  if (place[0] >= 0) return w->base + w->bindings[place[0]] + place[1];
  return place[0] == ${inArena} ? w->arena + place[1] : w->room + place[1] - w->strip * (${inArena - 1} - place[0]);
}
static void call(long kernel, const long *c, long begin, long end, const struct where *w) {
  switch (kernel) {
  case ${copyBytes}: __builtin_memcpy(placeOf(c, w), placeOf(c + 2, w), end); break;
  ${calls.join("\n  ")}
  }
}
/* What lies after a step: a kernel's places, or all steps of a strip. */
static inline const long *after(long kernel, const long *c) {
  return kernel == ${inTurn} ? c + 2 + c[1] : c + 2 * (kernel == ${copyBytes} ? 2 : places[kernel]);
}
/* Tasks of a kernel; or units of strips, of which each is all of several kernels: where there are fewer of them than threads, each has room. */
static void work(long kernel, const long *c, long begin, long end, long units, struct where *w) {
  if (kernel != ${inTurn}) {
    call(kernel, c, begin, end, w);
    return;
  }
  for (w->strip = begin * c[0]; w->strip < end * c[0]; w->strip++) {
    long unit = w->strip / c[0];
    w->room = w->arena + ${program.arenaBytes} + (units < w->threads ? unit : w->thread) * ${program.stripBytes};
    const long *stop = after(kernel, c);
    for (const long *d = c + 2; d < stop;) {
      long member = *d++, tasks = *d++;
      call(member, d, w->strip * tasks, (w->strip + 1) * tasks, w);
      d = after(member, d);
    }
  }
}
static void hebb_main(long thread, long threads, char *base, unsigned *bindings, char *arena, struct board *board) {
  struct where where = { base, bindings, arena, arena, 0, thread, threads };
  long item = 0, segment = 0, small = -1;
  unsigned total = 0, mine = 0;
  for (const long *c = code;; item++) {
    long kernel = *c++;
    if (kernel == ${stop} || kernel == ${wait}) {
      if (threads > 1 && !board->meet(&board->done[segment++], mine, total, &board->over)) return;
      total = mine = 0;
      small = -1;
      if (kernel == ${stop}) return;
      continue;
    }
    long tasks = *c++, pieces = *c++;
    if (tasks < 0) tasks = bindings[${onceBinding(program)}] ? -tasks : 0;
    if (tasks == 0) {
      c = after(kernel, c);
      continue;
    }
    if (threads == 1) work(kernel, c, 0, tasks, tasks, &where);
    else if (pieces == 0) {
      if (small < 0) {
        small = CLAIM(0, item) == 0;
        total++;
        mine += small;
      }
      if (small) work(kernel, c, 0, tasks, tasks, &where);
    } else {
      long share = (tasks - 1) / threads + 1, piece = (share - 1) / pieces + 1;
      for (long k = 0; k < threads; k++) {
        long owner = thread + k < threads ? thread + k : thread + k - threads;
        long first = share * owner, last = first + share < tasks ? first + share : tasks;
        if (first >= last) continue;
        unsigned count = (last - first - 1) / piece + 1;
        total += count;
        for (unsigned n; (n = CLAIM(owner, item)) < count; mine++) {
          long begin = first + n * piece, end = begin + piece < last ? begin + piece : last;
          work(kernel, c, begin, end, tasks, &where);
        }
      }
    }
    c = after(kernel, c);
  }
}
__attribute__((visibility("default"))) const struct program hebb_program = { hebb_main, ${items} };
`;
}

/** Scalar operations that a piece of a thread's share should at least have, and pieces at most. */
const [pieceWork, mostPieces] = [400_000, 4];
const piecesOf = (work: number): number => Math.max(1, Math.min(mostPieces, Math.floor(work / 2 / pieceWork)));

/** What a program is, and what the threads of a run have claimed and done of it: for programs and for what runs them. */
export const boardSource: string = `
struct board;
struct program {
  void (*main)(long, long, char *, unsigned *, char *, struct board *);
  long items;
};
struct board {
  unsigned *claimed, *done; /* of each item by owner; pieces between barriers */
  long items;
  unsigned over; /* all is done */
  long (*meet)(unsigned *, unsigned, unsigned, unsigned *);
};
#define CLAIM(owner, item) __atomic_fetch_add(&board->claimed[(owner) * board->items + (item)], 1, __ATOMIC_RELAXED)
`;

const [stop, wait, copyBytes, inTurn] = [-1, -2, -3, -4];
/** In the place of a binding: the arena; and less by a strip's bytes, and one, what a thread has for strips. */
const inArena = -1;

/** Kernel, tasks (less than none: only where what is kept has to be computed), the pieces of a share (0: threads do not share it), and for each buffer its binding and the bytes from there, or for kernels that take turns the strips of a unit, the length of what follows and for each its tasks in a strip and its buffers; and how many items. */
function codeOf(program: Program): { code: number[]; items: number } {
  const code: number[] = [];
  let items = 1; // the end
  const call = ({ kernel, tasks, accesses, once }: Item, pieces: number): void => {
    items++;
    code.push(kernel, once ? -tasks : tasks, pieces, ...placesOf(accesses));
  };
  for (const phase of share(program)) {
    if (phase.kind === "barrier") {
      items++;
      code.push(wait);
    } else if (phase.kind === "shared") call(phase.item, piecesOf(phase.item.work));
    else if (phase.kind === "strips") {
      items++;
      const steps = phase.items.flatMap(({ kernel, tasks, accesses }) => [kernel, tasks, ...placesOf(accesses)]);
      const pieces = piecesOf(phase.items.reduce((sum, { work }) => sum + work, 0));
      code.push(inTurn, phase.units, pieces, phase.stripsOfUnit, steps.length, ...steps);
    } else for (const item of phase.items) call(item, 0);
  }
  items += program.copies.length;
  for (const { from, to, bytes } of program.copies) code.push(copyBytes, bytes, 0, ...place(to), ...place(from));
  return { code: [...code, stop], items };
}

const placesOf = (accesses: readonly Access[]): number[] => accesses.flatMap((a) => place(a.location, a.start));

function place(l: Location, start = 0): [number, number] {
  if (l.kind === "bound") return [l.index, start];
  return [l.kind === "arena" ? inArena : inArena - 1 - l.bytes, l.offset + start];
}
