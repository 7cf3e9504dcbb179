// Where leaves live: moves storages between the host and devices, and frees device memory that no tensor refers to any more.
import type { Backend } from "../backend/backend.ts";
import type { Data, Residence, Storage } from "../graph/internal.ts";

const forgotten = new FinalizationRegistry<Residence>((place) => place.free());

/** Bytes of fresh results after which a pause is made for forgotten ones to be freed. */
const pauseAfter = 256 * 2 ** 20;
let fresh = 0;

/**
 * Counts bytes of fresh results. A loop that only awaits finished promises never lets finalizers run, and the collector does
 * not see device memory: once much has been handed out, this collects (where Node allows it) and lets them run.
 */
export async function pauseIfMany(bytes: number): Promise<void> {
  fresh += bytes;
  if (fresh < pauseAfter) return;
  fresh = 0;
  const builtin = globalThis.process?.getBuiltinModule;
  if (builtin !== undefined) {
    builtin("node:v8").setFlagsFromString("--expose-gc");
    builtin("node:vm").runInNewContext("gc")();
  }
  await new Promise((resolve) => setTimeout(resolve));
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
export function addressOn(backend: Backend, storage: Storage): number {
  const place = storage.resident;
  if (place?.device === backend) return place.address;
  const data = hostData(storage);
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
export function hostData(storage: Storage): Data {
  if (storage.resident === undefined) {
    if (storage.host === undefined)
      throw new Error("tensor: it has no value (disposed of, or a step's input outside its step)");
    return storage.host;
  }
  return (storage.resident.device as Backend).read(storage.resident.address, storage.dtype, storage.size);
}

/** Replaces the elements; the array is not copied and belongs to the storage from now on. */
export function overwrite(storage: Storage, data: Data): void {
  const place = storage.resident;
  if (place === undefined) storage.host = data;
  else (place.device as Backend).write(place.address, data);
}
