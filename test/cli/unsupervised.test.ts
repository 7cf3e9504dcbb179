// Models that learn without labels, and those that begin so, by the command line: trained, measured, drawn, inspected.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { glyphs } from "../../src/data/index.ts";
import { tensor } from "../../src/graph/index.ts";
import { readSafetensors, writeSafetensors } from "../../src/io/index.ts";
import { load } from "../../src/nn/index.ts";
import { type Reconstructing, zoo } from "../../src/zoo/index.ts";
import { hebb, lastJson } from "./run-cli.ts";

const count = 24;
const flags = ["--data", "glyphs", "--samples", `${count}`, "--batch", "12", "--device", "wasm", "--json"];
const unlabelled = zoo.filter(({ task }) => task === "reconstruct").map(({ name }) => name);
const layered = ["dbn", "stacked-autoencoder"];
const prepared = zoo.filter(({ prepare }) => prepare !== undefined).map(({ name }) => name);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-unsupervised-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runOf = (name: string): string => join(folder, name);

const weightsOf = async (run: string): ReturnType<typeof readSafetensors> =>
  readSafetensors(join(run, "checkpoints", readFileSync(join(run, "last"), "utf8").trim(), "model.safetensors"));

/** The squared error of a sample, from the weights of a run, apart from the command line; of a memory, of one that it was trained on. */
async function errorOf(name: string): Promise<number> {
  const entry = zoo.find((each) => each.name === name)!;
  const model = entry.build({ input: [1, 28, 28] }) as Reconstructing;
  await load(model, (await weightsOf(runOf(name))).tensors);
  const { x } = (
    await glyphs(entry.capacity ? "train" : "test", { count })
      .batch(count)
      .raw()
      .next()
  ).value!;
  const given = await model.reconstruct(tensor(Float32Array.from(x), [count, 1, 28, 28])).data();
  return (x as Float32Array).reduce((sum, v, i) => sum + (Number(given[i]) - v) ** 2, 0) / count;
}

test("there are models of both kinds", () => {
  expect(unlabelled).toEqual(expect.arrayContaining(["rbm", "som", "hopfield"]));
  expect(unlabelled.length).toBeGreaterThan(6);
  expect(prepared).toEqual(["rbm", ...layered]);
});

describe.each(unlabelled)("%s", (name) => {
  test("is trained and measured: the squared error is that of its reconstructions", { timeout: 60_000 }, async () => {
    const trained = await hebb(["train", name, ...flags, "--epochs", "1", "--out", runOf(name)]);
    expect(trained.status, trained.stderr).toBe(0);
    const { steps, squaredError, training, test: measured } = lastJson(trained);
    expect(steps).toBe(2);
    expect(training.squaredError).toBeGreaterThan(0);
    expect(measured.squaredError).toBe(squaredError);
    expect(trained.stderr).toMatch(
      /test squared error \d+(\.\d+)? a sample, (test [a-z ]+ \d+\.\d\d %, )?test loss \d/,
    );
    expect(squaredError / (await errorOf(name))).toBeCloseTo(1, 4);
    const evaluated = lastJson(await hebb(["eval", runOf(name), "--device", "wasm", "--json"]));
    expect(evaluated.squaredError).toBeCloseTo(squaredError, 3);
    expect(evaluated).not.toHaveProperty("confusion");
  });
});

