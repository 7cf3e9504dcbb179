// Where the tests find the real data sets, and whether they are there.
import { existsSync } from "node:fs";

export const realData: string = process.env.HEBB_DATA ?? "../shared/data";

/** Whether the data folder has the file; says so when it has not. */
export function hasData(path: string): boolean {
  const found = existsSync(`${realData}/${path}`);
  if (!found) console.log(`skipped: ${path} is not in ${realData}; set HEBB_DATA to a folder that has it`);
  return found;
}
