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
  /** The device's copy, current unless undefined. */
  resident: Residence | undefined;
  #host: Data | undefined;
  /** Makes the elements that it starts from, when they are first asked for. */
  #start: (() => Data) | undefined;

  constructor(dtype: DType, size: number, host?: Data | (() => Data)) {
    this.dtype = dtype;
    this.size = size;
    if (typeof host === "function") this.#start = host;
    else this.#host = host;
  }

  /** The host's copy, current unless undefined. */
  get host(): Data | undefined {
    if (this.#start !== undefined) this.host = this.#start();
    return this.#host;
  }

  set host(data: Data | undefined) {
    this.#host = data;
    this.#start = undefined;
  }
}
