// What every module shares: its leaves found by walking own properties, their names, saving and loading them.
import { nameModule, type Padding, Tensor } from "../graph/index.ts";
import {
  allocate,
  type Data,
  type DType,
  fail,
  isFloat,
  kindOf,
  type Leaf,
  paddingOf,
  sameShape,
  show,
} from "../graph/internal.ts";
import { overwrite, read } from "../run/realize.ts";

/**
 * Anything with a forward pass: from one tensor to one tensor, which is what Sequential takes, unless its types say more,
 * e.g. `Layer<[x: Tensor, state: Tensor], [output: Tensor, state: Tensor]>`. Such layers are composed by a class whose
 * forward calls theirs.
 */
export interface Layer<Inputs extends readonly unknown[] = [x: Tensor], Output = Tensor> {
  forward(...inputs: Inputs): Output;
}

/** A tensor's elements on the host, as `stateDict` returns them. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Data;
}

/** What `load` takes: the host tensors of `stateDict` or of a file reader. */
export interface LoadableTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

/**
 * The objects and tensors below a root (module, array, plain object or Map), each once, with their paths, in the order of
 * their properties. Only own enumerable properties count: a tensor in a #private field stays unseen.
 */
export function* walk(root: object): Generator<[path: string, object: object]> {
  const seen = new Set<object>();
  function* visit(path: string, value: unknown): Generator<[string, object]> {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
    seen.add(value);
    yield [path, value];
    if (value instanceof Tensor) return;
    for (const [key, child] of childrenOf(value)) yield* visit(path === "" ? String(key) : `${path}.${key}`, child);
  }
  yield* visit("", root);
}

const childrenOf = (value: object): Iterable<[unknown, unknown]> =>
  value instanceof Map ? value.entries() : Object.entries(value);

const roleOf = (t: Tensor): Leaf["role"] | undefined => (t.op === "buffer" ? (t.args as Leaf).role : undefined);

/** The parameters and states of a model by name, e.g. "conv1.weight"; one that is shared has its first name. */
export function namedTensors(model: object): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [path, t] of walk(model)) {
    if (t instanceof Tensor && (roleOf(t) === "param" || roleOf(t) === "state")) found.set(path, t);
  }
  return found;
}

/** The trainable tensors of a model by name, each once. */
export function namedParameters(model: object): Map<string, Tensor> {
  return new Map([...namedTensors(model)].filter(([, t]) => roleOf(t) === "param"));
}

/** The trainable tensors of a model, each once. */
export const parameters = (model: object): Tensor[] => [...namedParameters(model).values()];

/** Gives the modules of a model the names that errors and probes use: their paths, e.g. `Linear "net.2"`. */
export function nameModules(model: object): void {
  for (const [path, module] of walk(model)) if (path !== "" && !(module instanceof Tensor)) nameModule(module, path);
}

/** Copies of all parameters and states by name, ready to be saved. */
export async function stateDict(model: object): Promise<Map<string, HostTensor>> {
  const result = new Map<string, HostTensor>();
  for (const [name, t] of namedTensors(model)) {
    result.set(name, { dtype: t.dtype, shape: t.shape, data: await read(t) });
  }
  return result;
}

/** Values that do not fit a model, one problem each; then nothing has been loaded. */
export class LoadError extends Error {
  override readonly name = "LoadError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`load: ${problems.join("; ")}`);
    this.problems = problems;
  }
}

/** A counter that PyTorch's batch norm saves and only its `momentum=None` reads. */
const isCounter = (name: string): boolean => /(^|\.)num_batches_tracked$/.test(name);

/**
 * Gives parameters and states the values of the same name, converted to their dtype: fractions are rounded to f32, all else
 * that the dtype cannot hold as it is (an integer, a fraction in i32, a number beyond its range) is refused.
 * A tensor that the model has under several names may be in the dictionary under any of them, with equal elements.
 * `strict` also refuses entries that the model lacks and values that the dictionary lacks (PyTorch's `num_batches_tracked`
 * may always be there). Throws a LoadError, one line that names every entry that does not fit, and then nothing has changed.
 */
export async function load(
  model: object,
  dict: ReadonlyMap<string, LoadableTensor>,
  { strict = true }: { strict?: boolean } = {},
): Promise<void> {
  if (typeof dict?.get !== "function") {
    const advice = dict instanceof Promise ? " (await it)" : Object(dict).tensors ? " (give its .tensors)" : "";
    throw new TypeError(`load: takes a Map of tensors by name, got ${kindOf(dict)}${advice}`);
  }
  const tensors = namedTensors(model);
  const named = entriesOf(model, tensors, dict);
  const problems: string[] = [];
  const found = new Map<Tensor, Data>();
  for (const [firstName, t] of tensors) {
    const names = named.get(t)!;
    if (strict && names.length === 0) problems.push(`"${firstName}" ${show(t.shape)} is missing`);
    for (const name of names) {
      const data = convert(dict.get(name)!, t);
      const first = found.get(t);
      if (typeof data === "string") problems.push(`"${name}" ${data}`);
      else if (first === undefined) found.set(t, data);
      else {
        const i = data.findIndex((value, at) => !Object.is(value, first[at]));
        if (i >= 0)
          problems.push(`"${names[0]}" and "${name}" differ at element ${i}, but are one tensor in the model`);
      }
    }
  }
  if (strict) {
    const placed = new Set([...named.values()].flat());
    for (const name of dict.keys())
      if (!placed.has(name) && !isCounter(name)) problems.push(`"${name}" is not in the model`);
  }
  if (problems.length > 0) throw new LoadError(problems);
  await overwrite(found); // what is assigned and not carried out yet is carried out first
}

