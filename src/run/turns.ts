// Turns: what changes or reads values on devices happens one thing after another, in the order in which it was asked for.

let last: Promise<unknown> | undefined;

/** Does the work once all that was asked for before is done; at once where nothing is under way and the work ends at once. */
export async function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
  const before = last;
  if (before === undefined) {
    const result = work();
    if (!(result instanceof Promise)) return result;
    return await follow(result);
  }
  return await follow(before.then(work));
}

/** Waits for work, which others wait for meanwhile; whether it fails is nothing to them. */
async function follow<T>(work: Promise<T>): Promise<T> {
  const mine = work.then(nothing, nothing);
  last = mine;
  try {
    return await work;
  } finally {
    if (last === mine) last = undefined;
  }
}

function nothing(): void {}
