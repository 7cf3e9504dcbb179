// Trees: what compiled functions take and give, tensors in arrays and plain objects among values that are part of the trace.
import { kindOf, type Leaf, Tensor } from "../graph/internal.ts";

/**
 * Tensors in any nesting of arrays and plain objects. All else is a constant of the trace: numbers, strings, booleans, bigints, null,
 * undefined and short typed arrays by value; functions and objects of a class by identity, as they are when the trace is made.
 */
export type Tree = unknown;

/** Which side of a function a tree stands on; errors say so. */
type Side = "argument" | "result";

/** Longer typed arrays are not constants, which another value would trace anew. */
const mostElements = 1024;
/** Deeper trees are refused rather than overflow the stack. */
const mostLevels = 500;

/** Collects the tensors of a tree in order, and describes the tree: one line for each part, with its path. */
export function flatten(tree: Tree, tensors: Tensor[], side: Side = "argument"): string[] {
  const lines: string[] = [];
  const holders: Tree[] = [];
  const visit = (part: Tree, path: string): void => {
    if (part instanceof Tensor) tensors.push(part);
    if (!isBranch(part)) {
      lines.push(`${path} ${describe(part, `${side} ${path}`.trimEnd())}`);
      return;
    }
    if (holders.includes(part)) throw new TypeError(`compile: ${side} ${path} contains itself`);
    if (holders.length === mostLevels) {
      const [place] = path.split(".", 1);
      throw new TypeError(
        `compile: ${side} ${place} nests deeper than ${mostLevels} levels (pass one array of its parts)`,
      );
    }
    const keys = keysOf(part);
    lines.push(`${path} ${Array.isArray(part) ? `array of ${keys.length}` : `object of ${JSON.stringify(keys)}`}`);
    holders.push(part);
    for (const key of keys) visit(part[key], below(path, key));
    holders.pop();
  };
  visit(tree, "");
  return lines;
}

/** The tree with its tensors replaced in the order of flatten. */
export function replace(tree: Tree, next: (t: Tensor) => Tensor): Tree {
  if (tree instanceof Tensor) return next(tree);
  if (Array.isArray(tree)) return Array.from(tree, (t) => replace(t, next));
  return isBranch(tree) ? Object.fromEntries(keysOf(tree).map((k) => [k, replace(tree[k], next)])) : tree;
}

/**
 * Refuses tensors where flatten does not look, in objects of a class, Maps and Sets: values that a later call would not see
 * change, or that a result would not have. Parameters and states of a module may be there.
 */
export function refuseHidden(tree: Tree, side: Side): void {
  const stays = (t: Tensor): boolean => {
    const role = t.op === "buffer" ? (t.args as Leaf).role : "input";
    return role !== "input" && (role !== "data" || side === "result");
  };
  const [open, hidden] = [new Set<unknown>(), new Set<unknown>()]; // what is seen in plain view may lie elsewhere too
  const rest: { value: unknown; path: string; holder?: object }[] = [{ value: tree, path: "" }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { value, path, holder } = next;
    const seen = holder === undefined ? open : hidden;
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Tensor) {
      if (holder === undefined || stays(value)) continue;
      const place = path === "" ? "" : ` at ${path}`;
      throw new TypeError(
        `compile: a tensor${place} of the ${side}s lies in ${kindOf(holder)}; put it in plain objects and arrays`,
      );
    }
    const plain = new Set<unknown>(isBranch(value) ? keysOf(value) : []);
    for (const [key, part] of partsOf(value))
      rest.push({ value: part, path: below(path, String(key)), holder: plain.has(key) ? holder : value });
  }
}

/** What an object holds, without running code of its own: its properties that are not computed, entries of a Map or Set. */
function* partsOf(value: object): Generator<[key: string | number | symbol, part: unknown]> {
  for (const key of Reflect.ownKeys(value)) yield [key, Object.getOwnPropertyDescriptor(value, key)?.value];
  if (!(value instanceof Map || value instanceof Set)) return;
  let i = 0;
  for (const [key, part] of value.entries()) {
    yield [typeof key === "string" ? key : i, part];
    i++;
  }
}

const below = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** Whether flatten goes on into its parts: an array or a plain object. */
function isBranch(tree: unknown): tree is Readonly<Record<string, unknown>> {
  if (typeof tree !== "object" || tree === null) return false;
  if (Array.isArray(tree)) return true;
  const prototype = Object.getPrototypeOf(tree);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The parts of a branch; an array has no others than its elements. */
const keysOf = (branch: object): string[] =>
  Array.isArray(branch) ? Array.from(branch, (_, i) => String(i)) : Object.keys(branch);

/** A tensor's form, or a constant of the trace: its value, or which object it is. */
function describe(value: unknown, place: string): string {
  if (value instanceof Tensor) return `${value.dtype}[${value.shape}]`;
  if (value instanceof Promise) throw new TypeError(`compile: ${place} is a Promise (await it first)`);
  if (typeof value === "symbol") throw new TypeError(`compile: ${place} is a symbol (pass a string)`);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const { length } = value as Int8Array;
    if (length > mostElements) {
      throw new TypeError(
        `compile: ${place} is ${kindOf(value)} of ${length} elements, a constant that another one would trace anew (pass tensor(…))`,
      );
    }
    return `${kindOf(value)} ${Array.from(value as Int8Array, exact)}`;
  }
  if (typeof value === "function" || (typeof value === "object" && value !== null))
    return `${kindOf(value)} (number ${identity(value)})`;
  return `${typeof value} ${JSON.stringify(exact(value))}`;
}

const exact = (value: unknown): string => (Object.is(value, -0) ? "-0" : String(value));

const identities = new WeakMap<object, number>();
let objects = 0;

/** A number for each object: a trace made with one is not replayed for another. */
function identity(object: object): number {
  let id = identities.get(object);
  if (id === undefined) identities.set(object, (id = objects++));
  return id;
}
