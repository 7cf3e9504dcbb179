// Pass 2: cuts the graph into groups, one kernel each. Decides which values get a buffer and which live only inside a kernel.
import { argsOf, type Node, type Shape, sameShape, sizeOf, stridesOf, traits } from "../graph/internal.ts";
import type { Prepared } from "./1-prepare.ts";

/** Values computed by one kernel over one shape; all but the first are computed beside it while its inputs are at hand. */
export interface Group {
  readonly roots: Node[];
  /** Buffered nodes and leaves that the group reads. */
  readonly reads: Set<Node>;
  /** Reductions and contractions computed inside, all over the same axes. */
  readonly cores: Node[];
  /** Instructions for one element, roughly. */
  cost: number;
  /** A scattering that adds to the very leaf it updates: nothing needs the old value any more. */
  inPlace?: boolean;
}

export interface ScheduleOptions {
  /** Fuse producers into consumers; off, every node is a kernel of its own. */
  readonly fuse: boolean;
  /** Put kernels over the same shape together. */
  readonly merge: boolean;
  /** Buffers that a kernel may have. */
  readonly mostBuffers: number;
  /** Scatter into leaves where they lie. */
  readonly inPlace: boolean;
}

const isCore = (n: Node): boolean => traits[n.op].class === "reduction" || isContraction(n);
export const isContraction = (n: Node): boolean => traits[n.op].class === "contraction";
const isView = (n: Node): boolean => traits[n.op].class === "view";
/** Whether a flat position means another element after a node than before, so that no reduction below it can be part of the kernel. */
const moves = (n: Node): boolean => traits[n.op].class === "rearranging" || (isView(n) && n.op !== "reshape");
/** Whether a node is computed by kernels of its own into a buffer: scattered, or part by part. */
const ownKernels = (n: Node): boolean => n.op === "scatterAdd" || n.op === "concat";

/** Whether axes are not split or merged alone between two shapes, so that places are found by division: [100, 3072] and [75, 4096]. */
function cutsAxes(before: Shape, after: Shape): boolean {
  const steps = [...stridesOf(before), ...stridesOf(after)].sort((a, b) => a - b);
  return steps.some((step, i) => i > 0 && step % steps[i - 1] !== 0);
}

/** Instructions for an element that are made again rather than read back; more where that reads no more memory either. */
const recomputeLimit = 6;
const recomputeOfOne = 8;
/** What one kernel computes for an element: no more instructions than this, and no longer a chain. */
const expressionLimit = 400;
const depthLimit = 200;
/** Each reshape of a rearranged value can double the divisions in an index. */
const reshapeLimit = 5;

class Scheduler {
  readonly order: Node[];
  readonly users = new Map<Node, Node[]>();
  readonly buffered: Set<Node>;
  readonly options: ScheduleOptions;
  readonly #joined: Prepared["joined"];

  constructor(prepared: Prepared, options: ScheduleOptions) {
    this.options = options;
    this.#joined = prepared.joined;
    this.buffered = new Set(prepared.kept);
    this.order = sorted(prepared);
    for (const n of this.order) {
      for (const x of new Set(n.inputs)) this.users.set(x, [...(this.users.get(x) ?? []), n]);
    }
  }

