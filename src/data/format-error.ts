// The error of every reader of outside files, the same one in all rooms: which file, which byte, what was wrong, the fix.
export { FormatError } from "../graph/format-error.ts";
