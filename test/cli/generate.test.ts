// Language models by the command line: trained, measured, asked to write.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { hebb, lastJson } from "./run-cli.ts";

const data = process.env.HEBB_DATA ?? "../shared/data";
const found = existsSync(join(data, "tiny-shakespeare")) && existsSync(join(data, "ptb"));
if (!found) console.log(`generate: skipped, there is no tiny-shakespeare or ptb in ${data} (set HEBB_DATA)`);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-generate-"));
  vi.stubEnv("HEBB_DATA", data);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const small = "--samples 64 --batch 8 --max-steps 6 --device wasm --json".split(" ");

describe.skipIf(!found)("with the texts", () => {
  test("characters: train, eval, generate, reproducibly and in several ways", { timeout: 60_000 }, async () => {
    const run = join(folder, "characters");
    const trained = await hebb(["train", "charrnn", ...small, "--out", run]);
    expect(trained.status, trained.stderr).toBe(0);
    const { test: measured, perplexity } = lastJson(trained);
    expect(perplexity).toBeCloseTo(Math.exp(measured.loss), 3);
    expect(lastJson(await hebb(["eval", run, "--json"])).perplexity).toBeCloseTo(perplexity, 3);
    const ask = async (...flags: string[]): Promise<string> => {
      const outcome = await hebb(["generate", run, "--length", "12", "--device", "wasm", ...flags]);
      expect(outcome.status, outcome.stderr).toBe(0);
      expect(outcome.stderr).toMatch(/^12 tokens, \d+ a second\n$/);
      return outcome.stdout;
    };
    const text = await ask("--prompt", "KING:");
    expect(text).toMatch(/^KING:[\s\S]{12}\n$/);
    expect(await ask("--prompt", "KING:")).toBe(text);
    expect(await ask("--prompt", "KING:", "--seed", "2")).not.toBe(text);
    const likeliest = await ask("--prompt", "KING:", "--temperature", "0");
    expect(await ask("--prompt", "KING:", "--temperature", "0", "--seed", "2")).toBe(likeliest);
    expect(await ask("--prompt", "KING:", "--beams", "1")).toBe(likeliest);
    const json = lastJson(
      await hebb(["generate", run, "--prompt", "KING:", "--length", "12", "--device", "wasm", "--json"]),
    );
    expect(`${json.text}\n`).toBe(text);
    const inspected = await hebb(["inspect", run, "--samples", "8", "--device", "wasm", "--json"]);
    expect(inspected.status, inspected.stderr).toBe(0);
    const html = readFileSync(lastJson(inspected).page, "utf8");
    expect(html).toContain("Left out: the model learns which token comes next.");
    expect(html).not.toContain("<h2>Confusion</h2>");
    expect(lastJson(inspected).perplexity).toBeCloseTo(Math.exp(lastJson(inspected).loss), 3);
    vi.stubEnv("HEBB_DATA", join(folder, "nowhere")); // the run knows its vocabulary
    expect(await ask("--prompt", "KING:")).toBe(text);
    vi.stubEnv("HEBB_DATA", data);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const stopped = await hebb(["generate", run, "--length", "1000000", "--device", "wasm"], stop.signal);
    expect(stopped.status).toBe(130);
    const both = await hebb(["generate", run, "--beams", "2", "--seed", "3"]);
    expect(both.stderr).toBe("hebb: --beams looks for the likeliest text and draws none; leave --seed out\n");
    const unknown = await hebb(["generate", run, "--prompt", "naïve"]);
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain('--prompt: the run does not know "ï"; it knows these: ');
    const kept = readFileSync(join(run, "vocabulary.json"), "utf8");
    writeFileSync(join(run, "vocabulary.json"), "{");
    expect((await hebb(["generate", run])).stderr).toMatch(/^hebb: .*vocabulary\.json is damaged \(.*; delete it/);
    writeFileSync(join(run, "vocabulary.json"), kept);
  });

  test("words: states are carried in training, and a resumed run ends as one never stopped", {
    timeout: 120_000,
  }, async () => {
    const flags = "--samples 8 --batch 4 --epochs 1 --device wasm --json".split(" ");
    const whole = await hebb(["train", "wordlstm", ...flags, "--out", join(folder, "whole")]);
    expect(whole.status, whole.stderr).toBe(0);
    const parts = join(folder, "parts");
    await hebb(["train", "wordlstm", ...flags, "--max-steps", "1", "--out", parts]);
    const resumed = await hebb(["train", "--resume", parts, "--json"]);
    expect(lastJson(resumed).test).toEqual(lastJson(whole).test);
    const { stdout } = await hebb(["generate", parts, "--prompt", "the company", "--length", "5"]);
    expect(stdout).toMatch(/^the company( \S+|\n\S*){5}\n$/);
  });
});

test("a run that is of no language model is told", async () => {
  const run = join(folder, "digits");
  await hebb(["train", "mlp", "--data", "glyphs", ...small, "--out", run]);
  expect((await hebb(["generate", run])).stderr).toBe(`hebb: ${run} is a run of mlp, which is no language model\n`);
});
