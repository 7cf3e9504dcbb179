// Trees: what compiled functions take and give, tensors in arrays and plain objects among values that are part of the trace.
import { kindOf, type Leaf, Tensor } from "../graph/internal.ts";

/**
 * Tensors in any nesting of arrays and plain objects. All else is a constant of the trace: numbers, strings, booleans, bigints, null,
 * undefined and short typed arrays by value; functions and objects of a class by identity, as they are when the trace is made.
 */
export type Tree = unknown;

/** Longer typed arrays are not constants, which another value would trace anew. */
const mostElements = 1024;

/** Collects the tensors of a tree in order, and describes the tree: one line for each part, with its path. */
export function flatten(tree: Tree, tensors: Tensor[], path = "", lines: string[] = []): string[] {
  if (tree instanceof Tensor) {
    tensors.push(tree);
    lines.push(`${path} ${tree.dtype}[${tree.shape}]`);
  } else if (isBranch(tree)) {
    const keys = Object.keys(tree);
    lines.push(Array.isArray(tree) ? `${path} array of ${tree.length}` : `${path} object of ${JSON.stringify(keys)}`);
    for (const key of keys) flatten(tree[key], tensors, path === "" ? key : `${path}.${key}`, lines);
  } else lines.push(`${path} ${describe(tree, path)}`);
  return lines;
}

/** The tree with its tensors replaced in the order of flatten. */
export function replace(tree: Tree, next: (t: Tensor) => Tensor): Tree {
  if (tree instanceof Tensor) return next(tree);
  if (Array.isArray(tree)) return tree.map((t) => replace(t, next));
  return isBranch(tree) ? Object.fromEntries(Object.keys(tree).map((k) => [k, replace(tree[k], next)])) : tree;
}

/**
 * Refuses tensors where flatten does not look, in objects of a class, Maps and Sets: values that a later call would not see
 * change, or that a result would not have. Parameters and states of a module may be there.
 */
export function refuseHidden(tree: Tree, what: "argument" | "result"): void {
  const stays = (t: Tensor): boolean => {
    const role = t.op === "buffer" ? (t.args as Leaf).role : "input";
    return role !== "input" && (role !== "data" || what === "result");
  };
  const seen = new Set<unknown>();
  const visit = (value: unknown, path: string, holder: object | undefined): void => {
    if (value instanceof Tensor) {
      if (holder !== undefined && !stays(value)) {
        const place = path === "" ? "" : ` at ${path}`;
        throw new TypeError(
          `compile: a tensor${place} of the ${what}s lies in ${kindOf(holder)}; put it in plain objects and arrays`,
        );
      }
    } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !seen.has(value)) {
      seen.add(value);
      const opaque = isBranch(value) ? holder : value;
      const iterable = value instanceof Map || value instanceof Set;
      for (const [key, part] of iterable ? value.entries() : Object.entries(value))
        visit(part, path === "" ? String(key) : `${path}.${String(key)}`, opaque);
    }
  };
  visit(tree, "", undefined);
}

/** Whether flatten goes on into its parts: an array or a plain object. */
function isBranch(tree: unknown): tree is Readonly<Record<string, unknown>> {
  if (typeof tree !== "object" || tree === null) return false;
  if (Array.isArray(tree)) return true;
  const prototype = Object.getPrototypeOf(tree);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A constant of the trace: its value, or which object it is. */
function describe(value: unknown, path: string): string {
  if (value instanceof Promise) throw new TypeError(`compile: argument ${path} is a Promise (await it first)`);
  if (typeof value === "function" || (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)))
    return `${kindOf(value)} (number ${identity(value)})`;
  if (!ArrayBuffer.isView(value))
    return Object.is(value, -0) ? "number -0" : `${typeof value} ${JSON.stringify(String(value))}`;
  const { length } = value as Int8Array;
  if (length > mostElements) {
    throw new TypeError(
      `compile: argument ${path} is ${kindOf(value)} of ${length} elements, a constant that another one would trace anew (pass tensor(…))`,
    );
  }
  return `${value.constructor.name} ${value}`;
}

const identities = new WeakMap<object, number>();
let objects = 0;

/** A number for each object: a trace made with one is not replayed for another. */
function identity(object: object): number {
  let id = identities.get(object);
  if (id === undefined) identities.set(object, (id = objects++));
  return id;
}
