// train, eval and predict in one process: run folders, the JSON line, resuming, images, and checkpoints that do not fit.
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { encode } from "fast-png";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { drawGlyph, randomStream } from "../../src/data/index.ts";
import { readSafetensors, writeSafetensors } from "../../src/io/index.ts";
import { hasData, realData } from "../data/real-data.ts";
import { hebb, lastJson, small } from "./run-cli.ts";

let folder: string;
let run: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hebb-cli-"));
  run = join(folder, "run");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("train ends with figures and leaves a run folder", async () => {
  const outcome = await hebb([...small, "--out", run, "--json"]);
  expect(outcome.status).toBe(0);
  expect(outcome.stdout.trim().split("\n")).toHaveLength(1);
  const figures = lastJson(outcome);
  expect(figures).toMatchObject({
    command: "train",
    model: "lenet5",
    data: "glyphs",
    reason: "epochs",
    run,
    epochs: 2,
    steps: 8,
    samples: 128,
  });
  for (const value of [figures.accuracy, figures.training.accuracy, figures.test.accuracy]) {
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(1);
  }
  for (const value of [figures.training.loss, figures.test.loss, figures.seconds, figures.samplesPerSecond])
    expect(value).toBeGreaterThan(0);
  expect(outcome.stderr).toContain("epoch 2/2  step 4/4  loss ");
  expect(outcome.stderr).toMatch(/actual +0 +1 .*right/);
  expect(readdirSync(run).sort()).toEqual([
    "best",
    "checkpoints",
    "config.json",
    "environment.json",
    "last",
    "metrics.jsonl",
    "result.json",
  ]);
  const config = JSON.parse(readFileSync(join(run, "config.json"), "utf8"));
  expect(config).toMatchObject({
    model: "lenet5",
    data: "glyphs",
    samples: 64,
    epochs: 2,
    batch: 16,
    optimizer: "adam",
    seed: 1,
  });
  expect(JSON.parse(readFileSync(join(run, "environment.json"), "utf8"))).toMatchObject({
    data: { train: { samples: 64, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
});

test("without --json the figures are for people", async () => {
  const { status, stdout } = await hebb([...small, "--max-steps", "1", "--out", join(folder, "short")]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/test accuracy \d+\.\d\d %, test loss \d+\.\d{4} after 1 steps\nrun saved in .*short\n$/);
});

test("the same arguments give the same bits, also through the run's own config.json", async () => {
  const again = join(folder, "again");
  expect((await hebb(["train", "--config", join(run, "config.json"), "--out", again])).status).toBe(0);
  for (const file of ["metrics.jsonl", "config.json", "checkpoints/step-000008/model.safetensors"])
    expect(readFileSync(join(again, file)).equals(readFileSync(join(run, file))), file).toBe(true);
});

test("an existing run is left alone", async () => {
  const before = readFileSync(join(run, "metrics.jsonl"), "utf8");
  const { status, stderr } = await hebb([...small, "--out", run]);
  expect(status).toBe(2);
  expect(stderr).toBe(
    `hebb: ${run} already holds a run; continue it with: hebb train --resume ${run}, or choose another --out\n`,
  );
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8")).toBe(before);
});

test("interrupted and resumed equals uninterrupted; a resumed run may have more epochs", async () => {
  const stopped = join(folder, "stopped");
  const controller = new AbortController();
  controller.abort();
  const outcome = await hebb([...small, "--out", stopped, "--json"], controller.signal);
  expect(outcome.status).toBe(130);
  expect(lastJson(outcome)).toMatchObject({ reason: "interrupted", steps: 0, run: stopped });
  expect(outcome.stderr).toContain(`stopped after step 0, all saved; continue with: hebb train --resume ${stopped}\n`);
  expect((await hebb(["train", "--resume", stopped, "--epochs", "1", "--max-steps", "5"])).status).toBe(0);
  expect((await hebb(["train", "--resume", stopped, "--epochs", "2", "--max-steps", "5"])).status).toBe(0);
  const cut = await hebb(["train", "--resume", stopped, "--max-steps", "5"]);
  expect(cut.status).toBe(0);
  expect(cut.stdout.trim().split("\n").at(-1)).toBe(
    `${stopped} has the 5 steps of --max-steps behind it, 5 in all; to go further: hebb train --resume ${stopped}`,
  );
  const last = await hebb(["train", "lenet5", "--resume", stopped, "--json"]); // --max-steps was for once
  expect(last.status).toBe(0);
  expect(last.stderr).toContain("continuing at step 5\n");
  expect(lastJson(last)).toMatchObject({ steps: 8, samples: 48, resumedAt: 5 });
  for (const file of [
    "metrics.jsonl",
    "checkpoints/step-000008/model.safetensors",
    "checkpoints/step-000008/optimizer.safetensors",
  ])
    expect(readFileSync(join(stopped, file)).equals(readFileSync(join(run, file))), file).toBe(true);
});

test("a finished run says so, with the command that takes it further", async () => {
  const before = readFileSync(join(run, "result.json"), "utf8");
  const { status, stdout, stderr } = await hebb(["train", "--resume", run]);
  expect(status).toBe(0);
  expect(stderr).toContain("finished before, after 2 epochs and 8 steps; it goes on when given more epochs\n");
  expect(stdout.trim().split("\n").at(-1)).toBe(
    `${run} was finished before, after 2 epochs and 8 steps; to go further: hebb train --resume ${run} --epochs 4`,
  );
  expect(readFileSync(join(run, "result.json"), "utf8")).toBe(before);
});

test("where no checkpoint is sound, the advice is a command that works", async () => {
  const torn = join(folder, "torn-run");
  cpSync(run, torn, { recursive: true });
  for (const name of readdirSync(join(torn, "checkpoints")))
    writeFileSync(join(torn, "checkpoints", name, "model.safetensors"), "torn");
  const advice = `start again with: hebb train --config ${torn}/config.json`;
  for (const args of [
    ["eval", torn],
    ["train", "--resume", torn],
  ]) {
    const { status, stderr } = await hebb(args);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^hebb: none of the checkpoints of .* is sound \(.*SHA-256 differs\)\); start again/);
    expect(stderr.trim().endsWith(advice)).toBe(true);
  }
  const again = await hebb([...advice.split(" ").slice(4), "--max-steps", "1", "--out", join(folder, "torn-again")]);
  expect(again.status).toBe(0);
});

test.runIf(existsSync("/dev/full"))("a full disk names the file and how to go on, and that works", async () => {
  const full = join(folder, "full");
  await hebb([...small, "--max-steps", "5", "--out", full]);
  const log = join(full, "metrics.jsonl");
  const kept = readFileSync(log);
  rmSync(log);
  symlinkSync("/dev/full", log);
  const { status, stderr } = await hebb(["train", "--resume", full]);
  expect(status).toBe(1);
  expect(stderr.trim().split("\n").at(-1)).toBe(
    `hebb: disk is full while writing ${log}, nothing that was there is lost; free some space, then resume the run: hebb train --resume ${full}`,
  );
  rmSync(log);
  writeFileSync(log, kept);
  expect((await hebb(["train", "--resume", full])).status).toBe(0);
  for (const file of ["metrics.jsonl", "checkpoints/step-000008/model.safetensors"])
    expect(readFileSync(join(full, file)).equals(readFileSync(join(run, file))), file).toBe(true);
});

test("what would make another run cannot change when resuming", async () => {
  const lr = await hebb(["train", "--resume", run, "--lr", "0.5"]);
  expect(lr).toEqual({
    status: 2,
    stdout: "",
    stderr: `hebb: --lr cannot change when a run is resumed; ${run} has 0.003, not 0.5; a new run with it: hebb train --config ${run}/config.json --lr 0.5\n`,
  });
  const model = await hebb(["train", "mlp", "--resume", run]);
  expect(model).toEqual({ status: 2, stdout: "", stderr: `hebb: ${run} is a run of lenet5, not of mlp\n` });
  expect((await hebb(["train", "--resume", folder])).stderr).toContain("is not a run (it has no config.json)");
});

test("eval measures what train measured", async () => {
  const figures = lastJson(await hebb(["eval", run, "--json"]));
  const { validation } = JSON.parse(readFileSync(join(run, "result.json"), "utf8"));
  expect(figures).toMatchObject({
    command: "eval",
    run,
    model: "lenet5",
    data: "glyphs",
    step: 8,
    samples: 64,
    accuracy: validation.accuracy,
  });
  expect(figures.loss).toBeCloseTo(validation.loss, 6);
  expect(figures.confusion.flat().reduce((sum: number, n: number) => sum + n, 0)).toBe(64);
  const other = await hebb(["eval", run, "--data", "cifar10", "--data-dir", folder]);
  expect(other).toEqual({
    status: 2,
    stdout: "",
    stderr: `hebb: ${run} does not fit cifar10: its model takes samples [1, 28, 28] in 10 classes, cifar10 has samples [3, 32, 32] in 10 classes\n`,
  });
  const best = await hebb(["eval", run, "--best", "--samples", "20"]);
  expect(best.stdout).toMatch(/over 20 test samples of glyphs, step \d+\n$/);
});

test("a checkpoint of another model is refused, by eval and by resuming", async () => {
  const other = join(folder, "other");
  await hebb([...small, "--max-steps", "1", "--out", other]);
  const path = join(other, "config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), model: "mlp" }));
  for (const args of [
    ["eval", other],
    ["train", "--resume", other],
  ]) {
    const { status, stderr } = await hebb(args);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n").at(-1)).toMatch(
      /^hebb: .*its checkpoint of step 1 is not .*\("1\.weight" .*; .*; .*; and 11 more\)/,
    );
  }
});

/** A glyph of the digit as PNG, scaled up by whole pixels. */
function glyphPng(path: string, digit: number, { scale = 1, inverted = false } = {}): Uint8Array {
  const glyph = new Uint8Array(28 * 28);
  drawGlyph(glyph, digit, randomStream(4, digit));
  const side = 28 * scale;
  const data = Uint8Array.from({ length: side * side }, (_, i) => {
    const ink = glyph[Math.floor(i / side / scale) * 28 + Math.floor((i % side) / scale)];
    return inverted ? 255 - ink : ink;
  });
  const png = encode({ width: side, height: side, data, channels: 1, depth: 8 });
  writeFileSync(path, png);
  return png;
}

test("predict reads PNG, resizes it, and inverts one with a bright background", async () => {
  const files = ["plain.png", "large.png", "inverted.png"].map((name) => join(folder, name));
  glyphPng(files[0], 7);
  glyphPng(files[1], 7, { scale: 4 });
  glyphPng(files[2], 7, { scale: 4, inverted: true });
  const outcome = await hebb(["predict", run, ...files, "--json"]);
  expect(outcome.status).toBe(0);
  expect(outcome.stderr).toContain(`${files[2]}: bright background, so inverted\n`);
  const { predictions } = lastJson(outcome);
  const [plain, large, inverted] = predictions;
  for (const prediction of predictions) {
    const values = Object.values<number>(prediction.probabilities);
    expect(values).toHaveLength(10);
    expect(values.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(Math.max(...values)).toBe(prediction.probability);
    expect(prediction.probabilities[prediction.class]).toBe(prediction.probability);
    for (const name of Object.keys(values))
      expect(prediction.probabilities[name]).toBeCloseTo(plain.probabilities[name], 4);
  }
  expect([plain.inverted, large.inverted, inverted.inverted]).toEqual([false, false, true]);
  const { stdout } = await hebb(["predict", run, files[0]]);
  expect(stdout).toMatch(/plain\.png: \d \d+\.\d\d % {2}\(then \d \d+\.\d\d %, \d \d+\.\d\d %\)\n$/);
});

test("predict says what is wrong with a file", async () => {
  const text = join(folder, "text.jpg");
  writeFileSync(text, "no image");
  const torn = join(folder, "torn.png");
  writeFileSync(torn, glyphPng(join(folder, "whole.png"), 3).subarray(0, 60));
  for (const [file, message] of [
    [join(folder, "none.png"), /^hebb: there is no file .*none\.png$/],
    [text, /^hebb: .*text\.jpg is not an image that can be decoded \(.*\)$/],
    [torn, /^hebb: .*torn\.png is a damaged PNG \(it is cut short\)$/],
  ] as const) {
    const { status, stdout, stderr } = await hebb(["predict", run, file]);
    expect(stderr.trim()).toMatch(message);
    expect([status, stdout]).toEqual([1, ""]);
  }
  const good = join(folder, "whole.png");
  const { status, stdout, stderr } = await hebb(["predict", run, text, good, torn]);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^.*whole\.png: \d .*\n$/);
  expect(stderr).toMatch(/^hebb: .*text\.jpg is not an image.*\nhebb: .*torn\.png is a damaged PNG.*\n$/);
  const figures = lastJson(await hebb(["predict", run, good, torn, "--json"]));
  expect(figures).toMatchObject({ predictions: [{ file: good }], status: 1, failures: [{ file: torn }] });
  expect(figures.error).toContain("is a damaged PNG");
});

test("predict reads JPEG through sharp", async (context) => {
  const sharp = await import("sharp").catch(() => undefined);
  if (sharp === undefined) return context.skip("the optional package sharp is not installed");
  const png = join(folder, "seven.png");
  glyphPng(png, 7, { scale: 8 });
  const jpeg = join(folder, "seven.jpg");
  await sharp.default(png).jpeg({ quality: 95 }).toFile(jpeg);
  const [fromPng, fromJpeg] = lastJson(await hebb(["predict", run, png, jpeg, "--json"])).predictions;
  for (const name of Object.keys(fromPng.probabilities))
    expect(fromJpeg.probabilities[name]).toBeCloseTo(fromPng.probabilities[name], 1);
});

test("a loss that is not finite fails the run, with the step, and keeps the checkpoint before", async () => {
  const wild = join(folder, "wild");
  const { status, stderr } = await hebb([
    "train",
    "mlp",
    "--data",
    "glyphs",
    "--samples",
    "64",
    "--batch",
    "16",
    "--optimizer",
    "sgd",
    "--lr",
    "1e30",
    "--out",
    wild,
  ]);
  expect(status).toBe(1);
  expect(stderr.trim().split("\n").at(-1)).toMatch(
    /^hebb: the loss became (NaN|Infinity) at step \d: .* not finite.*; start again with a lower learning rate: hebb train --config .*wild\/config\.json --lr 0\.05$/,
  );
  expect(existsSync(join(wild, "result.json"))).toBe(false);
});

test.skipIf(!hasData("trec/TREC_10.label"))("the text CNN trains, is measured, and reads no images", async () => {
  const out = join(folder, "questions");
  const place = ["--data-dir", realData, "--samples", "20"];
  const trained = await hebb([
    "train",
    "textcnn",
    "--data",
    "trec",
    "--epochs",
    "1",
    "--batch",
    "10",
    "--out",
    out,
    ...place,
  ]);
  expect(trained.status, trained.stderr).toBe(0);
  const measured = await hebb(["eval", out, "--json"]);
  expect(lastJson(measured)).toMatchObject({ model: "textcnn", data: "trec", samples: 20 });
  const { status, stderr } = await hebb(["predict", out, "seven.png"]);
  expect(status).toBe(2);
  expect(stderr).toContain(`predict reads images, and ${out} is a run on trec, which is text`);
});

test.each(["adamax", "adagrad", "adadelta", "rmsprop"])("%s trains with its own learning rate", async (optimizer) => {
  const out = join(folder, optimizer);
  const args = ["--data", "glyphs", "--samples", "32", "--epochs", "1", "--optimizer", optimizer, "--out", out];
  const { status } = await hebb(["train", "mlp", ...args]);
  expect(status).toBe(0);
  const { lr } = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
  expect(lr).toBe({ adamax: 0.002, adagrad: 0.01, adadelta: 1, rmsprop: 0.001 }[optimizer]);
});

test("a run made in code is told from one of the command line", async () => {
  const made = join(folder, "made");
  mkdirSync(made);
  for (const config of [{}, { lr: 0.1 }, { model: "mlp" }]) {
    writeFileSync(join(made, "config.json"), JSON.stringify(config));
    for (const args of [
      ["eval", made],
      ["train", "--resume", made],
      ["predict", made, "x.png"],
    ]) {
      const { status, stderr } = await hebb(args);
      expect(status).toBe(2);
      expect(stderr).toMatch(
        /^hebb: .*made was made in code, not by hebb train \(.*\); there, trainer\.fit\(data, \{ resume: "/,
      );
    }
  }
});

test("a config.json that cannot be used is told with the key", async () => {
  const spoilt = join(folder, "spoilt");
  const file = join(spoilt, "config.json");
  cpSync(run, spoilt, { recursive: true });
  const whole = JSON.parse(readFileSync(file, "utf8"));
  for (const [content, message] of [
    ["null", " holds no JSON object; mend it by hand"],
    ["[]", " holds no JSON object; mend it by hand"],
    ["5", " holds no JSON object; mend it by hand"],
    [JSON.stringify({ ...whole, lr: "abc" }), ': "lr" takes a number above 0, not "abc"'],
    [JSON.stringify({ ...whole, model: { a: 1 } }), ': "model" takes a name, not {"a":1}'],
    [JSON.stringify({ ...whole, threads: null }), ': "threads" takes a whole number from 1 to 256, not null'],
  ]) {
    writeFileSync(file, content);
    for (const args of [
      ["eval", spoilt],
      ["train", "--resume", spoilt],
      ["predict", spoilt, "x.png"],
    ])
      expect(await hebb(args)).toEqual({ status: 2, stdout: "", stderr: `hebb: ${file}${message}\n` });
  }
  writeFileSync(file, "{");
  const { status, stderr } = await hebb(["eval", spoilt]);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/config\.json is not JSON \(.*\); mend it by hand\n$/)]);
});

test("eval of a model that gives NaN fails", async () => {
  const broken = join(folder, "broken");
  cpSync(run, broken, { recursive: true });
  const step = join(broken, "checkpoints/step-000008");
  const { tensors } = await readSafetensors(join(step, "model.safetensors"));
  (tensors.get("11.bias")!.data as Float32Array)[0] = Number.NaN;
  await writeSafetensors(join(step, "model.safetensors"), tensors);
  const sums = ["model.safetensors", "optimizer.safetensors", "state.json"].map((name) => {
    const hash = createHash("sha256").update(readFileSync(join(step, name)));
    return `${hash.digest("hex")}  ${name}\n`;
  });
  writeFileSync(join(step, "DONE"), sums.join(""));
  const { status, stdout, stderr } = await hebb(["eval", broken]);
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^hebb: the loss of .*broken over 64 test samples of glyphs is NaN, .* --lr 0\.0003\n$/);
});