  /** Nodes whose consumers need memory to read from. */
  #require(): void {
    for (const n of this.order) {
      if (!this.options.fuse && n.op !== "const") this.buffered.add(n);
      if (ownKernels(n)) this.buffered.add(n);
      if (n.op === "scatterAdd" && n.inputs.length === 3) this.buffered.add(n.inputs[0]); // so that no table is read any more
      if (n.op === "gather") this.buffered.add(baseOf(n.inputs[0], false));
      if (isContraction(n)) for (const x of n.inputs) this.buffered.add(baseOf(x, true));
    }
    for (const n of this.buffered) if (n.op === "buffer") this.buffered.delete(n);
  }

  /** What computing an element of each node takes, with values buffered so that no kernel grows past the limits. */
  #costs(): Map<Node, number> {
    const cost = new Map<Node, number>();
    const depth = new Map<Node, number>();
    const reshapes = new Map<Node, number>();
    const inside = (x: Node): boolean => !isCore(x) && !this.buffered.has(x);
    const deepest = (n: Node, of: Map<Node, number>): number =>
      n.inputs.reduce((most, x) => Math.max(most, inside(x) ? of.get(x)! : 0), 0);
    const measure = (n: Node): void => {
      const parts = [...new Set(n.inputs)].map((x) => (inside(x) ? cost.get(x)! : 1));
      const all = n.op === "concat" ? parts.reduce((a, b) => Math.max(a, b), 0) : parts.reduce((a, b) => a + b, 0);
      cost.set(n, traits[n.op].cost + all);
      depth.set(n, deepest(n, depth) + 1);
      reshapes.set(n, deepest(n, reshapes) + (n.op === "reshape" ? 1 : 0));
    };
    const limits: [Map<Node, number>, number][] = [
      [cost, expressionLimit],
      [depth, depthLimit],
      [reshapes, reshapeLimit],
    ];
    for (const n of this.order) {
      measure(n);
      for (const [of, limit] of limits) {
        while (of.get(n)! > limit && n.op !== "buffer" && !this.buffered.has(n)) this.#cut(n, of, inside, measure);
      }
      const inner = cost.get(n)! - traits[n.op].cost;
      if (n.op !== "expand" || inner < recomputeLimit || growth(n) < 4) continue;
      const small = unspread(n);
      if (small.op === "buffer" || isView(small)) continue;
      this.buffered.add(small);
      for (let at = n.inputs[0]; at !== small; at = at.inputs[0]) measure(at);
      measure(n);
    }
    return cost;
  }

  /** Buffers the smallest value along the costliest chain below a node, at least halfway up, and measures again what is above. */
  #cut(n: Node, of: Map<Node, number>, inside: (x: Node) => boolean, measure: (n: Node) => void): void {
    const chain = [n];
    for (let at: Node | undefined = n; at !== undefined; ) {
      const inputs: Node[] = at.inputs.filter((x) => inside(x) && x.op !== "buffer" && 2 * of.get(x)! >= of.get(n)!);
      at = inputs.reduce<Node | undefined>((best, x) => (best && of.get(best)! >= of.get(x)! ? best : x), undefined);
      if (at !== undefined) chain.push(at);
    }
    const smallest = chain.reduce((best, x) => (sizeOf(x.shape) < sizeOf(best.shape) ? x : best));
    this.buffered.add(smallest);
    for (const above of chain.slice(0, chain.indexOf(smallest)).reverse()) measure(above);
  }

  /** Buffers values that several kernels need and that cost more to recompute than to read back. */
  #shareForks(cost: Map<Node, number>): void {
    this.#eachFork((n) => isCore(n)); // what is computed from it need not be kept on its account
    this.#bufferMoved(); // nor on account of what another kernel computes in between
    const holdsCore = new Set<Node>();
    for (const n of this.order)
      if (isCore(n) || (!moves(n) && n.inputs.some((x) => holdsCore.has(x) && !this.buffered.has(x)))) holdsCore.add(n);
    const kept = this.#eachFork((n) => holdsCore.has(n) || cost.get(n)! > recomputeLimit);
    for (const n of this.order) if (kept.has(n) && this.#followsFromOne(n)) this.buffered.delete(n);
  }

  /** Buffers what comes of a reduction where another, or a rearranging view, follows: that takes a kernel of its own. */
  #bufferMoved(): void {
    const reduces = (n: Node): boolean => traits[n.op].class === "reduction";
    const holds = new Set<Node>();
    for (const n of this.order) {
      const reduced = n.inputs.filter((x) => holds.has(x) && !this.buffered.has(x));
      if (isCore(n) || moves(n)) for (const x of reduced) this.buffered.add(x);
      if (reduces(n) || (!isCore(n) && !moves(n) && reduced.length > 0)) holds.add(n);
    }
  }

  /** Whether an element follows, in a few instructions, from one element of another value that is kept, and from smaller values. */
  #followsFromOne(n: Node): boolean {
    const seen = new Set<Node>([n]);
    const open = [n];
    let cost = 0;
    let large = 0;
    for (let m = open.pop(); m !== undefined; m = open.pop()) {
      if (isCore(m) || m.op === "concat" || (cost += traits[m.op].cost) > recomputeOfOne) return false;
      for (const x of m.inputs) {
        if (seen.has(x)) continue;
        seen.add(x);
        if (x.op !== "buffer" && !this.buffered.has(x)) open.push(x);
        else if (2 * sizeOf(x.shape) > sizeOf(n.shape)) large++;
      }
    }
    return large <= 1;
  }

  /** Buffers the values that several kernels need, users before inputs, where `keep` says so; returns those. */
  #eachFork(keep: (n: Node) => boolean): Set<Node> {
    const kept = new Set<Node>();
    const kernelsOf = new Map<Node, Set<Node>>();
    for (const n of [...this.order].reverse()) {
      const kernels = new Set<Node>();
      for (const user of this.users.get(n) ?? []) {
        if (this.buffered.has(user)) kernels.add(user);
        else for (const k of kernelsOf.get(user)!) kernels.add(k);
      }
      kernelsOf.set(n, kernels);
      const fork = (this.users.get(n)?.length ?? 0) > 1 && kernels.size > 1;
      if (!fork || n.op === "buffer" || n.op === "const" || this.buffered.has(n) || !keep(n)) continue;
      this.buffered.add(n);
      kept.add(n);
    }
    return kept;
  }

  /** Buffers the values with the most operands where a kernel would read more buffers than it may have beside its result; whether there are any. */
  #limitBuffers(): boolean {
    const most = this.options.mostBuffers - 1;
    if (!Number.isFinite(most)) return false;
    const before = this.buffered.size;
    const readsOf = new Map<Node, ReadonlySet<Node>>();
    const inside = (x: Node): boolean => x.op !== "buffer" && !this.buffered.has(x);
    const gather = (n: Node): ReadonlySet<Node> =>
      new Set(n.inputs.flatMap((x) => (inside(x) ? [...readsOf.get(x)!] : [x])));
    for (const n of this.order) {
      let reads = gather(n);
      while (reads.size > most && n.op !== "concat") {
        const size = (x: Node): number => readsOf.get(x)!.size;
        const widest = n.inputs.filter((x) => inside(x) && size(x) > 1).sort((a, b) => size(b) - size(a))[0];
        if (widest === undefined)
          throw new RangeError(`${n.op}: it reads ${reads.size} buffers, more than the ${most} that the device allows`);
        this.buffered.add(widest);
        reads = gather(n);
      }
      readsOf.set(n, reads);
    }
    return this.buffered.size > before;
  }

  /** At most one reduction or contraction inside a kernel, and none below a rearranging view, or one whose axes are no parts of its own. */
  #separateCores(): Map<Node, Node | undefined> {
    const carried = new Map<Node, Node | undefined>();
    const kernelsOf = this.#singleKernel();
    for (const n of this.order) {
      const cores = [...new Set(n.inputs.filter((x) => !this.buffered.has(x) && carried.get(x) !== undefined))];
      const cut = (x: Node): boolean => n.op === "reshape" && cutsAxes(carried.get(x)!.shape, n.shape);
      let core: Node | undefined;
      if (isCore(n) || moves(n) || cores.some(cut)) {
        for (const x of cores) this.buffered.add(x);
        core = isCore(n) ? n : undefined;
      } else {
        const kept = cores.find((x) => isContraction(carried.get(x)!)) ?? cores[0];
        for (const x of cores) if (carried.get(x) !== carried.get(kept)) this.buffered.add(x);
        core = kept === undefined ? undefined : carried.get(kept);
      }
      carried.set(n, core);
      if (core !== undefined && !this.buffered.has(n) && kernelsOf(n) > 1) this.buffered.add(n);
    }
    return carried;
  }

  /** Number of kernels that a node would be computed in, as things stand. */
  #singleKernel(): (n: Node) => number {
    return (n) => {
      const kernels = new Set<Node>();
      const seen = new Set<Node>();
      const visit = (m: Node): void => {
        for (const user of this.users.get(m) ?? []) {
          if (seen.has(user)) continue;
          seen.add(user);
          if (this.buffered.has(user)) kernels.add(user);
          else visit(user);
        }
      };
      if ((this.users.get(n)?.length ?? 0) > 1) visit(n);
      return kernels.size;
    };
  }

  groups(): Group[] {
    this.#require();
    const cost = this.#costs();
    this.#shareForks(cost);
    let carried = this.#separateCores();
    while (this.#limitBuffers()) carried = this.#separateCores();
    const groups: Group[] = [];
    for (const n of this.order) {
      if (!this.buffered.has(n) || this.#joined.has(n)) continue;
      const core = carried.get(n);
      const cores = core === undefined ? [] : [core];
      groups.push({ roots: [n], reads: this.#readsOf(n), cores, cost: cost.get(n)! });
    }
    return this.options.merge && this.options.fuse ? merge(groups, this.#joined, this.options.mostBuffers) : groups;
  }

  #readsOf(root: Node): Set<Node> {
    const reads = new Set<Node>();
    const seen = new Set<Node>();
    const visit = (n: Node): void => {
      for (const x of n.inputs) {
        if (x.op === "buffer" || this.buffered.has(x)) reads.add(x);
        else if (!seen.has(x)) {
          seen.add(x);
          visit(x);
        }
      }
    };
    visit(root);
    return reads;
  }
}

/** What a chain of views looks at: the node that needs a buffer so that the chain is only index arithmetic. */
function baseOf(x: Node, throughViews: boolean): Node {
  if (!throughViews || !isView(x)) return x;
  return x.op === "reshape" && x.inputs[0].op === "pad" ? x : baseOf(x.inputs[0], true);
}

/** What an expanded value is made of, before it was given the axes to expand. */
function unspread(n: Node): Node {
  return n.op === "expand" || n.op === "reshape" ? unspread(n.inputs[0]) : n;
}

const growth = (n: Node): number => n.shape.reduce((g, d, i) => g * (n.inputs[0].shape[i] === d ? 1 : d), 1);

/**
 * Inputs before users. Results and updates come in the order of what comes before them, so that each is computed when that is at hand
 * and need not be kept, an update after all that reads the old value, so that it can take its place. Of a node's inputs the one that
 * most comes before is first, so that what takes little, such as a value computed again for a derivative, is computed late.
 */
function sorted({ outputs, updates }: Prepared): Node[] {
  const height = new Map<Node, number>();
  const byHeight = new Map<Node, readonly Node[]>();
  const readers = new Map<number, Node[]>();
  const highest = (nodes: readonly Node[]): number => nodes.reduce((most, x) => Math.max(most, height.get(x)!), -1);
  const inputs = (n: Node): readonly Node[] => n.inputs;
  walk([...outputs, ...updates.map((u) => u.value)], inputs, (n) => {
    height.set(n, 1 + highest(n.inputs));
    byHeight.set(
      n,
      [...n.inputs].sort((a, b) => height.get(b)! - height.get(a)!),
    );
    if (isView(n)) return;
    for (const x of n.inputs) {
      const { op, leaf } = baseOf(x, true);
      if (op === "buffer") readers.set(leaf, [...(readers.get(leaf) ?? []), n]);
    }
  });
  const roots = [
    ...outputs.map((n) => [n]),
    ...updates.map(({ leaf, value }) => [...(readers.get(leaf) ?? []), value]),
  ].sort((a, b) => highest(a) - highest(b));
  const order: Node[] = [];
  walk(
    roots.flat(),
    (n) => byHeight.get(n)!,
    (n) => void order.push(n),
  );
  return order;
}

/** Visits what the roots depend on, once each, inputs first. */
function walk(roots: readonly Node[], inputsOf: (n: Node) => readonly Node[], visit: (n: Node) => void): void {
  const done = new Set<Node>();
  const stack: [Node, number][] = [];
  for (const root of roots) {
    if (!done.has(root)) stack.push([root, 0]);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const next = inputsOf(top[0])[top[1]++];
      if (next === undefined) {
        stack.pop();
        if (!done.has(top[0])) visit(top[0]);
        done.add(top[0]);
      } else if (!done.has(next)) stack.push([next, 0]);
    }
  }
}

/** Puts a group into an earlier one over the same shape, when all it reads is there by then and they share what they read. */
function merge(groups: readonly Group[], joined: Prepared["joined"], mostBuffers: number): Group[] {
  const merged: Group[] = [];
  const place = new Map<Node, number>();
  const ofShape = new Map<string, number[]>(); // positions in `merged`
  for (const group of groups) {
    const after = [...group.reads].flatMap((n) => joined.get(n) ?? []).map((part) => 1 + place.get(part)!);
    const earliest = Math.max(-1, ...[...group.reads].map((n) => place.get(n) ?? -1), ...after);
    const shape = group.roots[0].shape.join();
    const places = ofShape.get(shape) ?? [];
    const at = places.find((i) => i >= earliest && fits(merged[i], group, mostBuffers));
    if (at === undefined) {
      ofShape.set(shape, places);
      places.push(merged.length);
      place.set(group.roots[0], merged.length);
      merged.push(group);
      continue;
    }
    const host = merged[at];
    host.roots.push(...group.roots);
    for (const n of group.reads) if (!host.roots.includes(n)) host.reads.add(n);
    for (const c of group.cores) if (!host.cores.includes(c)) host.cores.push(c);
    host.cost += group.cost;
    for (const root of group.roots) place.set(root, at);
  }
  return merged;
}

/** Whether a group can be computed beside another over the same shape. */
function fits(host: Group, group: Group, mostBuffers: number): boolean {
  const [a, b] = [host.roots[0], group.roots[0]];
  if (ownKernels(a) || ownKernels(b) || host.cost + group.cost > expressionLimit) return false;
  const produced = [...group.reads].filter((n) => host.roots.includes(n));
  // of a small value, as the key of random numbers, nothing is spared: it would only be computed earlier, and kept for longer
  const shared = [...group.reads].some((n) => host.reads.has(n) && 2 * sizeOf(n.shape) > sizeOf(b.shape));
  if (produced.length === 0 && !shared) return false;
  if (new Set([...host.reads, ...group.reads, ...host.roots, ...group.roots]).size > mostBuffers) return false;
  if (!produced.every((n) => readInPlace(group, n))) return false;
  return (
    group.cores.length === 0 ||
    (host.cores.length > 0 && group.cores.every((c) => sameReduction(host.cores[0], c)) && produced.length === 0)
  );
}

function sameReduction(a: Node, b: Node): boolean {
  if (isContraction(a) || isContraction(b)) return false;
  return sameShape(a.inputs[0].shape, b.inputs[0].shape) && sameShape(argsOf(a, "sum").axes, argsOf(b, "sum").axes);
}

/** Whether a group reads a node at each element's own position only: no rearranging view or reduction lies between. */
function readInPlace(group: Group, target: Node): boolean {
  const seen = new Set<Node>();
  const visit = (n: Node, moved: boolean): boolean => {
    const away = moved || moves(n) || isCore(n);
    return n.inputs.every((x) => {
      if (x === target) return !away;
      if (group.reads.has(x) || (seen.has(x) && !away)) return true;
      seen.add(x);
      return visit(x, away);
    });
  };
  return visit(group.roots[0], false);
}

/** Puts scatterings that update the leaf they start from after all else, and marks those that can do so in place. */
function updatesLast(groups: readonly Group[], { updates }: Prepared): Group[] {
  const leafOf = new Map(updates.map(({ leaf, value }) => [value, leaf]));
  const read = new Set(groups.flatMap((g) => [...g.reads]));
  const own = ({ roots: [n] }: Group): boolean =>
    n.op === "scatterAdd" && n.inputs[2]?.op === "buffer" && n.inputs[2].leaf === leafOf.get(n) && !read.has(n);
  const [last, rest] = [groups.filter(own), groups.filter((g) => !own(g))];
  last.forEach((group, i) => {
    const [values, indices, base] = group.roots[0].inputs;
    const needed = last.slice(i + 1).some((g) => g.reads.has(base)) || values === base || indices === base;
    group.inPlace = !needed;
  });
  return [...rest, ...last];
}

export function schedule(prepared: Prepared, options: ScheduleOptions): Group[] {
  const groups = new Scheduler(prepared, options).groups();
  return options.inPlace ? updatesLast(groups, prepared) : groups;
}
