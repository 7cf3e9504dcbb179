// The public surface is what docs/api.md says: a change of it is seen in review. Reads the built declarations, as `npm test` makes them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const page = new URL("../docs/api.md", import.meta.url);

test("docs/api.md is up to date (npm run api)", async () => {
  const { render, unnamed }: { render(): string; unnamed(): string[] } = await import("../docs/api.mjs" as string);
  expect(unnamed()).toEqual([]);
  const [now, written] = [render(), readFileSync(page, "utf8")];
  const lines = (text: string): string[] => text.split("\n");
  expect(lines(now).filter((line) => !lines(written).includes(line))).toEqual([]);
  expect(now === written).toBe(true);
});
