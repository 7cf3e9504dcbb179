// Where in a value an expression looks: what views vanish into.
import { stridesOf } from "../graph/internal.ts";
import { flatten, type Index, unflatten } from "./affine.ts";
import type { Guard } from "./kernel.ts";

/** Where in a node's value an expression looks, as coordinates or as a flat position, whichever is at hand. */
export class Place {
  readonly shape: readonly number[];
  readonly guards: readonly Guard[];
  #coords: Index[] | undefined;
  #flat: Index | undefined;

  constructor(shape: readonly number[], at: { coords?: Index[]; flat?: Index }, guards: readonly Guard[]) {
    this.shape = shape;
    this.guards = guards;
    this.#coords = at.coords;
    this.#flat = at.flat;
  }

  get coords(): Index[] {
    this.#coords ??= unflatten(this.#flat!, this.shape, this.guards);
    return this.#coords;
  }
  get flat(): Index {
    this.#flat ??= flatten(this.#coords!, stridesOf(this.shape));
    return this.#flat;
  }
  get key(): string {
    return `${this.flat.key}${this.guards.map((g) => ` ${g.index.key}<${g.size}${g.unseen ? "?" : ""}`).join("")}`;
  }
  /** The same flat position in another shape. */
  reshaped(shape: readonly number[]): Place {
    return new Place(shape, { flat: this.flat }, this.guards);
  }
  moved(shape: readonly number[], coords: Index[], guards: readonly Guard[] = this.guards): Place {
    return new Place(shape, { coords }, guards);
  }
}
