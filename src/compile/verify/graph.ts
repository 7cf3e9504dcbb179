// Checks of the first two passes: the prepared graph obeys the primitive table, and its groups compute every value once, in order.
import { argsOf, type Node, rules, sameShape, show, sizeOf, type Trace, traits } from "../../graph/internal.ts";
import type { Prepared } from "../1-prepare.ts";
import type { Group } from "../2-schedule.ts";
import { fault, named } from "./fault.ts";

/** Nodes below the results, inputs first. Throws where the graph has a cycle, or two nodes share an id (lowering tells them apart by it). */
function nodesOf(prepared: Prepared): Node[] {
  const state = new Map<Node, "open" | "done">();
  const byId = new Map<number, Node>();
  const nodes: Node[] = [];
  const stack: [Node, number][] = [...prepared.outputs, ...prepared.updates.map((u) => u.value)].map((n) => [n, 0]);
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    const [node] = top;
    if (state.get(node) === "done") {
      stack.pop();
      continue;
    }
    state.set(node, "open");
    const next = node.inputs[top[1]++];
    if (next === undefined) {
      stack.pop();
      state.set(node, "done");
      const other = byId.get(node.id);
      if (other !== undefined) fault("prepare", `${named(node)} and ${named(other)} share an id`);
      byId.set(node.id, node);
      nodes.push(node);
    } else if (state.get(next) === "open") fault("prepare", `${named(next)} is computed from itself`);
    else if (state.get(next) === undefined) stack.push([next, 0]);
  }
  return nodes;
}

/** The graph is closed, every node has the shape and dtype that its operation gives, results are the trace's, joins are tiled by their parts. */
export function verifyPrepared(trace: Trace, prepared: Prepared): void {
  const nodes = nodesOf(prepared);
  for (const node of nodes) {
    if (node.op === "buffer") checkLeaf(trace, node);
    else if (!prepared.joined.has(node)) checkRule(node);
    if (node.op !== "buffer" && node.leaf !== -1) fault("prepare", `${named(node)} has a leaf, ${node.leaf}`);
    if (node.op === "buffer" && prepared.kept.has(node)) fault("prepare", `the leaf ${named(node)} is to be kept`);
  }
  checkResults(trace, prepared);
  checkJoins(prepared);
}

function checkLeaf({ leaves }: Trace, node: Node): void {
  const leaf = leaves[node.leaf];
  if (leaf === undefined) fault("prepare", `${named(node)} is bound at leaf ${node.leaf} of ${leaves.length}`);
  if (!sameShape(leaf.shape, node.shape) || leaf.dtype !== node.dtype)
    fault("prepare", `${named(node)} is bound at leaf ${node.leaf}, a leaf ${leaf.dtype} ${show(leaf.shape)}`);
}

function checkRule(node: Node): void {
  const { op } = node;
  if (op === "buffer" || op === "const") return;
  if (op === "iota") {
    const { axis } = argsOf(node, "iota");
    if (node.dtype !== "i32" || !(axis >= 0 && axis < node.shape.length))
      fault("prepare", `${named(node)} counts along axis ${axis} as i32`);
    return;
  }
  if (op === "random") {
    const [key] = node.inputs;
    if (node.dtype !== "i32" || key?.dtype !== "i32" || sizeOf(key.shape) !== 2)
      fault("prepare", `${named(node)} needs two words of i32 as its key`);
    return;
  }
  let meta: { shape: readonly number[]; dtype: string };
  try {
    meta = (rules[op] as (inputs: readonly Node[], args: unknown, op: string) => typeof meta)(
      node.inputs,
      node.args,
      op,
    );
  } catch (error) {
    return fault("prepare", `${named(node)}: ${(error as Error).message}`);
  }
  if (!sameShape(meta.shape, node.shape) || meta.dtype !== node.dtype)
    fault("prepare", `${named(node)} should be ${meta.dtype} ${show(meta.shape)}`);
}

