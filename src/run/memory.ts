// Where leaves live: moves storages between the host and devices, and frees device memory that no tensor refers to any more.
import { type Backend, OutOfMemory } from "../backend/backend.ts";
import { type Data, type DType, type Residence, type Shape, type Storage, sizeOf } from "../graph/internal.ts";

const forgotten = new FinalizationRegistry<Residence>((place) => place.free());

/** Bytes of fresh results after which a pause is made for forgotten ones to be freed. */
const pauseAfter = 256 * 2 ** 20;
let fresh = 0;

/**
 * Counts bytes of fresh results. A loop that only awaits finished promises never lets finalizers run, and the collector does
 * not see device memory: once much has been handed out, this frees what is forgotten.
 */
export async function pauseIfMany(bytes: number): Promise<void> {
  fresh += bytes;
  if (fresh >= pauseAfter) await collect();
}

/** Runs, and where the device's memory does not suffice, frees what is forgotten and runs once more. */
export async function withMemory<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof OutOfMemory)) throw error;
  }
  await pause(); // references taken in this turn of the event loop last until its end
  await collect();
  return run();
}

/** Collects garbage (in Node, as a debugger would) and lets finalizers run. */
async function collect(): Promise<void> {
  fresh = 0;
  const builtin = globalThis.process?.getBuiltinModule;
  if (builtin !== undefined) {
    const finalized = new Promise<void>((free) => forgotten.register({}, { free } as Residence)); // forgotten as of now
    const session = new (builtin("node:inspector").Session)();
    session.connect();
    await new Promise<unknown>((resolve) => session.post("HeapProfiler.collectGarbage", resolve));
    session.disconnect();
    await Promise.race([finalized, pause(100)]); // finalizers are a task of their own, some turns later
  }
  await pause();
}

const pause = (ms?: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Addresses of fresh memory for values, filled by `fill`; should anything fail, all of it is given back. */
export async function allocateAll(
  backend: Backend,
  values: readonly { readonly dtype: DType; readonly shape: Shape }[],
  fill: (addresses: readonly number[]) => void | Promise<void> = () => {},
): Promise<number[]> {
  const addresses: number[] = [];
  try {
    for (const { dtype, shape } of values) addresses.push(backend.allocate(dtype, sizeOf(shape)));
    const filled = fill(addresses);
    if (filled !== undefined) await filled;
  } catch (error) {
    for (const address of addresses) backend.free(address);
    throw error;
  }
  return addresses;
}

function residence(backend: Backend, address: number): Residence {
  let held = true;
  const free = (): void => {
    if (held) backend.free(address);
    held = false;
  };
  return { device: backend, address, free };
}

/** The storage's address on the backend, moving or uploading its elements first if needed. */
export function addressOn(backend: Backend, storage: Storage): number | Promise<number> {
  const place = storage.resident;
  if (place?.device === backend) return place.address;
  const data = hostData(storage);
  return data instanceof Promise ? data.then((d) => upload(backend, storage, d)) : upload(backend, storage, data);
}

function upload(backend: Backend, storage: Storage, data: Data): number {
  fresh += data.byteLength;
  settle(storage, backend, backend.allocate(storage.dtype, storage.size));
  backend.write(storage.resident!.address, data);
  return storage.resident!.address;
}

/** Makes an address the storage's only copy; the storage owns it from now on. */
export function settle(storage: Storage, backend: Backend, address: number): void {
  evict(storage);
  storage.resident = residence(backend, address);
  storage.host = undefined;
  forgotten.register(storage, storage.resident, storage);
}

/** Frees the storage's device memory, if any; its host copy must be current. */
function evict(storage: Storage): void {
  if (storage.resident === undefined) return;
  forgotten.unregister(storage);
  storage.resident.free();
  storage.resident = undefined;
}

/** The elements on the host: the storage's own array where it has one (do not write to it), else a fresh copy. */
export function hostData(storage: Storage): Data | Promise<Data> {
  if (storage.resident === undefined) {
    if (storage.host === undefined)
      throw new Error(
        "tensor: it has no value (disposed of, made within shapesOnly and not loaded, or a step's input outside its step)",
      );
    return storage.host;
  }
  return (storage.resident.device as Backend).read(storage.resident.address, storage.dtype, storage.size);
}

/** Replaces the elements; the array is not copied and belongs to the storage from now on. */
export function overwriteStorage(storage: Storage, data: Data): void {
  const place = storage.resident;
  if (place === undefined) storage.host = data;
  else (place.device as Backend).write(place.address, data);
}
