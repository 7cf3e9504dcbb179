// The error of a write that failed; a file of its own, which loads where there are no files.

/** A write that failed, the system's error as its cause: what it was to replace is as it was. */
export class WriteError extends Error {
  override readonly name = "WriteError";
}
