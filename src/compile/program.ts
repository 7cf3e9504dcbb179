// The Program: the ordered kernels of one step, where their buffers lie, and how much work each is. The end of the compile pipeline.
import { bytesOf, type Node, show, sizeOf, type Trace, traits } from "../graph/internal.ts";
import { type Prepared, prepare } from "./1-prepare.ts";
import { type Group, schedule } from "./2-schedule.ts";
import { type LowerOptions, leastOf, lower, rebuild, startsOf } from "./3-lower.ts";
import { layouts, liveExprs, type TiledKernel, type TileOptions, tile } from "./4-tile.ts";
import { bytesFor, type Copy, type Location, plan } from "./5-plan.ts";
import { type Form, formOf } from "./alike.ts";
import { type Kernel, printKernel } from "./kernel.ts";
import { steadyPart } from "./steady.ts";
import { inStrips, type Run } from "./strips.ts";
import { type Target, wasmTarget } from "./target.ts";
import { verifyGroups, verifyPrepared, verifyProgram } from "./verify/program.ts";

/** Passes that can be switched off, for tests and for finding faults: results stay the same, only speed and memory differ. */
export type Pass =
  | "join" // parts of larger values in their places
  | "transpose" // copies of factors, filters and images that lie as they are walked
  | "phases" // convolutions of images with gaps as several without
  | "stage" // long sums as sums of shorter ones
  | "fuse" // elementwise operations in the kernels of what uses them
  | "merge" // kernels over the same shape as one
  | "alike" // groups that do the same to other values lowered once
  | "strips" // kernels that take turns along an axis that they share
  | "collapse" // neighbouring loops as one
  | "vectorize"
  | "unroll" // register tiles
  | "block" // products in blocks that fit the cache
  | "steady" // what follows from parameters that a repeated step does not change, computed once
  | "reuse" // values that never live together in the same bytes
  | "inPlace"; // updates where the old value lies

export interface Access {
  readonly location: Location;
  /** Bytes from there to where the kernel's indices start. */
  readonly start: number;
  readonly bytes: number;
  readonly written: boolean;
  /** Accesses that write one value between them, each other elements of it, have the same number. */
  readonly sharing?: number;
}

export interface Call {
  /** Index into Program.kernels. */
  readonly kernel: number;
  /** One per buffer parameter of the kernel. */
  readonly accesses: readonly Access[];
  /** Scalar operations in all, roughly. */
  readonly work: number;
  /** What it computes is kept from run to run: it runs only where the leaves that it follows from have changed. */
  readonly once: boolean;
}

/** What has to be known of a program to run its code. */
export interface Frame {
  readonly arenaBytes: number;
  /** What each thread needs besides for the values of a strip, and how many threads do at most. */
  readonly stripBytes: number;
  readonly stripRooms: number;
  readonly leafCount: number;
  readonly outputCount: number;
  /** Bytes of the values that are kept from run to run; they are bound after the outputs, and after them whether to compute them. */
  readonly kept: readonly number[];
  /** Leaves that these follow from. */
  readonly steady: readonly number[];
  /** Leaves that a run changes. */
  readonly updated: readonly number[];
}

export interface Program extends Frame {
  /** The machine that it is for. */
  readonly target: Target;
  /** Distinct kernels; steps with the same loops share one. */
  readonly kernels: readonly { readonly tiled: TiledKernel; readonly text: string }[];
  readonly calls: readonly Call[];
  /** Neighbouring calls that take turns strip by strip, in their order. */
  readonly runs: readonly Run[];
  readonly copies: readonly Copy[];
}

/** The binding that is 1 where calls that are made once have to be made, else 0. */
export const onceBinding = ({ leafCount, outputCount, kept }: Frame): number => leafCount + outputCount + kept.length;

export interface CompileOptions {
  /** Passes to leave out. */
  readonly without?: ReadonlySet<Pass>;
  /** The machine to compile for. */
  readonly target?: Target;
  /** The step will run many times: what does not change between runs is kept. */
  readonly repeated?: boolean;
  /** Checks the intermediate form after each pass. */
  readonly verify?: boolean;
}

