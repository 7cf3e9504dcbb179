// Real trainings through the command line, with the accuracies that the recipes promise. CI=true runs the short ones.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hebb, lastJson } from "../cli/run-cli.ts";

const data = process.env.HEBB_DATA ?? "../shared/data";
const short = process.env.CI === "true";
const has = (set: string): boolean => {
  const found = existsSync(join(data, set));
  if (!found) console.log(`learn: skipped ${set}, it is not in ${data} (set HEBB_DATA)`);
  return found;
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-learn-"));
  vi.stubEnv("HEBB_DATA", data);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Test accuracy at the end of a training, in percent. */
async function learn(args: string): Promise<number> {
  return 100 * (await trained(args)).accuracy;
}

/** The figures at the end of a training. */
async function trained(args: string): Promise<ReturnType<typeof lastJson>> {
  const outcome = await hebb([...`train ${args} --json --out`.split(" "), join(folder, args.replaceAll(" ", "_"))]);
  expect(outcome.status, outcome.stderr).toBe(0);
  console.log(`${args}: ${JSON.stringify(lastJson(outcome).test)}`);
  return lastJson(outcome);
}

const minutes = 60_000;

test("LeNet-5 reads 97 % of the glyphs after 3 epochs", { timeout: 5 * minutes }, async () => {
  expect(await learn("lenet5 --data glyphs --epochs 3")).toBeGreaterThan(97);
});

test.skipIf(!has("mnist"))("LeNet-5 reads 97.5 % of MNIST after one epoch", { timeout: 5 * minutes }, async () => {
  expect(await learn("lenet5 --data mnist --epochs 1")).toBeGreaterThan(97.5);
});

test.skipIf(short || !has("mnist"))(
  "LeNet-5 reads 99 % of MNIST after ten epochs",
  { timeout: 20 * minutes },
  async () => {
    expect(await learn("lenet5 --data mnist --epochs 10")).toBeGreaterThan(99);
  },
);

test.skipIf(short || !has("mnist"))(
  "the LeNet-5 of 1998 reads 98 % of MNIST after four epochs",
  { timeout: 20 * minutes },
  async () => {
    expect(await learn("lenet5-1998 --data mnist --epochs 4")).toBeGreaterThan(98);
  },
);

test.skipIf(!has("fashion-mnist"))(
  "an MLP tells 84 % of Fashion-MNIST after one epoch",
  { timeout: 5 * minutes },
  async () => {
    expect(await learn("mlp --data fashion-mnist --epochs 1")).toBeGreaterThan(84);
  },
);

test.skipIf(!has("trec"))(
  "the text CNN tells 87 % of TREC's questions after four epochs",
  { timeout: 10 * minutes },
  async () => {
    expect(await learn("textcnn --data trec --epochs 4")).toBeGreaterThan(87);
  },
);

test.skipIf(!has("tiny-shakespeare"))(
  "an LSTM writes Shakespeare's characters at 2.4 nats each after 40 steps",
  { timeout: 10 * minutes },
  async () => {
    expect((await trained("charlstm --data tiny-shakespeare --samples 2560 --epochs 1")).test.loss).toBeLessThan(2.4);
  },
);
