// Where leaves live: moves storages between the host and devices, and frees device memory that no tensor refers to any more.
import type { Backend } from "../backend/backend.ts";
import type { Data, Residence, Storage } from "../graph/internal.ts";

const forgotten = new FinalizationRegistry<Residence>(({ device, address }) => (device as Backend).free(address));

/** The storage's address on the backend, moving or uploading its elements first if needed. */
export function addressOn(backend: Backend, storage: Storage): number {
  const place = storage.resident;
  if (place?.device === backend) return place.address;
  const data = hostData(storage);
  settle(storage, backend, backend.allocate(storage.dtype, storage.size));
  backend.write(storage.resident!.address, data);
  return storage.resident!.address;
}

/** Makes an address the storage's only copy; the storage owns it from now on. */
export function settle(storage: Storage, backend: Backend, address: number): void {
  evict(storage);
  storage.resident = { device: backend, address };
  storage.host = undefined;
  forgotten.register(storage, storage.resident, storage);
}

/** Frees the storage's device memory, if any; its host copy must be current. */
function evict(storage: Storage): void {
  if (storage.resident === undefined) return;
  forgotten.unregister(storage);
  (storage.resident.device as Backend).free(storage.resident.address);
  storage.resident = undefined;
}

/** The elements on the host: the storage's own array where it has one (do not write to it), else a fresh copy. */
export function hostData(storage: Storage): Data {
  if (storage.resident === undefined) {
    if (storage.host === undefined) throw new Error("a step's input was read outside its step");
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
