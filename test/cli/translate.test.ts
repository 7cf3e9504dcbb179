// Models of pairs of sequences by the command line: trained, resumed, measured, asked, looked into.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hebb, lastJson } from "./run-cli.ts";

let folder: string;
let run: string;
const small = "--data reverse --samples 64 --batch 16 --epochs 2 --device wasm --json".split(" ");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hebb-translate-"));
  run = join(folder, "whole");
  const { status, stderr } = await hebb(["train", "attention", ...small, "--out", run]);
  expect(status, stderr).toBe(0);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const figuresOf = (file: string): object => JSON.parse(readFileSync(file, "utf8"));

test("a resumed run ends bit for bit as one never stopped", { timeout: 120_000 }, async () => {
  const parts = join(folder, "parts");
  await hebb(["train", "attention", ...small, "--max-steps", "3", "--out", parts]);
  const resumed = await hebb(["train", "--resume", parts, "--json"]);
  expect(resumed.status, resumed.stderr).toBe(0);
  const weights = (path: string): Buffer => readFileSync(join(path, "checkpoints", "step-000008", "model.safetensors"));
  expect(weights(parts).equals(weights(run))).toBe(true);
  const { test: measured, training } = lastJson(resumed);
  expect(training).toEqual((figuresOf(join(run, "result.json")) as { training: object }).training);
  expect(measured.perplexity).toBeCloseTo(Math.exp(measured.loss), 5);
});

test("eval tells what training told, words count once each, beams search", { timeout: 120_000 }, async () => {
  const evaluated = lastJson(await hebb(["eval", run, "--json"]));
  expect(evaluated).toMatchObject({ command: "eval", model: "attention", data: "reverse", pairs: 64, step: 8 });
  expect(evaluated.perplexity).toBeCloseTo(Math.exp(evaluated.loss), 5);
  const again = lastJson(await hebb(["train", "--resume", run, "--json"]));
  expect(again.test.loss).toBeCloseTo(evaluated.loss, 5); // other batches
  expect(again.test.samples).toBe(evaluated.samples);
  expect(evaluated.samples).toBeGreaterThan(5 * 64); // words rather than pairs
  const searched = await hebb(["eval", run, "--samples", "3", "--beams", "2"]);
  expect(searched.stdout).toMatch(
    /^exact \d+\.\d\d %, perplexity \d+\.\d\d, loss \d\.\d{4} nats a token over 3 test pairs/,
  );
});