describe("a picture", () => {
  test("of an auto-encoder has originals above what it gives back", async () => {
    const outcome = await hebb(["sample", runOf("autoencoder"), "--samples", "20", "--device", "wasm", "--json"]);
    expect(outcome.status, outcome.stderr).toBe(0);
    const { picture, samples } = lastJson(outcome);
    expect([picture, samples]).toEqual([join(runOf("autoencoder"), "sample.png"), 20]);
    const { width, height, channels, data } = decode(readFileSync(picture));
    expect([width, height, channels]).toEqual([16 * 29 - 1, 4 * 29 - 1, 4]); // two rows of 16, each with one below it
    const cell = (row: number, column: number): number[] =>
      Array.from({ length: 784 }, (_, i) => {
        const [y, x] = [row * 29 + Math.floor(i / 28), column * 29 + (i % 28)];
        return data[4 * (y * width + x)];
      });
    expect(cell(0, 0)).not.toEqual(cell(1, 0));
    expect(new Set(cell(0, 0)).size).toBeGreaterThan(3);
    expect(cell(0, 0)).not.toEqual(cell(0, 1));
    expect(cell(2, 3).some((level) => level > 0)).toBe(true);
    expect(cell(2, 4).every((level) => level === 0)).toBe(true); // the last of 20 is the fourth of its row
  });

  test("of a Boltzmann machine has draws below, as the seed and the rounds will have them", async () => {
    const ask = async (...more: string[]): Promise<Buffer> => {
      const out = join(folder, "drawn.png");
      const args = [
        "sample",
        runOf("rbm"),
        "--samples",
        "4",
        "--steps",
        "3",
        "--device",
        "wasm",
        "--out",
        out,
        ...more,
      ];
      const outcome = await hebb(args);
      expect(outcome.status, outcome.stderr).toBe(0);
      expect(outcome.stdout).toMatch(/^4 test samples of glyphs above .*, and below them draws after \d+ rounds/);
      return readFileSync(out);
    };
    const first = await ask();
    const { width, height } = decode(first);
    expect([width, height]).toEqual([4 * 29 - 1, 3 * 29 - 1]);
    expect((await ask()).equals(first)).toBe(true);
    expect((await ask("--seed", "2")).equals(first)).toBe(false);
    expect((await ask("--steps", "4")).equals(first)).toBe(false);
  });

  test("of a memory has what is recalled below the spoilt copies of what is stored", async () => {
    const run = join(folder, "memory");
    const args = ["--data", "glyphs", "--epochs", "12", "--device", "wasm", "--json", "--out", run];
    const trained = await hebb(["train", "hopfield", ...args]);
    expect(trained.status, trained.stderr).toBe(0);
    expect(lastJson(trained)).toMatchObject({ pixelsRight: 1, config: { samples: 8 } });
    expect(trained.stderr).toContain("test pixels right 100.00 %");
    const outcome = await hebb(["sample", run, "--device", "wasm"]);
    expect(outcome.stdout).toMatch(
      /^8 stored samples of glyphs above what they are recalled from, and below them their reconstructions \(/,
    );
    const { width, height, data } = decode(readFileSync(join(run, "sample.png")));
    expect([width, height]).toEqual([8 * 29 - 1, 3 * 29 - 1]);
    const row = (k: number): boolean[] =>
      Array.from({ length: 28 * width }, (_, i) => data[4 * (k * 29 * width + i)] > 127);
    expect(row(2)).toEqual(row(0));
    const wrong = row(1).filter((bit, i) => bit !== row(0)[i]).length;
    expect(wrong / (8 * 784)).toBeGreaterThan(0.15);
    expect(wrong / (8 * 784)).toBeLessThan(0.25);
    const evaluated = await hebb(["eval", run, "--samples", "100", "--device", "wasm"]);
    expect(evaluated.stdout).toMatch(/pixels right 100.00 %, .* over 8 stored samples of glyphs, step 12\n$/);
    const some = await hebb(["eval", run, "--samples", "5", "--device", "wasm"]);
    expect(some.stdout).toContain("over 5 stored samples of glyphs");
    const inspected = await hebb(["inspect", run, "--device", "wasm", "--json"]);
    expect(inspected.status, inspected.stderr).toBe(0);
    const html = readFileSync(lastJson(inspected).page, "utf8");
    expect(html).toContain("Stored samples, below each the spoilt copy");
  });

  test("takes the place of no other file", async () => {
    const other = join(folder, "other.png");
    const run = runOf("autoencoder");
    writeFileSync(other, "a letter");
    const refusal = `hebb: ${other} was not made by hebb sample, so it is left as it is; choose another --out\n`;
    expect(await hebb(["sample", run, "--out", other])).toEqual({ status: 2, stdout: "", stderr: refusal });
    expect(readFileSync(other, "utf8")).toBe("a letter");
    writeFileSync(other, encode({ width: 1, height: 1, data: new Uint8Array(1), channels: 1 }));
    expect((await hebb(["sample", run, "--out", other])).stderr).toBe(refusal);
  });

  test("is not drawn of what gives none", async () => {
    const mlp = runOf("mlp");
    await hebb(["train", "mlp", ...flags, "--epochs", "1", "--out", mlp]);
    const cases: [string[], string][] = [
      [["sample"], "sample needs one run folder, e.g. hebb sample runs/autoencoder-mnist-20260101-120000"],
      [["sample", mlp], `${mlp} is a run of mlp, which gives no samples back; sample takes runs of auto-encoders and of rbm, dbn, som and hopfield`],
      [["sample", runOf("sparse"), "--steps", "5"], "--steps is of Boltzmann machines, sparse draws nothing"],
      [["sample", runOf("som"), "--steps", "5"], "--steps is of Boltzmann machines, som draws nothing"],
      [["train", "hopfield", "--data", "glyphs", "--samples", "109", "--out", join(folder, "none")], "hopfield holds at most 108 samples of [1, 28, 28], and these are 109; lower --samples"],
      [["predict", runOf("sparse"), "x.png"], `predict tells classes, and ${runOf("sparse")} is a run of sparse, which learns none; see what it gives back with: hebb sample ${runOf("sparse")}`],
      [["train", "rbm", "--data", "glyphs", "--optimizer", "lbfgs", "--out", join(folder, "none")], "lbfgs searches for its steps by a loss, and this model has none; take sgd or adam"],
    ]; // biome-ignore format: a table
    for (const [args, line] of cases) {
      const { status, stderr } = await hebb(args);
      expect([status, stderr.trimEnd().split("\n").at(-1)]).toEqual([2, `hebb: ${line}`]);
    }
  });
});

test.each(["autoencoder", "conv-autoencoder", "rbm"])(
  "the page of %s shows reconstructions and codes",
  async (name) => {
    const outcome = await hebb(["inspect", runOf(name), "--device", "wasm", "--json"]);
    expect(outcome.status, outcome.stderr).toBe(0);
    const { page, squaredError } = lastJson(outcome);
    expect(squaredError / (await errorOf(name))).toBeCloseTo(1, 4);
    const html = readFileSync(page, "utf8");
    for (const title of ["Reconstructions", "Codes", "Filters", "Gradients", "Classes"])
      expect(html).toContain(`<h2>${title}</h2>`);
    expect(html).not.toContain("<h2>Confusion</h2>");
    expect(html).toContain("Left out: the model learns to give samples back.");
    expect(html.match(/<circle /g)).toHaveLength(count);
    const figures = JSON.parse(/<script type="application\/json" id="figures">(.*?)<\/script>/s.exec(html)![1]);
    const [first, second] = figures.codes.explained;
    expect(first).toBeGreaterThanOrEqual(second);
    expect(first + second).toBeLessThanOrEqual(1 + 1e-6);
    for (const { gradientNorm } of figures.parameters) expect(gradientNorm).toBeGreaterThan(0);
  },
);

test("the page of som shows its units as they lie on the map", async () => {
  const outcome = await hebb(["inspect", runOf("som"), "--device", "wasm", "--json"]);
  expect(outcome.status, outcome.stderr).toBe(0);
  const { page, topographicError } = lastJson(outcome);
  expect(topographicError).toBeGreaterThan(0);
  const html = readFileSync(page, "utf8");
  expect(html).toContain("10 × 10 units as they lie on the map, each as the sample that it stands for");
  const [, source] = /<h2>Filters<\/h2>.*?src="data:image\/png;base64,([^"]*)"/s.exec(html)!;
  const { width, height, data } = decode(Buffer.from(source, "base64"));
  expect([width, height]).toEqual([10 * 29 - 1, 10 * 29 - 1]);
  const { weight } = Object.fromEntries((await weightsOf(runOf("som"))).tensors);
  const unit = 37; // in row 3, column 7
  const levels = Array.from({ length: 784 }, (_, i) => {
    const [y, x] = [3 * 29 + Math.floor(i / 28), 7 * 29 + (i % 28)];
    return data[4 * (y * width + x)];
  });
  const seen = Array.from({ length: 784 }, (_, i) =>
    Math.max(0, Math.min(255, 255 * Number(weight.data[unit * 784 + i]))),
  );
  levels.forEach((level, i) => {
    expect(Math.abs(level - seen[i])).toBeLessThanOrEqual(0.5);
  });
});

