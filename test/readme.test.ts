// The README's first example is the file examples/quick-start.ts, and it runs; what the package's pages link to is in the package.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

test("the links of the pages lead to files that are in the package", async () => {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const { files } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { files: string[] };
  const docs = (await readdir(join(root, "docs"))).map((name) => `docs/${name}`);
  for (const page of ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...docs])
    for (const [, link] of (await readFile(join(root, page), "utf8")).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      const target = join(page, "..", link).replaceAll("\\", "/");
      expect(existsSync(join(root, target)), `${page} → ${link}`).toBe(true);
      expect(
        files.some((file) => target === file || target.startsWith(`${file}/`)),
        `${page} → ${link}`,
      ).toBe(true);
    }
});
