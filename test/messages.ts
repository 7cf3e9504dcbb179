// What a table of misuse throws, as text for a snapshot.

/** A line for each entry: its name and its error, or "nothing". */
export async function messagesOf(misuse: Readonly<Record<string, () => unknown>>): Promise<string> {
  const lines: string[] = [];
  for (const [what, run] of Object.entries(misuse)) {
    try {
      await run();
      lines.push(`${what}: nothing`);
    } catch (error) {
      lines.push(`${what}: ${String(error)}`);
    }
  }
  return lines.join("\n");
}
