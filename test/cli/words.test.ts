// Vectors of words by the command line: trained on a text of one's own, resumed, measured, asked, written to a file.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../../src/data/index.ts";
import { parseWordVectors } from "../../src/io/index.ts";
import { hasData, realData } from "../data/real-data.ts";
import { hebb, lastJson } from "./run-cli.ts";

let folder: string;
let run: string;
let training: string[];

/** Words of a topic, "va", "wa" … or "vb", "wb" …, only ever stand together. */
function madeUp(): string {
  const next = randomStream(9);
  const lines = Array.from({ length: 10_000 }, (_, i) => {
    const topic = "abcde"[Math.floor(i / 100) % 5]; // a thousand words, of which frequent ones are mostly passed over
    return Array.from({ length: 10 }, () => `${"VWXYZ"[next() % 5]}${topic}`).join(" ");
  });
  return `${lines.join(",\n")}. Once.\n`;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hebb-words-"));
  run = join(folder, "whole");
  writeFileSync(join(folder, "book.txt"), madeUp());
  writeFileSync(join(folder, "book.gz"), gzipSync(madeUp()));
  const flags = "--batch 32 --epochs 2 --lr 0.05 --device wasm --json".split(" ");
  training = ["--data", join(folder, "book.txt"), "--data-dir", folder, ...flags];
  const { status, stderr } = await hebb(["train", "skipgram", ...training, "--out", run]);
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("100000 words of 25 kinds");
  expect(stderr).toMatch(/words\/s/);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const weightsOf = (path: string): Buffer => {
  const step = readFileSync(join(path, "last"), "utf8").trim();
  return readFileSync(join(path, "checkpoints", step, "model.safetensors"));
};

test("a resumed run ends bit for bit as one never stopped", { timeout: 120_000 }, async () => {
  const parts = join(folder, "parts");
  await hebb(["train", "skipgram", ...training, "--max-steps", "1100", "--out", parts]);
  const resumed = await hebb(["train", "--resume", parts, "--json"]);
  expect(resumed.status, resumed.stderr).toBe(0);
  expect(weightsOf(parts).equals(weightsOf(run))).toBe(true);
  const { steps, samples } = lastJson(await hebb(["train", "--resume", run, "--json"]));
  expect(samples).toBe(0);
  expect(lastJson(resumed)).toMatchObject({ steps, resumedAt: 1100 });
});

test("the rate falls in a line, the loss falls, an epoch reads the text once", () => {
  const events = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
  const all = events.map((line) => JSON.parse(line));
  const steps = all.filter(({ kind }) => kind === "step");
  const epochs = all.filter(({ kind }) => kind === "epoch");
  const last = epochs[1].step;
  for (const { step, lr } of steps) expect(lr / (0.05 * (1 - (0.9999 * (step - 1)) / last))).toBeCloseTo(1, 6);
  expect(last).toBe(2 * epochs[0].step);
  for (const [i, { samples }] of epochs.entries()) expect(samples / (100_000 * (i + 1))).toBeCloseTo(1, 1);
  expect(epochs[1].loss).toBeLessThan(epochs[0].loss);
  expect(epochs[0].loss).toBeLessThan(6 * Math.LN2);
});

test("neighbours are the words of the same topic, and the file has all vectors", async () => {
  const out = join(folder, "vectors.txt");
  const { stdout, stderr, status } = await hebb(["vectors", run, "va", "ZC", "--length", "4", "--out", out, "--json"]);
  expect(status, stderr).toBe(0);
  const { neighbours, words } = lastJson({ stdout, stderr, status });
  expect(neighbours.map(({ word }: { word: string }) => word)).toEqual(["va", "ZC"]);
  for (const [i, topic] of ["a", "c"].entries())
    expect(neighbours[i].nearest.map(({ word: near }: { word: string }) => near[1])).toEqual(new Array(4).fill(topic));
  expect(words).toBe(25);
  const table = parseWordVectors(readFileSync(out), "text");
  expect(table.words.toSorted()).toEqual([..."abcde"].flatMap((t) => [..."vwxyz"].map((w) => w + t)).toSorted());
  const [a, b] = ["va", neighbours[0].nearest[0].word].map((word) => {
    const at = table.words.indexOf(word) * table.features;
    return table.values.subarray(at, at + table.features);
  });
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, v, i) => sum + v * y[i], 0);
  expect(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))).toBeCloseTo(neighbours[0].nearest[0].cosine, 5);
  const binary = join(folder, "vectors.bin");
  expect((await hebb(["vectors", run, "--out", binary])).stdout).toBe(`25 vectors of 100 written to ${binary}\n`);
  expect(parseWordVectors(readFileSync(binary), "binary").values).toEqual(table.values);
  const said = await hebb(["vectors", run, "va", "--length", "1"]);
  expect(said.stdout).toMatch(/^va: [v-z]a [01]\.\d{3}\n$/);
});

