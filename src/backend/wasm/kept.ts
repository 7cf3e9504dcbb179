// What a program keeps from run to run, and when it has to be computed again.
import { slack } from "../../compile/5-plan.ts";
import type { Frame } from "../../compile/program.ts";
import type { Changes } from "./changes.ts";
import type { Machine } from "./machine.ts";

/** Addresses of leaves, and the latest change there. */
interface Source {
  readonly from: readonly number[];
  readonly at: number;
}

/** The values that a program keeps: their memory, as long as the leaves that they follow from have theirs, and the state of those. */
export class Kept {
  readonly #machine: Machine;
  readonly #changes: Changes;
  readonly #frame: Frame;
  #places: readonly number[] | undefined;
  /** What they follow from, at the last run that was completed, and at this one. */
  #made: Source | undefined;
  #next: Source | undefined;
  #running = false;

  constructor(machine: Machine, changes: Changes, frame: Frame) {
    this.#machine = machine;
    this.#changes = changes;
    this.#frame = frame;
  }

  /** Bindings for a run with these leaves: the places of the values, and 1 where they have to be computed. Throws OutOfMemory. */
  bindings(leaves: readonly number[]): readonly number[] {
    const from = this.#frame.steady.map((leaf) => leaves[leaf]);
    const made = this.#made;
    const next = { from, at: this.#changes.latest(from) };
    const same = made !== undefined && made.at === next.at && from.every((a, i) => a === made.from[i]);
    if (!same) this.#watch(from);
    this.#made = undefined; // should the run stop in the middle
    this.#next = next;
    this.#running = true;
    this.#places ??= this.#allocate();
    return [...this.#places, same ? 0 : 1];
  }

  /** The run has ended; completed or not. */
  done(completed: boolean): void {
    this.#running = false;
    if (completed) this.#made = this.#next;
  }

  /** Gives the memory back; the next run computes the values again. */
  readonly free = (): void => {
    if (this.#running) return;
    this.#watch([]);
    this.#made = this.#next = undefined;
    for (const place of this.#places ?? []) this.#machine.free(place);
    this.#places = undefined;
  };

  #watch(from: readonly number[]): void {
    for (const address of this.#next?.from ?? []) this.#changes.unwatch(address, this.free);
    for (const address of from) this.#changes.watch(address, this.free);
  }

  #allocate(): number[] {
    const places: number[] = [];
    try {
      for (const bytes of this.#frame.kept) places.push(this.#machine.alloc(bytes + slack));
    } catch (error) {
      for (const place of places) this.#machine.free(place);
      throw error;
    }
    return places;
  }
}