test("generate answers a prompt from the words that the run keeps", { timeout: 60_000 }, async () => {
  const { stdout } = await hebb(["generate", run, "--prompt", "a b c"]);
  expect(stdout).toMatch(/^[a-h]*\n$/);
  const greedy = lastJson(await hebb(["generate", run, "--prompt", "abc", "--json"]));
  expect(`${greedy.text}\n`).toBe(stdout);
  const beam = lastJson(await hebb(["generate", run, "--prompt", "abc", "--beams", "1", "--json"]));
  expect(beam.text).toBe(greedy.text);
  const file = join(run, "vocabularies.json");
  const kept = readFileSync(file, "utf8");
  writeFileSync(file, "{}");
  expect((await hebb(["generate", run, "--prompt", "abc"])).stderr).toMatch(
    /^hebb: .*vocabularies\.json is damaged \(.*; delete it/,
  );
  writeFileSync(file, kept);
});

test("inspect shows curves, alignments that add up to 1, and translations", { timeout: 60_000 }, async () => {
  const inspected = lastJson(await hebb(["inspect", run, "--samples", "5", "--json"]));
  const html = readFileSync(inspected.page, "utf8");
  for (const title of ["Curves", "Alignments", "Translations"]) expect(html).toContain(`<h2>${title}</h2>`);
  expect(html).not.toContain("<h2>Filters</h2>");
  const { said } = JSON.parse(/id="figures">(.*?)<\/script>/s.exec(html)![1]);
  expect(said).toHaveLength(5);
  for (const { source, reference, translation, weights } of said) {
    expect(reference).toEqual([...source].reverse());
    expect(weights).toHaveLength(translation.length + 1);
    for (const row of weights) {
      expect(row).toHaveLength(source.length);
      expect(row.reduce((sum: number, w: number) => sum + w, 0)).toBeCloseTo(1, 5);
    }
  }
});

test("without attention: sums, the source backwards, no alignments", { timeout: 120_000 }, async () => {
  const [plain, backwards] = [join(folder, "plain"), join(folder, "backwards")];
  const tiny = "--samples 8 --batch 8 --epochs 1 --device wasm".split(" ");
  expect((await hebb(["train", "encoder-decoder", ...tiny, "--out", plain])).status).toBe(0);
  expect((await hebb(["generate", plain, "--prompt", "12+34"])).stdout).toMatch(/^[0-9+]*\n$/);
  expect((await hebb(["train", "seq2seq", "--data", "sort", ...tiny, "--out", backwards])).status).toBe(0);
  const { page } = lastJson(await hebb(["inspect", backwards, "--json"]));
  const html = readFileSync(page, "utf8");
  expect(html).toContain("Left out: the model has no attention.");
  const { said } = JSON.parse(/id="figures">(.*?)<\/script>/s.exec(html)![1]);
  expect(html).toContain("it reads the source backwards");
  expect(said[0].reference).toEqual([...said[0].source].sort());
});

test("misuse in one line", async () => {
  const cases: Record<string, string> = {
    "train attention --data mnist":
      "attention does not fit mnist, which has no pairs of sequences; data sets that fit: multi30k, cmn-eng, addition, copy, reverse, sort",
    "train attention --data /images":
      "attention does not fit /images, which has no pairs of sequences; data sets that fit: multi30k, cmn-eng, addition, copy, reverse, sort",
    "train charlstm --data reverse":
      "charlstm does not fit reverse, which has pairs of sequences; models that fit: seq2seq, encoder-decoder, attention",
    "train attention --data reverse --shift 2": "--shift is for images; reverse has none, so leave it at 0",
    "train attention --data revers": 'there is no data set "revers"; did you mean reverse?',
    [`generate ${run} --prompt abz`]:
      '--prompt: Vocabulary: "z" is not one of its 11 words; take the vocabulary of the same text',
    [`generate ${run}`]: `attention needs words to read, e.g. hebb generate ${run} --prompt 'a b c'`,
    [`generate ${run} --prompt a --temperature 2`]:
      "--temperature is of language models; attention says what is likeliest, and --beams widens its search",
    [`eval ${run} --data sort`]: `${run} knows the words of reverse, so it cannot be measured on sort`,
    [`sample ${run}`]:
      "attention learns which sequence to say for another; its runs are for hebb eval, generate and inspect",
  };
  for (const [line, message] of Object.entries(cases)) {
    const { status, stderr } = await hebb(line.split(" "));
    expect(stderr).toContain(`hebb: ${message}`);
    expect([line, status]).toEqual([line, 2]);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  }
});

const data = process.env.HEBB_DATA ?? "../shared/data";
const found = existsSync(join(data, "multi30k"));
if (!found) console.log(`translate: skipped, there is no multi30k in ${data} (set HEBB_DATA)`);

test.skipIf(!found)(
  "multi30k: rare words are read as unknown, and the run needs no data to translate",
  {
    timeout: 120_000,
  },
  async () => {
    const captions = join(folder, "captions");
    const tiny = "--samples 8 --batch 8 --epochs 1 --device wasm --json --data-dir".split(" ");
    const trained = await hebb(["train", "encoder-decoder", "--data", "multi30k", ...tiny, data, "--out", captions]);
    expect(trained.status, trained.stderr).toBe(0);
    expect(lastJson(trained).test).toMatchObject({ bleu: expect.any(Number), exact: 0 });
    const config = join(captions, "config.json");
    writeFileSync(config, JSON.stringify({ ...figuresOf(config), dataDir: join(folder, "nowhere") }));
    const asked = await hebb(["generate", captions, "--prompt", "Ein Mann xyzzy.", "--json"]);
    expect(asked.status, asked.stderr).toBe(0);
    expect(asked.stderr).toContain(`not among the words of ${captions}, so read as unknown: xyzzy\n`);
    expect(lastJson(asked).unknown).toEqual(["xyzzy"]);
  },
);