test("cbow learns from a gzip of the text, of its first words", { timeout: 60_000 }, async () => {
  const out = join(folder, "cbow");
  const gzip = training.map((word) => word.replace("book.txt", "book.gz"));
  const { stderr, status } = await hebb(["train", "cbow", ...gzip, "--samples", "90000", "--out", out]);
  expect(status, stderr).toBe(0);
  expect(stderr).toContain("90000 words of 25 kinds");
  const { neighbours } = lastJson(await hebb(["vectors", out, "vd", "--length", "4", "--json"]));
  expect(neighbours[0].nearest.map(({ word }: { word: string }) => word[1])).toEqual(["d", "d", "d", "d"]);
});

test("words that are numbers are answered in the order asked; a text that changed ends a run", async () => {
  const [book, out] = [join(folder, "numbers.txt"), join(folder, "numbers")];
  const train = ["train", "skipgram", "--data", book, "--data-dir", folder, "--device", "wasm"];
  writeFileSync(book, "b 5 constructor 7 ".repeat(2000));
  expect((await hebb([...train, "--epochs", "150000", "--max-steps", "1", "--out", out])).status).toBe(0);
  const asked = ["b", "constructor", "7", "5", "b"];
  const { stdout } = await hebb(["vectors", out, ...asked]);
  expect(stdout.split("\n").map((line) => line.split(":")[0])).toEqual([...asked, ""]);
  const { neighbours } = lastJson(await hebb(["vectors", out, ...asked, "--json"]));
  expect(neighbours.map(({ word }: { word: string }) => word)).toEqual(asked);
  expect((await hebb(["train", "--resume", out, "--max-steps", "2"])).status).toBe(0);
  for (const changed of ["b 5 builder 7 ", "b 5 5 constructor 7 "]) {
    writeFileSync(book, changed.repeat(2000));
    const { status, stderr } = await hebb(["train", "--resume", out]);
    expect([status, stderr]).toEqual([
      2,
      `hebb: ${out} was trained on another text than ${book} now has; give the file its text again, or train a new run\n`,
    ]);
  }
});

test("without the files of questions a line says so; with them their share is told", async () => {
  const { stdout, status } = await hebb(["eval", run]);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^no analogies: questions-words\.txt is not in .*\nno likeness: combined\.csv is not in .*\n\n25 vectors, step \d+\n$/,
  );
  writeFileSync(join(folder, "questions-words.txt"), ": mine\na b c d\n");
  expect((await hebb(["eval", run])).stderr).toMatch(/^hebb: .*questions-words\.txt: SHA-256 differs/);
  rmSync(join(folder, "questions-words.txt"));
  if (!hasData("word2vec-analogy/questions-words.txt")) return;
  const told = lastJson(await hebb(["eval", run, "--data-dir", realData, "--json"]));
  expect(told).toMatchObject({ command: "eval", model: "skipgram", words: 25, analogies: { asked: 0 } });
});