test("a run remembers the data folder that HEBB_DATA named, as long as it is there", async (context) => {
  if (!hasData("mnist/t10k-images-idx3-ubyte.gz")) return context.skip("MNIST is not there");
  const taught = join(folder, "taught");
  const data = join(folder, "data");
  symlinkSync(resolve(realData), data);
  vi.stubEnv("HEBB_DATA", data);
  const args = ["train", "mlp", "--data", "mnist", "--samples", "16", "--max-steps", "1", "--out", taught];
  expect((await hebb(args)).status).toBe(0);
  expect(JSON.parse(readFileSync(join(taught, "config.json"), "utf8")).dataDir).toBe(data);
  vi.stubEnv("HEBB_DATA", "");
  vi.stubEnv("XDG_CACHE_HOME", folder);
  expect((await hebb(["eval", taught])).status).toBe(0);
  expect((await hebb(["train", "--resume", taught, "--max-steps", "1"])).status).toBe(0);
  rmSync(data);
  vi.stubEnv("HEBB_DATA", realData);
  expect((await hebb(["eval", taught])).status).toBe(0);
  vi.unstubAllEnvs();
});

test("a folder that cannot be written to fails in one line, with nothing lost", async () => {
  const file = join(folder, "a-file");
  writeFileSync(file, "kept");
  const { status, stderr } = await hebb([...small, "--out", join(file, "run")]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^hebb: --out: cannot make the folder .*(ENOTDIR|EEXIST)/);
  expect(readFileSync(file, "utf8")).toBe("kept");
});

test("the default data set is mnist where its files are, else glyphs, and that is said", async () => {
  const empty = join(folder, "empty");
  mkdirSync(empty);
  const { status, stderr } = await hebb([
    "train",
    "lenet5",
    "--data-dir",
    empty,
    "--samples",
    "16",
    "--max-steps",
    "1",
    "--out",
    join(folder, "default"),
  ]);
  expect(status).toBe(0);
  expect(stderr).toContain(
    `data: glyphs (drawn digits, since mnist is not in ${empty}; --data mnist --download fetches it)\n`,
  );
});

test("weights are saved under PyTorch's names", async () => {
  const { tensors } = await readSafetensors(join(run, "checkpoints/step-000008/model.safetensors"));
  expect([...tensors.keys()].sort()).toEqual([
    "0.bias",
    "0.weight",
    "11.bias",
    "11.weight",
    "3.bias",
    "3.weight",
    "7.bias",
    "7.weight",
    "9.bias",
    "9.weight",
  ]);
});
