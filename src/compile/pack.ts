// Places for values of known lives and sizes, such that those that live together lie apart, in few bytes.

/** A value from the kernel that writes it to the last one that reads it, and where it lies. */
export interface Life {
  readonly from: number;
  until: number;
  readonly bytes: number;
  at: number;
}

/** How much more than what lives together at most is taken without a search for less. */
const enough = 1.02;
/** Values among which the search is made: it compares each with all. */
const mostSearched = 4096;

/** Gives each a place and returns the bytes that they take together. */
export function pack(lives: readonly Life[]): number {
  const size = inOrder(lives);
  if (size <= enough * mostTogether(lives) || lives.length > mostSearched) return size;
  const places = lives.map((l) => l.at);
  const smaller = largestFirst(lives);
  if (smaller < size) return smaller;
  lives.forEach((l, i) => void (l.at = places[i]));
  return size;
}

/** The most bytes that live at one time: no packing takes fewer. */
export function mostTogether(lives: readonly Life[]): number {
  const change = new Map<number, number>();
  const add = (at: number, bytes: number): void => void change.set(at, (change.get(at) ?? 0) + bytes);
  for (const { from, until, bytes } of lives) {
    add(from, bytes);
    add(until + 1, -bytes);
  }
  let [now, most] = [0, 0];
  for (const [, bytes] of [...change].sort((a, b) => a[0] - b[0])) most = Math.max(most, (now += bytes));
  return most;
}

/** Each, in the order in which they are written, at the first place that is free then. */
function inOrder(lives: readonly Life[]): number {
  const taken: Life[] = []; // sorted by place
  let size = 0;
  let now = -1;
  for (const life of lives) {
    if (life.from !== now) {
      now = life.from;
      let kept = 0;
      for (const t of taken) if (t.until >= now) taken[kept++] = t;
      taken.length = kept;
    }
    let at = 0;
    let before = 0;
    for (; before < taken.length && taken[before].at - at < life.bytes; before++)
      at = Math.max(at, taken[before].at + taken[before].bytes);
    life.at = at;
    taken.splice(before, 0, life);
    size = Math.max(size, at + life.bytes);
  }
  return size;
}

/** The largest first, each at the lowest place that is free for as long as it lives (Pisarchyk & Lee, 2020). */
function largestFirst(lives: readonly Life[]): number {
  const placed: Life[] = []; // sorted by place
  let size = 0;
  for (const life of [...lives].sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    let at = 0;
    for (const other of placed) {
      if (other.until < life.from || other.from > life.until) continue;
      if (other.at - at >= life.bytes) break;
      at = Math.max(at, other.at + other.bytes);
    }
    life.at = at;
    const after = placed.findIndex((other) => other.at > at);
    placed.splice(after < 0 ? placed.length : after, 0, life);
    size = Math.max(size, at + life.bytes);
  }
  return size;
}