test("what cannot be is said in one line", { timeout: 60_000 }, async () => {
  const errorOf = async (...args: string[]): Promise<string> => {
    const { status, stderr } = await hebb(args);
    expect(status).toBeGreaterThan(0);
    return stderr.split("\n").at(-2)!;
  };
  expect(await errorOf("vectors", run, "once")).toBe(
    `hebb: ${run} has no vector of "once", which is not one of the 25 words that come five times in its text`,
  );
  const config = join(run, "config.json");
  expect(await errorOf("vectors", run, "--out", config)).toMatch(
    /was not made by hebb vectors, so it is left as it is/,
  );
  expect(await errorOf("predict", run, "x.png")).toBe(
    "hebb: skipgram learns vectors of words; its runs are for hebb eval and vectors",
  );
  expect(await errorOf("eval", run, "--batch", "3")).toMatch(/no data set is for; leave --batch out$/);
  expect(await errorOf("eval", run, "--beams", "3")).toMatch(/--beams is of models that translate, skipgram does not$/);
  expect(await errorOf("train", "cbow", "--init", run, "--data", join(folder, "book.txt"))).toBe(
    "hebb: --init copies rows by their number, which in another text is another word's, so cbow takes none; leave it out, or continue a run with --resume",
  );
  const short = join(folder, "short.txt");
  writeFileSync(short, "a b c d");
  expect(await errorOf("train", "cbow", "--data", short)).toBe(
    `hebb: no word comes five times in what is read of ${short}; take a longer text, or more --samples`,
  );
  writeFileSync(short, "a ".repeat(9));
  expect(await errorOf("train", "cbow", "--data", short)).toMatch(/none of its 9 words has another beside it/);
  const book = join(folder, "book.txt");
  expect(await errorOf("train", "cbow", "--data", book, "--optimizer", "lbfgs", "--out", join(folder, "x"))).toMatch(
    /lbfgs searches for its steps by a loss/,
  );
  writeFileSync(short, Uint8Array.of(97, 0xff, 97));
  expect(await errorOf("train", "cbow", "--data", short)).toMatch(/short\.txt.*expected UTF-8 text/);
  expect(await errorOf("train", "cbow", "--data", join(folder, "none.txt"))).toMatch(/none\.txt/);
  expect(await errorOf("train", "cbow", "--data", "text8", "--data-dir", folder, "--download")).toMatch(
    /text8-first-6500000\.gz has no address to fetch it from; take the first 6,500,000 bytes of text8 .* and save it as/,
  );
  expect(await errorOf("train", "cbow", "--data", "text8", "--data-dir", folder)).toMatch(
    /^hebb: text8-first-6500000\.gz is not in \S+ or \S+ or \S+; put it there: the first 6,500,000 bytes of text8 \([^)]*\), plain without \.gz or by gzip -9n, or name the folder that has it with --data-dir or HEBB_DATA \(in code, dir\)$/,
  );
  writeFileSync(join(folder, "text8-first-6500000"), "a b");
  for (const flags of [[], ["--download"]])
    expect(await errorOf("train", "cbow", "--data", "text8", "--data-dir", folder, ...flags)).toMatch(
      /SHA-256 differs.*; put in its place the first 6,500,000 bytes of text8 .*, or in code verify: false, which takes it as it is$/,
    );
  for (const [model, name] of [
    ["cbow", "package.json"],
    ["mlp", "src"],
  ])
    expect(await errorOf("train", model, "--data", name)).toBe(
      `hebb: there is no data set "${name}"; for what lies here under that name: --data ./${name}`,
    );
  expect(existsSync(join(folder, "x"))).toBe(false);
  const { layers, parameters } = lastJson(await hebb(["info", "cbow", "--json"]));
  expect(layers.map(({ multiplyAdds }: { multiplyAdds: number }) => multiplyAdds)).toEqual([1000, 600]);
  expect(parameters).toBe(2 * 14_900 * 100);
});
