// Measures which register tiles are the fastest on this processor. What was found is kept beside the compiled code.
import type { TiledKernel } from "../../compile/4-tile.ts";
import { bytesFor } from "../../compile/5-plan.ts";
import { taskCount } from "../../compile/6-share.ts";
import type { Target, Tuning } from "../../compile/target.ts";
import { kernelHead, renderKernel } from "./kernel.ts";
import { prelude } from "./prelude.ts";
import { CompilerError, hashName, type Toolchain } from "./toolchain.ts";

/** How much faster than the model's first choice another has to be: less is noise. */
const worthwhile = 0.97;

/**
 * Chooses layouts by their measured time: those of kernels measured before, and, with `search`, of all, about a second for each.
 * Undefined where nothing has been measured, nor shall be.
 */
export function tuning(toolchain: Toolchain, search: boolean): Tuning | undefined {
  const file = `${toolchain.folder}/tiles-${toolchain.identity}.json`;
  let known = read(file);
  let told = false;
  if (!search && Object.keys(known).length === 0) return undefined;
  return {
    leastWork: 2e7,
    found: search ? undefined : JSON.stringify(known),
    most: 12,
    choose(layouts, text, target) {
      const name = hashName([text]);
      if (known[name] === undefined && search && layouts.length > 1) {
        if (!told) console.warn("hebb: measuring register tiles, once on this machine, about a second for each kernel");
        told = true;
        const found = describe(fastest(toolchain, target, layouts));
        known = { ...read(file), [name]: found };
        write(file, known);
      }
      return layouts.find((l) => describe(l) === known[name]) ?? layouts[0];
    },
  };
}

/** What was measured so far, by kernel; nothing where the file is missing or damaged. */
function read(file: string): Readonly<Record<string, string>> {
  try {
    const found: unknown = JSON.parse(builtin("node:fs").readFileSync(file, "utf8"));
    if (typeof found === "object" && found !== null) return found as Record<string, string>;
  } catch {} // measured again
  return {};
}

function write(file: string, known: Readonly<Record<string, string>>): void {
  const fs = builtin("node:fs");
  const fresh = `${file}.${globalThis.process.pid}`;
  try {
    fs.writeFileSync(fresh, JSON.stringify(known, undefined, 1), { mode: 0o600 });
    fs.renameSync(fresh, file);
  } catch (error) {
    throw new CompilerError(`measured tiles could not be written: ${(error as Error).message}`);
  }
}

const builtin: typeof process.getBuiltinModule = (name: string) => globalThis.process.getBuiltinModule(name);

/** What tells the layouts of one kernel apart: axes, by their place among all, and how often each is taken. */
function describe(kernel: TiledKernel): string {
  const axes = [...kernel.outer, ...kernel.reduced];
  const tiles = kernel.unrolled.map((u) => `${axes.indexOf(u.axis)}x${u.factor}`);
  const vectors = kernel.vector === undefined ? [] : [`${axes.indexOf(kernel.vector)}v${kernel.vectors}`];
  return [...vectors, ...tiles].join(" ");
}

/** Compiles all layouts into one program, runs it, and reads the times that it prints. */
function fastest(toolchain: Toolchain, target: Target, layouts: readonly TiledKernel[]): TiledKernel {
  const half = Math.ceil(layouts.length / 2);
  const parts = [layouts.slice(0, half), layouts.slice(half)].map((part, p) =>
    [prelude(target.lanes), ...part.map((l, i) => renderKernel(l, target, `k${p * half + i}`, true))].join("\n"),
  );
  const times = toolchain
    .execute([renderTimer(layouts), ...parts])
    .trim()
    .split(/\s+/)
    .map(Number);
  if (times.length !== layouts.length || !times.every((t) => t > 0))
    throw new CompilerError(`measuring register tiles gave no times: ${times.join(" ").slice(0, 80)}`);
  const best = times.indexOf(Math.min(...times));
  return times[best] < worthwhile * times[0] ? layouts[best] : layouts[0];
}

/** A program that runs the layouts in turn for a while and prints the least time of each, in nanoseconds. */
function renderTimer(layouts: readonly TiledKernel[]): string {
  const { buffers } = layouts[0];
  const places = buffers.map((_, i) => `b[${i}]`);
  const calls = layouts.map((l, i) => `case ${i}: k${i}(${[...places, 0, taskCount(l)].join(", ")}); break;`);
  return `#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define KERNEL
${layouts.map((l, i) => `${kernelHead(l, `k${i}`)};`).join("\n")}
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
int main(void) {
  static const long size[] = { ${buffers.map((b) => bytesFor(b.node)).join(", ")} };
  static const char real[] = { ${buffers.map((b) => Number(b.node.dtype === "f32")).join(", ")} };
  char *b[${buffers.length}];
  for (int i = 0; i < ${buffers.length}; i++) {
    long whole = (size[i] + 4095) / 4096 * 4096 + 8192; // vectors may reach over both ends
    b[i] = aligned_alloc(4096, whole);
    if (b[i] == 0) return 1;
    for (long k = 0; k < whole / 4; k++)
      if (real[i]) ((float *)b[i])[k] = (k * 7919 % 1000) / 1000.f; else ((int *)b[i])[k] = 0;
    b[i] += 4096;
  }
  double least[${layouts.length}], start = now();
  for (int round = 0; round < 3 || (round < 30 && now() - start < 2e8); round++)
    for (int k = 0; k < ${layouts.length}; k++) {
      double t = now();
      switch (k) { ${calls.join(" ")} }
      t = now() - t;
      if (round == 0 || t < least[k]) least[k] = t;
    }
  for (int k = 0; k < ${layouts.length}; k++) printf("%.0f ", least[k]);
  return 0;
}
`;
}