describe.each(layered)("%s", (name) => {
  test("is prepared once, with nothing of it when resumed or begun from weights", { timeout: 120_000 }, async () => {
    const run = runOf(name);
    const begun = await hebb(["train", name, ...flags, "--epochs", "2", "--max-steps", "1", "--out", run]);
    expect(begun.status, begun.stderr).toBe(0);
    expect(begun.stderr).toContain(`${name} is prepared before its training`);
    expect(begun.stderr).toMatch(/-500, epoch 1 of \d+/);
    const resumed = await hebb(["train", "--resume", run, "--json"]);
    expect(lastJson(resumed)).toMatchObject({ steps: 4, resumedAt: 1 });
    expect(lastJson(resumed).test.accuracy).toBeGreaterThanOrEqual(0);
    expect(resumed.stderr).not.toContain("prepared");
    const out = join(folder, `${name}-init`);
    const initial = await hebb(["train", name, ...flags, "--max-steps", "1", "--init", run, "--out", out]);
    expect(initial.stderr).not.toContain("prepared");
  });

  test("stopped on the way leaves nothing", async () => {
    const out = join(folder, `${name}-stopped`);
    const outcome = await hebb(["train", name, ...flags, "--out", out], AbortSignal.abort());
    expect(outcome.status).toBe(130);
    expect(outcome.stderr.trimEnd().split("\n").at(-1)).toBe(
      `stopped while ${name} was prepared, before anything is saved; start again with the same command`,
    );
    expect(lastJson(outcome)).toMatchObject({ command: "train", model: name, reason: "interrupted", steps: 0 });
    expect(existsSync(out)).toBe(false);
  });
});

