// Folders as the rooms with files use them: made step by step (backend/folder.ts), unmade, looked for.
import { stat } from "node:fs/promises";
import { makeFolderSync, unmakeSync } from "../backend/folder.ts";

/** Makes a folder and the parents it lacks; gives those made, outermost first. Throws the system's error, and then made none. */
export const makeFolder = async (path: string): Promise<string[]> => makeFolderSync(path);

/** Removes folders that makeFolder made, as long as they are empty. */
export const unmake = async (made: readonly string[]): Promise<void> => unmakeSync(made);

export const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
