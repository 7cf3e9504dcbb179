// The one error for a file that is not what it should be: it says which file, at which byte, and what is wrong.

/** A file or buffer breaks its format. The message reads "FILE at byte OFFSET: what is wrong and the fix". */
export class FormatError extends Error {
  override readonly name = "FormatError";
  readonly file: string | undefined;
  readonly offset: number | undefined;

  constructor(message: string, { file, offset }: { file?: string; offset?: number } = {}) {
    const place = [file, offset === undefined ? undefined : `at byte ${offset}`].filter((part) => part !== undefined);
    super(place.length > 0 ? `${place.join(" ")}: ${message}` : message);
    this.file = file;
    this.offset = offset;
  }
}