/** Compiles a trace. Throws a RangeError where the device cannot hold a value. */
export function compileTrace(
  trace: Trace,
  { without, target = wasmTarget, repeated = false, verify = false }: CompileOptions = {},
): Program {
  const on = (pass: Pass): boolean => !without?.has(pass);
  const prepared = prepare(trace, target, {
    join: on("join"),
    transpose: on("transpose"),
    stage: on("stage"),
    phases: on("phases"),
  });
  if (verify) verifyPrepared(trace, prepared);
  const { mostBuffers, alignment } = target;
  const groups = schedule(prepared, { fuse: on("fuse"), merge: on("merge"), mostBuffers, inPlace: on("inPlace") });
  if (verify) verifyGroups(prepared, groups);
  const all = lowerAll(prepared, groups, { collapse: on("collapse"), alike: on("alike") && !verify });
  const keeps = repeated && on("steady");
  const steady = steadyPart(trace, prepared, keeps ? all.map(({ kernel }) => kernel) : []);
  const once = ({ kernel }: Lowered): boolean => steady.kernels.has(kernel);
  const first = all.filter(once);
  const { lowered, runs } = arranged(
    first,
    all.filter((l) => !once(l)),
    prepared,
    on("strips") ? target : undefined,
  );
  const kernels = lowered.map(({ kernel }) => kernel);
  const inside = new Map(runs.flatMap((run) => [...run.inside]));
  for (const { buffers } of kernels) for (const { node } of buffers) checkSize(node, inside.get(node), target);
  const leafCount = trace.leaves.length;
  const { at, copies, arenaBytes, stripBytes } = plan(prepared, kernels, leafCount, {
    alignment,
    runs,
    reuse: on("reuse"),
    inPlace: on("inPlace"),
    kept: steady.values,
  });
  const program: Program = {
    target,
    ...callsOf(lowered, steady.kernels, at, {
      target,
      vectorize: on("vectorize"),
      unroll: on("unroll"),
      block: on("block"),
      stage: on("stage"),
    }),
    runs,
    copies: copies.filter((c) => c.bytes > 0),
    arenaBytes,
    stripBytes,
    stripRooms: Math.max(0, ...runs.map((run) => run.units)),
    leafCount,
    outputCount: trace.outputs.length,
    kept: steady.values.map(bytesFor),
    steady: steady.leaves,
    updated: prepared.updates.map((u) => u.leaf),
  };
  if (verify) verifyProgram(trace, prepared, program, kernels);
  return program;
}

/** All kernels in their order: first those of which the results are kept, then the others, where possible such that they take turns. */
function arranged(
  first: readonly Lowered[],
  then: readonly Lowered[],
  prepared: Prepared,
  target: Target | undefined,
): { lowered: Lowered[]; runs: Run[] } {
  const { lowered, runs } = target === undefined ? { lowered: then, runs: [] } : inStrips(then, prepared, target);
  return {
    lowered: [...first, ...lowered],
    runs: runs.map((run) => ({ ...run, first: first.length + run.first })),
  };
}

/** A kernel, and what it has in common with others. */
export interface Lowered {
  readonly kernel: Kernel;
  /** What it was lowered to, or another group that is alike: the same but for the buffers. */
  readonly like: Kernel;
  /** For each buffer, elements that it starts later than that of `like`. */
  readonly later: readonly number[];
}

/** The kernels of all groups that have elements to compute; groups that are alike are lowered once. */
function lowerAll(
  prepared: Prepared,
  all: readonly Group[],
  { alike, ...options }: LowerOptions & { alike: boolean },
): Lowered[] {
  const groups = all.filter((g) => sizeOf(g.roots[0].shape) > 0);
  const results = [...prepared.outputs, ...prepared.updates.map((u) => u.value)];
  const needed = neededOutside(groups, new Set([...results, ...[...prepared.joined.values()].flat()]));
  const stored = (n: Node): boolean => needed.has(n);
  const known = new Map<string, Template>();
  const lowered = groups.flatMap((group): Lowered[] => {
    const form = alike ? formOf(group, stored) : undefined;
    const before = form && known.get(form.text);
    const again = before && instance(before, form);
    if (again !== undefined) return [again];
    const made = lower(group, stored, options);
    if (form !== undefined && before === undefined) known.set(form.text, templateOf(form, made[0]));
    return made.map((kernel) => ({ kernel, like: kernel, later: kernel.buffers.map(() => 0) }));
  });
  return lowered.filter(({ kernel }) => kernel.stores.length > 0);
}

/** A kernel that stands for all groups of a form. */
interface Template {
  readonly like: Kernel;
  readonly starts: readonly number[];
  /** For each buffer of the kernel its place among the form's values, and the least offset that is touched. */
  readonly places: readonly number[];
  readonly least: readonly number[];
}

function templateOf({ values, starts }: Form, like: Kernel): Template {
  const place = new Map(values.map((node, i) => [node, i]));
  return { like, starts, places: like.buffers.map(({ node }) => place.get(node)!), least: leastOf(like) };
}

/** A kernel with the values of another group in their places; undefined where it would start before a buffer does. */
function instance({ like, starts, places, least }: Template, to: Form): Lowered | undefined {
  const later = places.map((i) => to.starts[i] - starts[i]);
  if (later.some((n, i) => n !== 0 && (least[i] < 0 || least[i] + n < 0))) return undefined;
  const buffers = like.buffers.map((buffer, i) => ({ ...buffer, node: to.values[places[i]] }));
  return { kernel: { ...like, buffers }, like, later };
}

