// The parts of a data set.

/** Refuses a part of a set that there is not. */
export function checkSplit(set: string, split: string, splits: readonly string[]): void {
  if (splits.includes(split)) return;
  const known = splits.map((each) => JSON.stringify(each)).join(" or ");
  throw new RangeError(`${set}: split must be ${known}, not ${JSON.stringify(split)}`);
}
