// Folders made step by step: Node's own recursive mkdir never returns where a parent exists but takes no children, as /proc.
import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a folder and the parents it lacks; gives those made, outermost first. Throws the system's error, and then made none. */
export async function makeFolder(path: string): Promise<string[]> {
  try {
    await mkdir(path);
    return [path];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await isFolder(path))) return [];
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await isFolder(parent))) throw error;
    const made = await makeFolder(parent);
    try {
      return [...made, ...(await makeFolder(path))];
    } catch (inner) {
      await unmake(made);
      throw inner;
    }
  }
}

/** Removes folders that makeFolder made, as long as they are empty. */
export async function unmake(made: readonly string[]): Promise<void> {
  for (const path of made.toReversed()) await rmdir(path).catch(() => {}); // somebody else may use it by now
}

export const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