/** For each tensor the names of its entries, its first name in the model before the others that it has there. */
function entriesOf(
  model: object,
  tensors: ReadonlyMap<string, Tensor>,
  dict: ReadonlyMap<string, unknown>,
): Map<Tensor, string[]> {
  const named = new Map([...tensors].map(([name, t]) => [t, dict.has(name) ? [name] : []]));
  for (const name of dict.keys()) {
    const other = tensors.has(name) ? undefined : tensorAt(model, name);
    if (other !== undefined) named.get(other)?.push(name);
  }
  return named;
}

/** The tensor that a path leads to, also where `walk` came to it by another one before. */
function tensorAt(value: unknown, path: string): Tensor | undefined {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Tensor) return;
  for (const [key, child] of childrenOf(value)) {
    if (path === String(key) && child instanceof Tensor) return child;
    const found = path.startsWith(`${key}.`) ? tensorAt(child, path.slice(String(key).length + 1)) : undefined;
    if (found !== undefined) return found;
  }
}

/** Dtypes of files whose arrays hold the elements as numbers; of f16 and smaller ones they hold bits. */
const loadable = ["f32", "f64", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"];

/** A copy of the entry's elements in the tensor's dtype, or the sentence that says why there is none. */
function convert({ dtype, shape, data }: LoadableTensor, t: Tensor): Data | string {
  if (!sameShape(shape, t.shape)) return `has shape ${show(shape)}, the model needs ${show(t.shape)}`;
  if (!loadable.includes(dtype)) return `is ${dtype}, which has no conversion to ${t.dtype} (widen it to f32 first)`;
  if (data.length !== t.size) return `has ${data.length} elements, its shape ${show(t.shape)} takes ${t.size}`;
  const copy = allocate(t.dtype, t.size);
  if (dtype === t.dtype && dtype !== "bool" && data.constructor === copy.constructor) {
    copy.set(data as ArrayLike<number>);
    return copy;
  }
  const rounds = (dtype === "f32" || dtype === "f64") && isFloat(t.dtype);
  for (let i = 0; i < copy.length; i++) {
    const value = data[i];
    const number = Number(value);
    copy[i] = number;
    const kept = t.dtype === "bool" ? number === 0 || number === 1 : same(value, copy[i]);
    if (!kept && !(rounds && Number.isFinite(copy[i]))) return `holds ${value} at element ${i}, which is no ${t.dtype}`;
  }
  return copy;
}

/** Whether a number is what was stored of it. */
const same = (value: number | bigint, stored: number): boolean =>
  typeof value === "bigint"
    ? BigInt(stored) === value
    : value === stored || (Number.isNaN(value) && Number.isNaN(stored));

/** Throws where a size that a layer is built from is not a whole number ≥ least. */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, value] of Object.entries(sizes)) {
    if (!Number.isInteger(value) || value < least)
      fail(layer, `${name} must be a whole number ≥ ${least}, got ${value}`);
  }
}

/** A size per spatial axis, as [height, width] of an image, or one for all. */
export type Sizes = number | readonly number[];

const axisNames = (rank: number): readonly string[] => ["depth", "height", "width"].slice(3 - rank);

/** One size per spatial axis, checked. */
export function sizesOf(layer: string, name: string, value: Sizes, rank: number, least = 1): readonly number[] {
  const list = typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  if (list.length !== rank)
    fail(layer, `${name} must be one number or [${axisNames(rank).join(", ")}], got ${show(list)}`);
  for (const size of list) checkSizes(layer, { [name]: size }, least);
  return list;
}

/** Padding of one number, [before, after] per spatial axis, or by name, checked; names wait for the image. */
export function checkPadding(layer: string, padding: Padding, rank: number): void {
  if (padding === "same" || padding === "valid") return;
  const zeros = new Array<number>(rank).fill(0);
  const pairs = paddingOf(layer, padding, zeros, zeros, zeros, zeros);
  if (pairs.length !== rank)
    fail(layer, `padding must be one number or one per axis, [${axisNames(rank).join(", ")}], got ${pairs.length}`);
  for (const width of pairs.flat()) checkSizes(layer, { padding: width }, 0);
}
