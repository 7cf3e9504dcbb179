// The numbers that every contestant computes with.

/** Numbers spread evenly over [−1, 1), the same in every run. */
export function noise(size, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** Whole numbers in [0, below). */
export const labels = (size, below) => Int32Array.from(noise(size, 7), (u) => Math.floor(((u + 1) / 2) * below));
