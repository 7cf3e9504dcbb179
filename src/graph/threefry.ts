// Threefry-2x32 (Salmon et al., 2011), written once: for numbers on the host and for the expressions of kernels.

/** The operations on 32-bit words that it takes. */
export interface Words<E> {
  constant(value: number): E;
  add(a: E, b: E): E;
  xor(a: E, b: E): E;
  /** Bits moved left, those that fall out come in on the right. */
  rotate(a: E, by: number): E;
}

/** Bits by which each of eight rounds rotates. */
const rotations: readonly number[] = [13, 15, 26, 6, 17, 29, 16, 24];
const rounds = 20;

/** Two words from a key and a counter. */
export function threefryOf<E>(
  { constant, add, xor, rotate }: Words<E>,
  [key0, key1]: readonly [E, E],
  [counter0, counter1]: readonly [E, E],
): [E, E] {
  const key = [key0, key1, xor(xor(key0, key1), constant(0x1bd11bda))];
  let x = add(counter0, key0);
  let y = add(counter1, key1);
  for (let round = 0; round < rounds; round++) {
    x = add(x, y);
    y = xor(rotate(y, rotations[round % 8]), x);
    if (round % 4 !== 3) continue;
    const n = (round + 1) / 4;
    x = add(x, key[n % 3]);
    y = add(y, add(key[(n + 1) % 3], constant(n)));
  }
  return [x, y];
}

const numbers: Words<number> = {
  constant: (value) => value | 0,
  add: (a, b) => (a + b) | 0,
  xor: (a, b) => a ^ b,
  rotate: (a, by) => (a << by) | (a >>> (32 - by)),
};

/** Two i32 from the two words of a key and the two of a counter. */
export const threefry = (key0: number, key1: number, counter0: number, counter1: number): [number, number] =>
  threefryOf(numbers, [key0, key1], [counter0, counter1]);
