// hebb inspect: its figures against values computed apart from it, a page that stands alone, and what it refuses.
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chartsOf } from "../../src/cli/inspect/curves.ts";
import { histogramOf } from "../../src/cli/inspect/layers.ts";
import { glyphs } from "../../src/data/index.ts";
import { tensor } from "../../src/graph/index.ts";
import { readSafetensors } from "../../src/io/index.ts";
import { load, namedParameters } from "../../src/nn/index.ts";
import { lenet5 } from "../../src/zoo/index.ts";
import { hebb, lastJson, small } from "./run-cli.ts";

const count = 64;
let folder: string;
let run: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hebb-inspect-"));
  run = join(folder, `<b onclick="x()">&'run`);
  expect((await hebb([...small, "--device", "wasm", "--out", run])).status).toBe(0);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pageIn = (file: string): string => readFileSync(file, "utf8");
// biome-ignore lint/suspicious/noExplicitAny: the tests say what is in it
const figuresIn = (html: string): Record<string, any> =>
  JSON.parse(/<script type="application\/json" id="figures">(.*?)<\/script>/s.exec(html)![1]);

/** The trained model's weights and the test samples as the model takes them, each read without the command. */
async function trained(): Promise<{
  logits: number[][];
  labels: number[];
  weights: Map<string, number[]>;
  x: Float32Array;
}> {
  const model = lenet5();
  const last = readFileSync(join(run, "last"), "utf8").trim();
  const { tensors } = await readSafetensors(join(run, "checkpoints", last, "model.safetensors"));
  await load(model, tensors);
  const weights = new Map<string, number[]>();
  for (const [name, parameter] of namedParameters(model)) weights.set(name, Array.from(await parameter.data(), Number));
  const batch = (await glyphs("test", { count }).normalize().batch(count).raw().next()).value!;
  const flat = Array.from(await model.forward(tensor(batch.x, [count, 1, 28, 28])).data(), Number);
  const logits = Array.from({ length: count }, (_, i) => flat.slice(10 * i, 10 * (i + 1)));
  return { logits, labels: Array.from(batch.y), weights, x: batch.x as Float32Array };
}

const probabilities = (logits: readonly number[]): number[] => {
  const powers = logits.map((z) => Math.exp(z - Math.max(...logits)));
  return powers.map((p) => p / powers.reduce((sum, each) => sum + each));
};
const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
const deviation = (values: readonly number[]): number => {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
};
const normOf = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

test("the page's figures are those computed apart from it", async () => {
  const outcome = await hebb(["inspect", run, "--device", "wasm", "--json"]);
  expect(outcome.status).toBe(0);
  const figures = figuresIn(pageIn(join(run, "inspect.html")));
  const { logits, labels } = await trained();
  const told = logits.map((row) => row.indexOf(Math.max(...row)));
  const confusion = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  labels.forEach((label, i) => void confusion[label][told[i]]++);
  expect(figures.confusion).toEqual(confusion);
  const right = told.filter((answer, i) => answer === labels[i]).length;
  expect(figures.accuracy).toBeCloseTo(right / count, 6);
  expect(figures.loss).toBeCloseTo(mean(logits.map((row, i) => -Math.log(probabilities(row)[labels[i]]))), 5);
  expect(lastJson(outcome)).toMatchObject({ command: "inspect", run, samples: count, step: 8, loss: figures.loss });

  const wrong = told.flatMap((answer, sample) => (answer === labels[sample] ? [] : [{ sample, answer, sure: probabilities(logits[sample])[answer] }])); // biome-ignore format: a line
  wrong.sort((a, b) => b.sure - a.sure);
  expect(figures.wrong.map(({ sample, answer }: { sample: number; answer: number }) => ({ sample, answer }))).toEqual(
    wrong.map(({ sample, answer }) => ({ sample, answer })),
  );
  expect(figures.wrong[0].probability).toBeCloseTo(wrong[0].sure, 5);
});