test("a deep belief net draws by its top machine, from the weights that it had before the labels", async () => {
  const ask = async (...more: string[]): Promise<Buffer> => {
    const out = join(folder, "belief.png");
    const outcome = await hebb([
      "sample",
      runOf("dbn"),
      "--samples",
      "4",
      "--device",
      "wasm",
      "--json",
      "--out",
      out,
      ...more,
    ]);
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(/^4 test samples of glyphs above draws after \d+ rounds of Gibbs sampling\n/);
    expect(lastJson(outcome).steps).toBe(more[0] === "--steps" ? Number(more[1]) : 20);
    expect(lastJson(outcome)).not.toHaveProperty("squaredError");
    return readFileSync(out);
  };
  const first = await ask("--steps", "3");
  const { width, height } = decode(first);
  expect([width, height]).toEqual([4 * 29 - 1, 2 * 29 - 1]);
  expect((await ask("--steps", "3")).equals(first)).toBe(true);
  expect((await ask("--steps", "4")).equals(first)).toBe(false);
  expect((await ask()).equals(first)).toBe(false);
});

test("a deep belief net that began with others' weights draws nothing, unless these have one", async () => {
  const [plain, out] = [join(folder, "plain"), join(folder, "unprepared")];
  const { tensors } = await weightsOf(runOf("dbn"));
  const layers = [...tensors].filter(([name]) => !name.startsWith("belief"));
  expect(layers.length).toBeLessThan(tensors.size);
  await writeSafetensors(plain, new Map(layers));
  const begin = ["train", "dbn", ...flags, "--max-steps", "1", "--init"];
  expect((await hebb([...begin, plain, "--out", out])).stderr).toContain("these begin anew: belief");
  expect(await hebb(["sample", out, "--steps", "2"])).toEqual({
    status: 2,
    stdout: "",
    stderr: `hebb: ${out} began with --init ${plain}, which has no deep belief net, so there is none to draw from; train a run without --init\n`,
  });
  expect((await hebb(["sample", join(folder, "dbn-init"), "--steps", "2"])).status).toBe(0);
});
