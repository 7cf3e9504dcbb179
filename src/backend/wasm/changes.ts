// When what lies at an address last changed, and who has to know that it is gone.
export class Changes {
  #now = 0;
  readonly #last = new Map<number, number>();
  readonly #watchers = new Map<number, Set<() => void>>();

  /** What lies at an address has changed, or is about to. */
  at(address: number): void {
    this.#last.set(address, ++this.#now);
  }

  /** The address is given back. */
  forget(address: number): void {
    this.#last.delete(address);
    const watchers = this.#watchers.get(address);
    this.#watchers.delete(address);
    for (const gone of watchers ?? []) gone();
  }

  /** The latest change at any of some addresses; what is not known has just changed. */
  latest(addresses: readonly number[]): number {
    return addresses.reduce((last, a) => Math.max(last, this.#last.get(a) ?? ++this.#now), 0);
  }

  /** Calls `gone` when the address is given back, or memory runs short. */
  watch(address: number, gone: () => void): void {
    let watchers = this.#watchers.get(address);
    if (watchers === undefined) this.#watchers.set(address, (watchers = new Set()));
    watchers.add(gone);
  }

  unwatch(address: number, gone: () => void): void {
    const watchers = this.#watchers.get(address);
    watchers?.delete(gone);
    if (watchers?.size === 0) this.#watchers.delete(address);
  }

  /** Memory has run short: whoever can do without some gives it back. */
  runShort(): void {
    const watchers = new Set([...this.#watchers.values()].flatMap((set) => [...set]));
    for (const gone of watchers) gone();
  }
}
