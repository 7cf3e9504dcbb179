// Folders made step by step: Node's own recursive mkdir never returns where a parent exists but takes no children, as /proc.

const builtin: typeof process.getBuiltinModule = (name: string) => globalThis.process.getBuiltinModule(name);

/**
 * Makes a folder and the parents it lacks, each with `mode`; gives those made, outermost first.
 * Throws the system's error, and then made none.
 */
export function makeFolderSync(path: string, mode?: number): string[] {
  const { mkdirSync } = builtin("node:fs");
  const parent = builtin("node:path").dirname(path);
  const made: string[] = [];
  try {
    for (let tries = 1; ; tries++) {
      try {
        mkdirSync(path, { mode });
        return [...made, path];
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EEXIST" && isFolderSync(path)) return made;
        // Others may make or take away the same parents meanwhile, so what is there by now does not say why it failed.
        if (!["ENOENT", "EEXIST"].includes(code!) || parent === path || tries === 3) throw error;
        if (!isFolderSync(parent)) made.push(...makeFolderSync(parent, mode));
      }
    }
  } catch (error) {
    unmakeSync(made);
    throw error;
  }
}

/** Removes folders that makeFolderSync made, as long as they are empty. */
export function unmakeSync(made: readonly string[]): void {
  const { rmdirSync } = builtin("node:fs");
  for (const path of made.toReversed()) {
    try {
      rmdirSync(path);
    } catch {} // somebody else may use it by now
  }
}

const isFolderSync = (path: string): boolean =>
  builtin("node:fs").statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