test("activations of the first layer are those of a convolution written out", async () => {
  const figures = figuresIn(pageIn(join(run, "inspect.html")));
  const { weights, x } = await trained();
  const [kernel, bias] = [weights.get("0.weight")!, weights.get("0.bias")!];
  const active: number[] = [];
  for (let n = 0; n < count; n++)
    for (let c = 0; c < 6; c++)
      for (let place = 0; place < 784; place++) {
        let sum = bias[c];
        for (let k = 0; k < 25; k++) {
          const [row, column] = [Math.floor(place / 28) + Math.floor(k / 5) - 2, (place % 28) + (k % 5) - 2];
          if (row >= 0 && row < 28 && column >= 0 && column < 28)
            sum += kernel[25 * c + k] * x[784 * n + 28 * row + column];
        }
        active.push(Math.tanh(sum));
      }
  const [first] = figures.activations;
  expect(first).toMatchObject({ name: 'Conv2d "0"', output: [6, 28, 28] });
  expect(first.activation.mean).toBeCloseTo(mean(active), 5);
  expect(first.activation.deviation).toBeCloseTo(deviation(active), 5);
  expect(first.activation.zeros).toBe(0);
  expect(first.flat).toBeCloseTo(active.filter((a) => 1 - a * a < 0.05).length / active.length, 4);
  expect(first.flat).toBeGreaterThan(0);
  const pooled = figures.activations[1];
  expect(pooled.name).toBe('AvgPool2d "2"');
  expect(pooled.activation.mean).toBeCloseTo(mean(active), 5);
  expect(pooled).not.toHaveProperty("flat");
});

test("gradients of the last layer are (softmax − label) / samples, norms those of the weights", async () => {
  const figures = figuresIn(pageIn(join(run, "inspect.html")));
  const { logits, labels, weights } = await trained();
  const slopes = logits.map((row, i) => probabilities(row).map((p, c) => (p - (c === labels[i] ? 1 : 0)) / count));
  const last = figures.activations.at(-1);
  expect(last.name).toBe('Linear "11"');
  expect(last.gradient.deviation).toBeCloseTo(deviation(slopes.flat()), 7);
  const ofBias = Array.from({ length: 10 }, (_, c) => slopes.reduce((sum, row) => sum + row[c], 0));
  expect(figures.parameters.map(({ name }: { name: string }) => name)).toEqual([...weights.keys()]);
  const bias = figures.parameters.at(-1);
  expect(bias.gradientNorm).toBeCloseTo(normOf(ofBias), 6);
  for (const { name, norm } of figures.parameters) expect(norm).toBeCloseTo(normOf(weights.get(name)!), 4);
});

test("curves hold what the run logged", async () => {
  const { charts } = figuresIn(pageIn(join(run, "inspect.html")));
  expect(charts.map(({ title }: { title: string }) => title)).toEqual(["loss", "accuracy", "learning rate"]);
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
  const epochs = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "epoch");
  expect(charts[0].steps).toEqual([1, 4, 8]);
  expect(charts[0].curves[2]).toEqual({ name: "validation", values: [null, ...epochs.map((e) => e.validation.loss)] });
});

test("what is no number is a gap, and long curves are thinned", () => {
  const steps = Array.from({ length: 5000 }, (_, i) => ({ kind: "step", step: i + 1, loss: i === 4999 ? "NaN" : i }));
  const [{ steps: kept, curves }] = chartsOf(steps);
  expect(kept.length).toBeLessThanOrEqual(2000);
  expect(kept.at(-1)).toBe(5000);
  expect(curves[0].values.at(-1)).toBeNull();
  expect(chartsOf([])).toEqual([]);
});

