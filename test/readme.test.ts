// The README's first example is the file examples/quick-start.ts, and it runs.
import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";

test("the README shows examples/quick-start.ts, and it learns", async () => {
  const source = await readFile(new URL("../examples/quick-start.ts", import.meta.url), "utf8");
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`\`\`\`ts\n${source}\`\`\``);
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  await import("../examples/quick-start.ts");
  const losses = log.mock.calls.map(([loss]) => loss as number);
  log.mockRestore();
  expect(losses.length).toBe(50);
  expect(losses[49]).toBeLessThan(losses[0] / 2);
});
