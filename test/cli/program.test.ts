// What the user is told to type: the program as it was called, words quoted where a shell needs it.
import { expect, test } from "vitest";
import { commandLine, programName } from "../../src/cli/program.ts";

test.each([
  ["/usr/local/bin/hebb", "/home/a", "hebb"],
  ["/home/a/node_modules/.bin/hebb", "/home/a", "npx hebb"],
  ["/home/a/node_modules/hebb/dist/cli/main.js", "/home/a", "npx hebb"],
  ["C:\\a\\node_modules\\hebb\\dist\\cli\\main.js", "/home/a", "npx hebb"],
  ["/home/a/hebb/dist/cli/main.js", "/home/a/hebb", "node dist/cli/main.js"],
  ["/home/a/hebb/dist/cli/main.js", "/home/a/runs", "node ../hebb/dist/cli/main.js"],
  ["/opt/x/main.js", "/home/a/deep/down/there", "node /opt/x/main.js"],
  ["/home/a/my code/main.js", "/home/a", "node 'my code/main.js'"],
])("%s in %s is called %s", (script, folder, name) => {
  expect(programName(script, folder)).toBe(name);
});

test("words that a shell would split are quoted", () => {
  expect(commandLine({ program: "npx hebb" }, "train", "--resume", "runs/a b's")).toBe(
    "npx hebb train --resume 'runs/a b'\\''s'",
  );
});
