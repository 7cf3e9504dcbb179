// Renders a program as one C module: a function a kernel, and `hebb_main`, which every thread calls once per run.

import type { Copy, Location } from "../../compile/5-plan.ts";
import { type Item, share } from "../../compile/6-share.ts";
import type { Access, Program, Step } from "../../compile/program.ts";
import { kernelHead, renderKernel } from "./kernel.ts";
import { prelude } from "./prelude.ts";

/** A part of a program that is worth a compiler of its own, in characters of C. */
const partSize = 40_000;

/** The C of a program for vectors of `lanes` elements, in up to `most` files that compile side by side. */
export function renderProgram(program: Program, lanes: number, most: number): string[] {
  const inPlace = new Set(program.steps.filter(overwrites).map((s) => s.kernel));
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
const overwrites = ({ accesses }: Step): boolean =>
  accesses.some(
    (a) =>
      a.written &&
      accesses.some((b) => !b.written && b.location.kind === "bound" && sameLocation(a.location, b.location)),
  );

const sameLocation = (a: Location, b: Location): boolean => place(a) === place(b);

function renderMain(program: Program): string {
  const heads = program.kernels.map((k, i) => `${kernelHead(k.tiled, `k${i}`)};`);
  const lines: string[] = [];
  for (const phase of share(program)) {
    if (phase.kind === "barrier") lines.push("barrier(threads);");
    else if (phase.kind === "shared") lines.push(shared(phase.item));
    else lines.push("if (thread == 0) {", ...phase.items.map((i) => call(i, "0", String(i.tasks))), "}");
  }
  if (program.copies.length > 0) lines.push("if (thread == 0) {", ...program.copies.map(copy), "}");
  const head =
    "void hebb_main(long thread, long threads, char *base, unsigned *bindings, char *arena, void (*barrier)(long))";
  return [...heads, `__attribute__((visibility("default"))) ${head} {`, ...lines, "}", ""].join("\n");
}

/** Thread t of n runs tasks ⌈tasks / n⌉·t up to the next thread's first. */
function shared(item: Item): string {
  const chunk = `long chunk = (${item.tasks} - 1) / threads + 1, first = chunk * thread, last = first + chunk;`;
  return `{ ${chunk} ${call(item, "first", `last < ${item.tasks} ? last : ${item.tasks}`)} }`;
}

const call = ({ kernel, accesses }: Item, begin: string, end: string): string =>
  `k${kernel}(${[...accesses.map(address), begin, end].join(", ")});`;

const address = ({ location, start }: Access): string => place(location) + (start > 0 ? ` + ${start}` : "");

const place = (l: Location): string => (l.kind === "arena" ? `arena + ${l.offset}` : `base + bindings[${l.index}]`);

const copy = ({ from, to, bytes }: Copy): string => `__builtin_memcpy(${place(to)}, ${place(from)}, ${bytes});`;
