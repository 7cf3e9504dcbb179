// What errors call a value.

/** What a value is, for errors: "null", "an array", "a Map", "a string". */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name ?? "Object";
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${Array.isArray(value) ? "array" : name}`;
}
