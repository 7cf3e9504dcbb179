// Transfer learning by the command line: what --init takes over, what --freeze leaves, what --lr-scale slows down.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../src/io/index.ts";
import { hebb, lastJson } from "./run-cli.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-transfer-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const common = "--data glyphs --samples 128 --batch 64 --device wasm --threads 1 --shift 0 --json".split(" ");

async function train(name: string, ...flags: string[]): Promise<{ run: string; stderr: string; steps: number }> {
  const run = join(folder, name);
  const outcome = await hebb(["train", "lenet5", ...common, ...flags, "--out", run]);
  expect(outcome.status, outcome.stderr).toBe(0);
  return { run, stderr: outcome.stderr, steps: lastJson(outcome).steps };
}

async function weights(run: string, steps: number): Promise<Map<string, Float32Array>> {
  const file = join(run, "checkpoints", `step-${`${steps}`.padStart(6, "0")}`, "model.safetensors");
  const { tensors } = await readSafetensors(file);
  return new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array]));
}

const moved = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((value, i) => Math.abs(value - b[i])));

test("a run begins with another's weights, those that are frozen stay, scaled ones move less", async () => {
  const first = await train("first", "--epochs", "1", "--optimizer", "adam", "--lr", "0.01");
  const before = await weights(first.run, first.steps);
  const second = await train(
    ...["second", "--init", first.run, "--freeze", "^0\\.", "--lr-scale", "^3\\.=0.01", "--epochs", "1"],
    ...["--optimizer", "adam", "--lr", "0.01", "--decay", "1"],
  );
  expect(second.stderr).toContain(`10 of 10 tensors from ${first.run}\n`);
  const after = await weights(second.run, second.steps);
  const change = (name: string): number => moved(before.get(name)!, after.get(name)!);
  expect(change("0.weight")).toBe(0);
  expect(change("0.bias")).toBe(0);
  expect(change("3.weight")).toBeGreaterThan(0);
  expect(change("3.weight")).toBeLessThan(3 * 2 * 0.01 * 0.01); // Adam moves by about the rate a step; two steps
  expect(change("11.weight")).toBeGreaterThan(0.01);
});

test("a run that has saved nothing yet begins again with the other's weights when it is resumed", async () => {
  const first = await train("sixth", "--epochs", "1");
  const second = await train("seventh", "--init", first.run, "--max-steps", "1");
  const began = (run: string): number =>
    readFileSync(join(run, "metrics.jsonl"), "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line))
      .findLast(({ step }) => step === 1).loss;
  const loss = began(second.run);
  for (const left of ["checkpoints", "last", "best", "result.json"])
    rmSync(join(second.run, left), { recursive: true, force: true });
  const resumed = await hebb([
    "train",
    "--resume",
    second.run,
    "--max-steps",
    "1",
    "--device",
    "wasm",
    "--threads",
    "1",
  ]);
  expect(resumed.status, resumed.stderr).toBe(0);
  expect(resumed.stderr).toContain(`10 of 10 tensors from ${first.run}\n`);
  expect(began(second.run)).toBe(loss);
});

test("of a file, what has the names and shapes is taken, and the rest is told", async () => {
  const first = await train("third", "--epochs", "1");
  const { tensors } = await readSafetensors(
    join(first.run, "checkpoints", `step-${`${first.steps}`.padStart(6, "0")}`, "model.safetensors"),
  );
  const others = new Map([...tensors].filter(([name]) => name !== "11.bias"));
  others.set("11.weight", { dtype: "f32", shape: [20, 84], data: new Float32Array(20 * 84) });
  const file = join(folder, "other-classes.safetensors");
  await writeSafetensors(file, others);
  const { stderr } = await train("fourth", "--init", file, "--max-steps", "1");
  expect(stderr).toContain(
    `8 of 10 tensors from ${file}; these begin anew: 11.weight [10, 84], there [20, 84]; 11.bias [10]\n`,
  );
});

test.each<[string, string]>([
  ["--init FOLDER/absent.safetensors", "there is no file FOLDER/absent.safetensors"],
  ["--init FOLDER/text.safetensors", "FOLDER/text.safetensors"],
  [
    "--init FOLDER/foreign.safetensors",
    "--init FOLDER/foreign.safetensors: none of its 1 tensors (w) is one of the model's (0.weight, 0.bias, 3.weight, 3.bias and 6 more)",
  ],
  ["--freeze [", "--freeze takes a pattern of parameter names, such as ^features, not [ ("],
  [
    "--freeze .",
    "--freeze . takes all parameters, so nothing is left to train; there are 0.weight, 0.bias, 3.weight, 3.bias and 6 more",
  ],
  [
    "--freeze ^conv",
    "--freeze ^conv is in no parameter's name; there are 0.weight, 0.bias, 3.weight, 3.bias and 6 more",
  ],
  ["--lr-scale fc", "--lr-scale takes PATTERN=FACTOR, such as ^features=0.1, with commas between several, not fc"],
  [
    "--lr-scale fc=-1",
    "--lr-scale takes PATTERN=FACTOR, such as ^features=0.1, with commas between several, not fc=-1",
  ],
  ["--schedule wave", '--schedule takes one of decay, steps, linear, cosine, onecycle, plateau, not "wave"'],
  ["--flip 2", '--flip takes a number from 0 to 1, not "2"'],
])("train lenet5 %s is refused in one line", async (flags, message) => {
  writeFileSync(join(folder, "text.safetensors"), "no such thing");
  await writeSafetensors(join(folder, "foreign.safetensors"), {
    w: { dtype: "f32", shape: [1], data: new Float32Array(1) },
  });
  const place = (text: string): string => text.replaceAll("FOLDER", folder);
  const { status, stderr } = await hebb([
    "train",
    "lenet5",
    ...common,
    ...place(flags).split(" "),
    "--out",
    join(folder, "bad"),
  ]);
  expect(status).not.toBe(0);
  const last = stderr.trim().split("\n").at(-1);
  expect(last).toContain(place(message));
});
