// What a program keeps from run to run, and when it has to be computed again.
import { slack } from "../../compile/5-plan.ts";
import type { Program } from "../../compile/program.ts";
import type { Machine } from "./machine.ts";

/** When what lies at an address last changed. */
export class Changes {
  #now = 0;
  readonly #last = new Map<number, number>();

  at(address: number): void {
    this.#last.set(address, ++this.#now);
  }

  forget(address: number): void {
    this.#last.delete(address);
  }

  /** The latest change at any of some addresses; what is not known has just changed. */
  latest(addresses: readonly number[]): number {
    return addresses.reduce((last, a) => Math.max(last, this.#last.get(a) ?? ++this.#now), 0);
  }
}

/** Addresses of leaves, and the latest change there. */
interface Source {
  readonly from: readonly number[];
  readonly at: number;
}

/** The values that a program keeps: their memory, and the state of the leaves that they were computed from. */
export class Kept {
  readonly #machine: Machine;
  readonly #changes: Changes;
  readonly #program: Program;
  #places: readonly number[] | undefined;
  /** What they follow from, at the last run that was completed, and at this one. */
  #made: Source | undefined;
  #next: Source | undefined;

  constructor(machine: Machine, changes: Changes, program: Program) {
    this.#machine = machine;
    this.#changes = changes;
    this.#program = program;
  }

  /** Bindings for a run with these leaves: the places of the values, and 1 where they have to be computed. Throws OutOfMemory. */
  bindings(leaves: readonly number[]): readonly number[] {
    const { kept, steady } = this.#program;
    this.#places ??= this.#allocate(kept);
    const from = steady.map((leaf) => leaves[leaf]);
    const made = this.#made;
    this.#next = { from, at: this.#changes.latest(from) };
    const same = made !== undefined && made.at === this.#next.at && from.every((a, i) => a === made.from[i]);
    this.#made = undefined; // should the run stop in the middle
    return [...this.#places, same ? 0 : 1];
  }

  /** The run has been completed. */
  done(): void {
    this.#made = this.#next;
  }

  free(): void {
    for (const place of this.#places ?? []) this.#machine.free(place);
  }

  #allocate(sizes: readonly number[]): number[] {
    const places: number[] = [];
    try {
      for (const bytes of sizes) places.push(this.#machine.alloc(bytes + slack));
    } catch (error) {
      for (const place of places) this.#machine.free(place);
      throw error;
    }
    return places;
  }
}