/** Results stand for those of the trace, each with a node, and so a buffer, of its own. */
function checkResults(trace: Trace, { outputs, updates, kept, joined }: Prepared): void {
  const taken = new Set<Node>([...joined.keys(), ...[...joined.values()].flat()]);
  const check = (node: Node, wanted: Node | undefined): void => {
    if (wanted === undefined || !sameShape(node.shape, wanted.shape) || node.dtype !== wanted.dtype)
      fault("prepare", `the result ${named(node)} stands for ${wanted ? named(wanted) : "none of the trace"}`);
    if (node.op === "buffer" || taken.has(node)) fault("prepare", `the result ${named(node)} has no buffer of its own`);
    if (!kept.has(node)) fault("prepare", `the result ${named(node)} is not kept`);
    taken.add(node);
  };
  if (outputs.length !== trace.outputs.length || updates.length !== trace.updates.length)
    fault("prepare", `${outputs.length} outputs and ${updates.length} updates of a trace with others`);
  outputs.forEach((n, i) => {
    check(n, trace.outputs[i]);
  });
  updates.forEach(({ leaf, value }, i) => {
    if (leaf !== trace.updates[i].leaf) fault("prepare", `update ${i} goes to leaf ${leaf}`);
    check(value, trace.updates[i].value);
  });
}

/** Parts have one place each, and fill the whole. */
function checkJoins({ joined, kept }: Prepared): void {
  const placed = new Set<Node>();
  for (const [whole, parts] of joined) {
    const size = parts.reduce((n, p) => n + sizeOf(p.shape), 0);
    if (size !== sizeOf(whole.shape))
      fault("prepare", `the parts of ${named(whole)} have ${size} elements, it has ${sizeOf(whole.shape)}`);
    for (const part of [whole, ...parts]) {
      if (part.dtype !== whole.dtype) fault("prepare", `${named(part)} is a part of ${named(whole)}`);
      if (placed.has(part)) fault("prepare", `${named(part)} has two places in joined values`);
      if (!kept.has(part)) fault("prepare", `${named(part)}, a part of the joined ${named(whole)}, is not kept`);
      placed.add(part);
    }
    if (whole.inputs.length !== parts.length || parts.some((p, i) => p !== whole.inputs[i]))
      fault("prepare", `${named(whole)} is not made from its parts`);
  }
}

/** Every value that is read or is a result is computed by one group, after what it reads. */
export function verifyGroups(prepared: Prepared, groups: readonly Group[]): void {
  const place = new Map<Node, { group: number; root: number }>();
  groups.forEach((g, group) => {
    g.roots.forEach((n, root) => {
      if (place.has(n)) fault("schedule", `${named(n)} is computed by two groups`);
      place.set(n, { group, root });
    });
  });
  const parts = (n: Node): readonly Node[] => prepared.joined.get(n)?.flatMap(parts) ?? [n];
  for (const n of [...prepared.outputs, ...prepared.updates.map((u) => u.value)].flatMap(parts))
    if (!place.has(n)) fault("schedule", `no group computes the result ${named(n)}`);
  groups.forEach((group, at) => {
    for (const n of group.reads)
      for (const part of n.op === "buffer" ? [] : parts(n)) {
        const from = place.get(part);
        const what = part === n ? named(n) : `${named(part)}, a part of ${named(n)}`;
        if (from === undefined)
          fault("schedule", `group ${at} (${named(group.roots[0])}) reads ${what}, which no group computes`);
        if (from.group >= at)
          fault("schedule", `group ${at} (${named(group.roots[0])}) reads ${what}, which group ${from.group} computes`);
      }
    checkGroup(prepared, group, at);
  });
}

const isCore = ({ op }: Node): boolean => traits[op].class === "reduction" || traits[op].class === "contraction";

/** What a group computes inside: from what it reads and nothing else, with its reductions side by side. */
function checkGroup({ joined }: Prepared, group: Group, at: number): void {
  const size = (n: Node): string => n.shape.join();
  for (const [i, root] of group.roots.entries()) {
    if (size(root) !== size(group.roots[0]))
      fault("schedule", `group ${at} computes ${named(group.roots[0])} and ${named(root)} over one shape`);
    const before = new Set(group.roots.slice(0, i));
    const seen = new Set<Node>();
    const visit = (n: Node, under: Node | undefined): void => {
      if (group.reads.has(n) || (n !== root && before.has(n)) || seen.has(n)) return;
      seen.add(n);
      const where = `inside group ${at} (${named(root)})`;
      if (n.op === "buffer") fault("schedule", `${named(n)} ${where} is not among its reads`);
      if (joined.has(n) || (n.op === "scatterAdd" && n !== root))
        fault("schedule", `${named(n)} ${where} needs a kernel of its own`);
      if (isCore(n)) {
        if (under !== undefined) fault("schedule", `${named(n)} ${where} is below another reduction, ${named(under)}`);
        if (!group.cores.includes(n)) fault("schedule", `${named(n)} ${where} is not among its reductions`);
      }
      for (const x of n.inputs) visit(x, isCore(n) ? n : under);
    };
    visit(root, undefined);
  }
}
