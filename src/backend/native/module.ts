// Renders a program as one C module: a function a kernel, and `hebb_main`, which every thread calls once per run.

import type { Location } from "../../compile/5-plan.ts";
import { type Item, share } from "../../compile/6-share.ts";
import type { Call, Program } from "../../compile/program.ts";
import { kernelHead, renderKernel } from "./kernel.ts";
import { prelude } from "./prelude.ts";

/** A part of a program that is worth a compiler of its own, in characters of C. */
const partSize = 40_000;

/** The C of a program for vectors of `lanes` elements, in up to `most` files that compile side by side. */
export function renderProgram(program: Program, lanes: number, most: number): string[] {
  const inPlace = new Set(program.calls.filter(overwrites).map((s) => s.kernel));
  const kernels = program.kernels
    .map((k, i) => renderKernel(k.tiled, `k${i}`, !inPlace.has(i)))
    .sort((a, b) => b.length - a.length);
  const size = kernels.reduce((n, k) => n + k.length, 0);
  const parts = Array.from({ length: Math.max(1, Math.min(most, Math.ceil(size / partSize))) }, () => [prelude(lanes)]);
  const lengths = parts.map(() => 0);
  for (const kernel of kernels) {
    const least = lengths.indexOf(Math.min(...lengths));
    parts[least].push(kernel);
    lengths[least] += kernel.length;
  }
  parts[0].push(renderMain(program));
  return parts.map((part) => part.join("\n"));
}

/** Whether a step replaces a leaf that it also reads; in the arena, nothing shares bytes with what is written. */
const overwrites = ({ accesses }: Call): boolean =>
  accesses.some(
    (a) =>
      a.written &&
      accesses.some((b) => !b.written && b.location.kind === "bound" && sameLocation(a.location, b.location)),
  );

const sameLocation = (a: Location, b: Location): boolean => String(place(a)) === String(place(b));

/** The steps are data, which compiles in no time however many they are; kernels are called from one place each. */
function renderMain(program: Program): string {
  const heads = program.kernels.map((k, i) => `${kernelHead(k.tiled, `k${i}`)};`);
  const calls = program.kernels.map(({ tiled: { buffers } }, i) => {
    const places = buffers.map((_, n) => `AT(${n})`);
    return `case ${i}: k${i}(${[...places, "begin", "end"].join(", ")}); c += ${2 * buffers.length}; break;`;
  });
  return `${heads.join("\n")}
static const long code[] = { ${codeOf(program).join(", ")} };
#define AT(n) (c[2 * (n)] < 0 ? arena : base + bindings[c[2 * (n)]]) + c[2 * (n) + 1]
__attribute__((visibility("default")))
void hebb_main(long thread, long threads, char *base, unsigned *bindings, char *arena, void (*barrier)(long)) {
  for (const long *c = code;;) {
    long kernel = *c++;
    if (kernel == ${stop}) return;
    if (kernel == ${wait}) { barrier(threads); continue; }
    long tasks = *c++, shared = *c++, chunk = shared ? (tasks - 1) / threads + 1 : thread == 0 ? tasks : 0;
    long begin = chunk * thread, end = begin + chunk < tasks ? begin + chunk : tasks;
    if (!shared) { begin = 0; end = chunk; }
    switch (kernel) {
    case ${copyBytes}: if (begin < end) __builtin_memcpy(AT(0), AT(1), tasks); c += 4; break;
    ${calls.join("\n    ")}
    }
  }
}
`;
}

const [stop, wait, copyBytes] = [-1, -2, -3];

/** Kernel, tasks, whether threads share them, and for each buffer its binding (−1: the arena) and the bytes from there. */
function codeOf(program: Program): number[] {
  const code: number[] = [];
  const call = ({ kernel, tasks, accesses }: Item, shared: boolean): void => {
    code.push(kernel, tasks, Number(shared), ...accesses.flatMap((a) => place(a.location, a.start)));
  };
  for (const phase of share(program)) {
    if (phase.kind === "barrier") code.push(wait);
    else if (phase.kind === "shared") call(phase.item, true);
    else for (const item of phase.items) call(item, false);
  }
  for (const { from, to, bytes } of program.copies) code.push(copyBytes, bytes, 0, ...place(to), ...place(from));
  return [...code, stop];
}

const place = (l: Location, start = 0): [number, number] =>
  l.kind === "arena" ? [-1, l.offset + start] : [l.index, start];