test("histograms lie about 0, count all finite values and gather the far ones at the ends", () => {
  const values = Array.from({ length: 1001 }, (_, i) => (i - 500) / 500);
  const { low, high, counts } = histogramOf([...values, 1e6, Number.NaN, Number.POSITIVE_INFINITY]);
  expect(low).toBe(-high);
  expect(high).toBeLessThanOrEqual(1);
  expect(counts.reduce((sum, n) => sum + n)).toBe(1002);
  expect(counts[12]).toBeGreaterThan(35);
  expect(histogramOf([0, 0, 0])).toMatchObject({ low: 0, high: 0 });
  expect(histogramOf([2, 4])).toMatchObject({ low: 0, high: 4 });
});

test("the page stands alone, and names are text in it", async () => {
  const html = pageIn(join(run, "inspect.html"));
  expect(html).not.toContain("<b onclick");
  expect(html).toContain("&#60;b onclick=&#34;x()&#34;&#62;&#38;&#39;run");
  expect(html.match(/(?:src|href)="(?!data:image\/png;base64,|#)[^"]*"/g)).toBeNull();
  expect(html).not.toMatch(/<link|@import|url\(/);
  for (const title of ["Curves", "Model", "Filters", "Feature maps", "Activations", "Gradients", "Confusion"])
    expect(html).toContain(`<h2>${title}</h2>`);
  expect(html).not.toContain("Left out");
});

test("a page is made anew, in another place too, and for a model without convolutions", async () => {
  const out = join(folder, "page.html");
  const mlp = join(folder, "mlp");
  await hebb(["train", "mlp", ...small.slice(2), "--device", "wasm", "--out", mlp]);
  for (const most of ["16", "40"])
    expect((await hebb(["inspect", mlp, "--out", out, "--samples", most, "--best"])).status).toBe(0);
  const html = pageIn(out);
  expect(figuresIn(html)).toMatchObject({ model: "mlp", samples: 40, watched: 40 });
  expect(html).toContain('alt="filters of 1.weight"');
  expect(html).toContain("Left out: every layer gives plain vectors.");
});

test("what cannot be done is said in one line, and nothing is written", async () => {
  const bare = join(folder, "bare");
  const damaged = join(folder, "damaged");
  const mine = join(folder, "mine.html");
  cpSync(run, bare, { recursive: true });
  rmSync(join(bare, "checkpoints"), { recursive: true });
  mkdirSync(join(bare, "checkpoints"));
  for (const pointer of ["last", "best"]) rmSync(join(bare, pointer));
  cpSync(run, damaged, { recursive: true });
  const metrics = join(damaged, "metrics.jsonl");
  const { length } = readFileSync(metrics);
  appendFileSync(metrics, 'half a li\n{"kind":"step","step":9,"loss":1}\n');
  writeFileSync(mine, "<!doctype html>\n<p>a letter");
  const cases: [string[], number, string][] = [
    [[], 2, "inspect needs one run folder, e.g. hebb inspect runs/lenet5-mnist-20260101-120000"],
    [[join(folder, "none")], 2, `${join(folder, "none")} is not a run (there is no such folder); give the folder that a training run made`],
    [[bare], 1, `${bare} has saved no checkpoint yet; train it with: hebb train --resume ${bare}`],
    [[damaged], 1, `${metrics} at byte ${length}: this line is not a JSON object; delete it`],
    [[run, "--out", mine], 2, `${mine} was not made by hebb inspect, so it is left as it is; choose another --out`],
    [[run, "--out", folder], 2, `${folder} is no file; choose another --out`],
    [[run, "--out", join(folder, "no", "page.html")], 2, `${join(folder, "no", "page.html")}: there is no folder ${join(folder, "no")}; make it, or choose another --out`],
    [[run, "--samples", "0"], 2, '--samples takes a whole number from 1 to 1000000, not "0"'],
  ]; // biome-ignore format: a table
  for (const [args, status, line] of cases) {
    const outcome = await hebb(["inspect", ...args]);
    expect([outcome.status, outcome.stderr.trimEnd()]).toEqual([status, `hebb: ${line}`]);
  }
  expect(readFileSync(mine, "utf8")).toBe("<!doctype html>\n<p>a letter");
});
