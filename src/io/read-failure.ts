// The one line for a file that cannot be read at all.

/** "there is no file PATH", or why it cannot be read, with the system's error as its cause. */
export function readFailure(path: string, cause: unknown): Error {
  const { code, message } = cause as { code?: string; message?: string };
  const why = code === "EISDIR" ? "it is a folder" : (message ?? String(cause));
  return new Error(code === "ENOENT" ? `there is no file ${path}` : `${path} cannot be read (${why})`, { cause });
}
