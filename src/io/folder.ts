// Folders made step by step: Node's own recursive mkdir never returns where a parent exists but takes no children, as /proc.
import { mkdir, rmdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a folder and the parents it lacks; gives those made, outermost first. Throws the system's error, and then made none. */
export async function makeFolder(path: string): Promise<string[]> {
  const parent = dirname(path);
  const made: string[] = [];
  try {
    for (let tries = 1; ; tries++) {
      const error = await mkdir(path).catch((error: NodeJS.ErrnoException) => error);
      if (error === undefined) return [...made, path];
      if (error.code === "EEXIST" && (await isFolder(path))) return made;
      // Others may make or take away the same parents meanwhile, so what is there by now does not say why it failed.
      if (!["ENOENT", "EEXIST"].includes(error.code!) || parent === path || tries === 3) throw error;
      if (!(await isFolder(parent))) made.push(...(await makeFolder(parent)));
    }
  } catch (error) {
    await unmake(made);
    throw error;
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
