// The memory behind a leaf: an array on the host, a place on a device, or both. The run room moves data between them.
import type { Data, DType } from "./dtype.ts";

/** Where a storage lives on a device. */
export interface Residence {
  readonly device: object;
  readonly address: number;
  /** Gives the memory back; further calls do nothing. */
  free(): void;
}

export class Storage {
  readonly dtype: DType;
  readonly size: number;
  /** The host's copy, current unless undefined. */
  host: Data | undefined;
  /** The device's copy, current unless undefined. */
  resident: Residence | undefined;

  constructor(dtype: DType, size: number, host?: Data) {
    this.dtype = dtype;
    this.size = size;
    this.host = host;
  }
}