/** Lays out the kernels, those that differ only in where they start as one, and binds each to the places of its buffers. */
function callsOf(
  lowered: readonly Lowered[],
  once: ReadonlySet<Kernel>,
  at: (node: Node) => Location,
  options: TileOptions,
): Pick<Program, "kernels" | "calls"> {
  const distinct = new Map<string, number>();
  const tiled: { tiled: TiledKernel; text: string }[] = [];
  const laid = (like: Kernel): { kernel: number; starts: readonly number[]; work: number } => {
    const starts = startsOf(like);
    const based = starts.every((n) => n === 0) ? like : rebuild(like, new Map(), starts);
    const text = printKernel(based);
    let kernel = distinct.get(text);
    if (kernel === undefined) {
      kernel = tiled.push({ tiled: chooseTile(based, text, options), text }) - 1;
      distinct.set(text, kernel);
    }
    return { kernel, starts, work: workOf(like) };
  };
  const known = new Map<Kernel, ReturnType<typeof laid>>();
  const calls = lowered.map(({ kernel: own, like, later }): Call => {
    const { buffers } = own;
    const { kernel, starts, work } = known.get(like) ?? laid(like);
    known.set(like, { kernel, starts, work });
    const accesses = buffers.map(({ node, written, shared }, i): Access => {
      const sharing = shared ? node.id : undefined;
      const start = (starts[i] + later[i]) * bytesOf[node.dtype];
      return { location: at(node), start, bytes: bytesFor(node), written, sharing };
    });
    return { kernel, accesses, work, once: once.has(own) };
  });
  return { kernels: tiled, calls };
}

function chooseTile(kernel: Kernel, text: string, options: TileOptions): TiledKernel {
  const { tuning } = options.target;
  if (tuning === undefined || !options.unroll || kernel.serial || workOf(kernel) < tuning.leastWork)
    return tile(kernel, options);
  return tuning.choose(layouts(kernel, options, tuning.most), text, options.target);
}

/** Of a value inside a run, a strip has to fit. */
function checkSize(node: Node, strip: number | undefined, { mostBytes }: Target): void {
  const bytes = strip === undefined ? bytesFor(node) : strip * bytesOf[node.dtype];
  if (bytes > mostBytes)
    throw new RangeError(
      `${node.op}: ${node.dtype} ${show(node.shape)} takes ${bytes} bytes, more than the ${mostBytes} that the device has for a value`,
    );
}

/** Roots that another kernel or the outside reads; the others never leave their kernel. */
function neededOutside(groups: readonly Group[], results: ReadonlySet<unknown>): Set<unknown> {
  const needed = new Set(results);
  for (const g of groups) for (const n of g.reads) if (!g.roots.includes(n)) needed.add(n);
  return needed;
}

/** Scalar operations of a trace, roughly. */
export const workOfTrace = ({ nodes }: Trace): number => nodes.reduce((sum, n) => sum + workOfNode(n), 0);

/** Scalar operations of a node, roughly. */
function workOfNode(node: Node): number {
  const size = sizeOf(node.shape);
  if (node.op === "matmul") return 2 * size * node.inputs[0].shape[node.shape.length - 1];
  if (node.op === "conv") return 2 * size * sizeOf(node.inputs[1].shape.slice(1));
  return traits[node.op].class === "reduction" ? sizeOf(node.inputs[0].shape) : size;
}

function workOf(kernel: Kernel): number {
  const live = liveExprs(kernel).filter((e) => e.kind !== "const").length;
  return kernel.outer.concat(kernel.reduced).reduce((n, a) => n * a.extent, 1) * (1 + live / 4);
}

/** The program as text: kernels, then steps with their buffers. */
export function printProgram(program: Program): string {
  const { leafCount, outputCount } = program;
  const bound = (index: number): string => {
    if (index < leafCount) return `leaf${index}`;
    const after = index - leafCount;
    return after < outputCount ? `out${after}` : `kept${after - outputCount}`;
  };
  const place = (l: Location, start = 0): string =>
    (l.kind === "bound" ? bound(l.index) : `${l.kind === "strip" ? "strip" : ""}@${l.offset}`) +
    (start > 0 ? `+${start}` : "");
  const kernels = program.kernels.map((k, i) => `kernel k${i}\n${k.text}`);
  const calls = program.calls.map(
    (s) => `${s.once ? "once " : ""}k${s.kernel}(${s.accesses.map((a) => place(a.location, a.start)).join(", ")})`,
  );
  for (const { first, calls: count, strips, units } of program.runs) {
    for (let i = first; i < first + count; i++) calls[i] = `  ${calls[i]}`;
    calls[first] =
      `${units < strips ? `${units} times ` : ""}${strips / (units < strips ? units : 1)} strips of\n${calls[first]}`;
  }
  return [
    ...kernels,
    ...calls,
    ...program.copies.map((c) => `copy ${place(c.from)} to ${place(c.to)}`),
    `arena ${program.arenaBytes} bytes${program.stripBytes > 0 ? `, for strips ${program.stripBytes} a thread` : ""}`,
  ].join("\n");
}
