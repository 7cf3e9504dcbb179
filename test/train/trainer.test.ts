// The Trainer: what it reports, exact resuming, early stopping, and what happens when a loss stops being finite.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Batch, Dataset, type Position } from "../../src/data/index.ts";
import { device, param, seed, type Tensor, tensor, within } from "../../src/index.ts";
import { crossEntropy, Dropout, type Layer, Linear, Sequential, stateDict, tanh } from "../../src/nn/index.ts";
import { adam, type Loss, type Optimizer, plateau, sgd, stepDecay } from "../../src/optim/index.ts";
import {
  accuracy,
  accuracyOf,
  type BatchSource,
  confusion,
  type FitOptions,
  type FitResult,
  type Metric,
  meanOf,
  Trainer,
} from "../../src/train/index.ts";
import { readMetrics } from "../../src/train/log.ts";

let folder: string;
let runs = 0;
beforeAll(() => {
  device("wasm"); // the js device keeps f32 leaves in double precision, so a checkpoint rounds them
  folder = mkdtempSync(join(tmpdir(), "hebb-trainer-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const freshRun = (): string => join(folder, `run-${runs++}`);

/** Three classes of four features, apart but not by far; 22 samples make batches of 8, 8 and 6. */
function blobs(count = 22, noise = 1): Dataset {
  const y = Uint8Array.from({ length: count }, (_, i) => i % 3);
  const x = Float32Array.from({ length: 4 * count }, (_, i) => {
    const sample = Math.floor(i / 4);
    return (i % 4 === y[sample] ? 1.5 : 0) + noise * (((i * 7919 + 13) % 101) / 101 - 0.5);
  });
  return new Dataset({ x, y }, { name: "blobs", shape: [4], classes: ["a", "b", "c"] }).batch(8);
}

type Make = (model: object, loss: (batch: Batch) => Tensor) => Optimizer<Batch>;
const withAdam: Make = (model, loss) => adam(model, loss, { lr: stepDecay(0.02, { every: 3, factor: 0.9 }) });
const withPlateau: Make = (model, loss) =>
  sgd(model, loss, { lr: plateau(0.05, { factor: 0.5, patience: 0, threshold: 0.9 }), average: 0.9 });
const withSgd: Make = (model, loss) => sgd(model, loss, { lr: 0.05, momentum: 0.9 });

type Classifier = Trainer<Batch, Tensor, { confusion: number[][] }>;

function trainerOf(make: Make = withAdam, hidden = 6): Classifier {
  seed(11);
  const model = new Sequential(new Linear(4, hidden), tanh, new Dropout(0.3), new Linear(hidden, 3));
  const loss = ({ x, y }: Batch): Tensor => crossEntropy(model.forward(x), y);
  return new Trainer(model, make(model, loss), { metrics: { accuracy }, collect: { confusion: confusion(3) } });
}

const quiet = { progress: false, logEvery: 1 } as const;

async function bits(trainer: Pick<Trainer, "model" | "optimizer">): Promise<string> {
  const tensors = [...(await stateDict(trainer.model)), ...(await stateDict(trainer.optimizer.state))];
  return tensors.map(([name, { data }]) => `${name} ${Buffer.from(data.buffer).toString("hex")}`).join("\n");
}

test("an epoch reports means over its samples, and validation as evaluate does", async () => {
  const trainer = trainerOf();
  const events: Record<string, unknown>[] = [];
  const validation = blobs(9);
  const result = await trainer.fit(blobs(), {
    ...quiet,
    epochs: 2,
    validation,
    onEvent: (event) => void events.push({ ...event }),
  });
  expect(events.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
    "step 1",
    "step 2",
    "step 3",
    "epoch 3",
    "step 4",
    "step 5",
    "step 6",
    "epoch 6",
  ]);
  const sizes = [8, 8, 6];
  const steps = events.slice(4, 7);
  for (const figure of ["loss", "accuracy"]) {
    const mean = steps.reduce((sum, event, i) => sum + sizes[i] * (event[figure] as number), 0) / 22;
    expect(events[7][figure]).toBeCloseTo(mean, 12);
  }
  const measured = await trainer.evaluate(validation);
  expect(events[7].validation).toEqual({ loss: measured!.loss, ...measured!.metrics });
  expect(result).toMatchObject({
    reason: "epochs",
    epochs: 2,
    steps: 6,
    samples: 44,
    training: { loss: events[7].loss, metrics: { accuracy: events[7].accuracy } },
  });
  const table = measured!.collected!.confusion;
  expect(table.map((row) => row.reduce((sum, n) => sum + n))).toEqual([3, 3, 3]);
  expect((table[0][0] + table[1][1] + table[2][2]) / 9).toBeCloseTo(measured!.metrics.accuracy, 12);
});

class Scores {
  weight: Tensor = param(
    new Float32Array(12).map((_, i) => i / 12),
    [4, 3],
  );
  forward(x: Tensor): Tensor {
    return x.matmul(this.weight);
  }
}

class RecordedScores extends Scores {
  override forward(x: Tensor): Tensor {
    return within(this, () => super.forward(x));
  }
}

test.each<[string, Scores, (model: Scores) => Loss<Batch>]>([
  [
    "the loss returns them",
    new Scores(),
    (model) =>
      ({ x, y }) => {
        const outputs = model.forward(x);
        return { loss: crossEntropy(outputs.mul(-1).mul(-1), y), outputs };
      },
  ],
  [
    "forward records itself",
    new RecordedScores(),
    (model) =>
      ({ x, y }) =>
        crossEntropy(model.forward(x).add(0), y),
  ],
  [
    "one loss of nn was given them",
    new Scores(),
    (model) =>
      ({ x, y }) =>
        crossEntropy(model.forward(x), y),
  ],
])("outputs are found where %s", async (_, model, lossOf) => {
  const own = Object.keys(model);
  const trainer = new Trainer(model, sgd(model, lossOf(model), { lr: 0.5 }), { metrics: { accuracy } });
  const { training, validation } = await trainer.fit(blobs(21), { ...quiet, epochs: 20, validation: blobs(21) });
  expect(validation!.metrics.accuracy).toBeGreaterThan(0.9);
  expect(training.metrics.accuracy).toBeGreaterThan(0.9);
  expect([Object.keys(model), Object.hasOwn(model, "forward")]).toEqual([own, false]);
});

/** Aborts once so many validation batches have been asked for. */
function abortingAfter(data: Dataset, batches: number, controller: AbortController): BatchSource {
  let asked = 0;
  return {
    batches: data.batches,
    async *iterate(position?: Position) {
      for await (const batch of data.iterate(position)) {
        if (++asked === batches) controller.abort();
        yield batch;
      }
    },
  };
}

test.each([
  ["adam", withAdam],
  ["sgd", withSgd],
  ["a plateau", withPlateau],
] as const)("%s: interrupted anywhere and resumed equals never interrupted", async (_, make) => {
  const options: FitOptions = { ...quiet, epochs: 3, patience: 5, checkpointEvery: 2 };
  const whole = freshRun();
  const reference = trainerOf(make);
  await reference.fit(blobs(), { ...options, validation: blobs(9), out: whole });
  const log = readFileSync(join(whole, "metrics.jsonl"), "utf8");
  expect(log.trim().split("\n")).toHaveLength(12);

  const samplesBefore = (step: number): number => 22 * Math.floor(step / 3) + 8 * (step % 3); // of this call alone
  const resume = async (run: string): Promise<void> => {
    const again = trainerOf(make, 6);
    const result = await again.fit(blobs(), { ...options, validation: blobs(9), resume: run });
    expect(result).toMatchObject({ reason: "epochs", steps: 9, samples: 66 - samplesBefore(result.resumedAt!) });
    expect(readFileSync(join(run, "metrics.jsonl"), "utf8")).toBe(log);
    expect(await bits(again)).toBe(await bits(reference));
  };
  for (const stop of [1, 3, 4, 8]) {
    const run = freshRun();
    const controller = new AbortController();
    const onEvent = ({ kind, step }: { kind: string; step: number }): void => {
      if (kind === "step" && step === stop) controller.abort();
    };
    const stopped = await trainerOf(make).fit(blobs(), {
      ...options,
      validation: blobs(9),
      out: run,
      signal: controller.signal,
      onEvent,
    });
    expect(stopped).toMatchObject({ reason: "interrupted", steps: stop });
    await resume(run);
  }
  const run = freshRun();
  const controller = new AbortController();
  const validation = abortingAfter(blobs(9), 3, controller);
  const stopped = await trainerOf(make).fit(blobs(), { ...options, validation, out: run, signal: controller.signal });
  expect(stopped).toMatchObject({ reason: "interrupted", epochs: 1, steps: 6 });
  await resume(run);
});

test("a run stopped by maxSteps goes on as if it had not been", async () => {
  const reference = trainerOf();
  await reference.fit(blobs(), { ...quiet, epochs: 3, validation: blobs(9) });
  const run = freshRun();
  const first: FitResult = await trainerOf().fit(blobs(), {
    ...quiet,
    epochs: 3,
    maxSteps: 4,
    validation: blobs(9),
    out: run,
  });
  expect(first).toMatchObject({ reason: "maxSteps", epochs: 1, steps: 4 });
  expect(first.validation!.samples).toBe(9);
  const again = trainerOf();
  await again.fit(blobs(), { ...quiet, epochs: 3, validation: blobs(9), resume: run });
  expect(await bits(again)).toBe(await bits(reference));
  expect((await readMetrics(join(run, "metrics.jsonl"))).map(({ kind }) => kind).join(" ")).toBe(
    "step step step epoch step step step epoch step step step epoch",
  );
});

test("patience ends a training that no longer gets better", async () => {
  const trainer = trainerOf((model, loss) => sgd(model, loss, { lr: 1e-9 }));
  const worse = blobs(9);
  const result = await trainer.fit(blobs(), { ...quiet, epochs: 50, patience: 3, validation: worse, out: freshRun() });
  expect(result.reason).toBe("patience");
  expect(result.epochs).toBe(result.best!.epoch + 3);
  expect(readFileSync(join(result.run!, "best"), "utf8")).toContain("step-");
});

test("the Trainer tells a plateau the validation loss at each epoch's end", async () => {
  const rates: number[] = [];
  const onEvent = (event: { kind: string; lr?: number }): void => {
    if (event.kind === "step") rates.push(event.lr!);
  };
  const lr = plateau(1e-9, { factor: 0.5, patience: 1 });
  await trainerOf((model, loss) => sgd(model, loss, { lr })).fit(blobs(), {
    ...quiet,
    epochs: 6,
    validation: blobs(9),
    onEvent,
  });
  expect(rates.filter((_, i) => i % 3 === 0)).toEqual([1e-9, 1e-9, 1e-9, 0.5e-9, 0.5e-9, 0.25e-9]);
});

/** Divides by a value that training drives to zero at the given step. */
class Bomb implements Layer {
  fuse: Tensor;
  constructor(steps: number) {
    this.fuse = param([steps]);
  }
  forward(x: Tensor): Tensor {
    return x.add(this.fuse.detach().recip().mul(0).mul(this.fuse));
  }
}

test("a loss that becomes NaN stops the run with the step and the layer, and the last good checkpoint stays", async () => {
  seed(3);
  const first = new Linear(4, 3);
  const model = {
    first,
    bomb: new Bomb(4),
    last: new Linear(3, 3),
    forward: (x: Tensor): Tensor => model.last.forward(model.bomb.forward(first.forward(x))),
  };
  // The fuse burns by 1 a step: at 0 it makes NaN of 0 · (1 / 0).
  const loss = ({ x, y }: Batch): Tensor => crossEntropy(model.forward(x), y).add(model.bomb.fuse.sum());
  const trainer = new Trainer(model, sgd(model, loss, { lr: 1 }), { metrics: { accuracy } });
  const run = freshRun();
  const fit = trainer.fit(blobs(), { ...quiet, epochs: 5, out: run });
  await expect(fit).rejects.toThrow(
    `the loss became NaN at step 5: output of Linear "last" has 24 of 24 elements that are not finite; the last good checkpoint is of step 3 in ${run}; start again with a lower learning rate`,
  );
  expect(readdirSync(join(run, "checkpoints"))).toEqual(["step-000003"]);
  expect((await readMetrics(join(run, "metrics.jsonl"))).at(-1)).toMatchObject({ kind: "failure", step: 5 });
});

test("a run is never written over, nor continued with another model", async () => {
  const run = freshRun();
  await trainerOf().fit(blobs(), { ...quiet, maxSteps: 1, out: run });
  await expect(trainerOf().fit(blobs(), { ...quiet, out: run })).rejects.toThrow(
    /already holds a run; resume it, or choose another out folder/,
  );
  const other = trainerOf(withAdam, 5).fit(blobs(), { ...quiet, resume: run });
  await expect(other).rejects.toThrow(
    `${run}: its checkpoint of step 1 is not of this model and optimizer ("0.weight" has shape [6, 4], the model needs [5, 4]; "0.bias" has shape [6], the model needs [5]; "3.weight" has shape [3, 6], the model needs [3, 5]); make them as they were for that run`,
  );
  const sgdOfSame = trainerOf(withSgd);
  const before = await bits(sgdOfSame);
  await expect(sgdOfSame.fit(blobs(), { ...quiet, resume: run })).rejects.toThrow(
    /"0\.weight\.momentum" \[6, 4\] is missing; .*; .*; and 9 more\)/,
  );
  expect(await bits(sgdOfSame)).toBe(before); // neither the model, which fits, nor the slots
  await expect(trainerOf().fit(blobs(), { ...quiet, resume: folder })).rejects.toThrow(
    /is not a run \(it has no config.json\)/,
  );
});

test("a damaged checkpoint is passed over for the one before, and that is said", async () => {
  const run = freshRun();
  const reference = trainerOf();
  await reference.fit(blobs(), { ...quiet, epochs: 2, out: run });
  writeFileSync(join(run, "checkpoints/step-000006/model.safetensors"), "torn");
  const lines: string[] = [];
  const progress = { update() {}, epoch() {}, stop() {}, print: (line: string) => void lines.push(line) };
  const again = trainerOf();
  await again.fit(blobs(), { ...quiet, epochs: 2, resume: run, progress });
  expect(lines[0]).toMatch(/^skipped step-000006: .*SHA-256/);
  expect(await bits(again)).toBe(await bits(reference));
});

test("a batch of 200 000 is evaluated, classes and all", async () => {
  const count = 200_000;
  const samples = { x: new Float32Array(count), y: Uint8Array.from({ length: count }, (_, i) => i % 2) };
  const model = new Linear(1, 2);
  const loss = ({ x, y }: Batch): Tensor => crossEntropy(model.forward(x), y);
  const trainer = new Trainer(model, sgd(model, loss), { collect: { confusion: confusion(2) } });
  const { collected } = (await trainer.evaluate(new Dataset(samples, { shape: [1] }).batch(count)))!;
  expect(collected!.confusion.map(([a, b]) => a + b)).toEqual([count / 2, count / 2]);
});

test("a finished run that is asked for more loses its result.json until it has another", async () => {
  const run = freshRun();
  await trainerOf().fit(blobs(), { ...quiet, epochs: 1, out: run });
  const result = join(run, "result.json");
  const lines: string[] = [];
  const progress = { update() {}, epoch() {}, stop() {}, print: (line: string) => void lines.push(line) };
  const same = await trainerOf().fit(blobs(), { ...quiet, epochs: 1, resume: run, progress });
  expect([same.resumedAt, same.steps, existsSync(result)]).toEqual([3, 3, true]);
  expect(lines).toEqual(["finished before, after 1 epochs and 3 steps; it goes on when given more epochs"]);
  const controller = new AbortController();
  const onEvent = (): void => controller.abort();
  await trainerOf().fit(blobs(), { ...quiet, epochs: 2, resume: run, signal: controller.signal, onEvent });
  expect(existsSync(result)).toBe(false);
});

test("one process at a time trains a run, and one that is gone keeps nobody out", async () => {
  const run = freshRun();
  const lock = join(run, "lock");
  let held = "";
  const onEvent = async (): Promise<void> => {
    if (held !== "") return;
    held = readFileSync(lock, "utf8");
    const second = trainerOf().fit(blobs(), { ...quiet, resume: run });
    await expect(second).rejects.toThrow(`${run} is being trained by process ${process.pid}; wait for it or stop it`);
  };
  await trainerOf().fit(blobs(), { ...quiet, epochs: 1, out: run, onEvent });
  expect(existsSync(lock)).toBe(false);
  const holder = JSON.parse(held);
  const { pid: gone } = spawnSync(process.execPath, ["--version"]);
  for (const stale of [{ pid: gone }, ...(holder.start === "" ? [] : [{ start: "1" }])]) {
    writeFileSync(lock, JSON.stringify({ ...holder, ...stale }));
    await trainerOf().fit(blobs(), { ...quiet, epochs: 1, resume: run });
    expect(existsSync(lock)).toBe(false);
  }
  for (const [text, message] of [
    [JSON.stringify({ ...holder, host: "elsewhere" }), `process ${process.pid} on elsewhere; .* or delete .*lock if`],
    ["", "lock cannot be read; delete it if no process is training"],
  ]) {
    writeFileSync(lock, text);
    await expect(trainerOf().fit(blobs(), { ...quiet, resume: run })).rejects.toThrow(new RegExp(message));
    expect(readFileSync(lock, "utf8")).toBe(text);
  }
});

test("checkpoints that are gone are told: none left refuses, and none yet starts over", async () => {
  const run = freshRun();
  const reference = trainerOf();
  await reference.fit(blobs(), { ...quiet, epochs: 2, out: run });
  const log = readFileSync(join(run, "metrics.jsonl"), "utf8");
  const lines: string[] = [];
  const progress = { update() {}, epoch() {}, stop() {}, print: (line: string) => void lines.push(line) };
  const again = { ...quiet, epochs: 2, resume: run, progress };
  rmSync(join(run, "checkpoints", "step-000006"), { recursive: true });
  await trainerOf().fit(blobs(), again);
  expect(lines[0]).toMatch(/^skipped step-000006: .*step-000006 is gone$/);
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8")).toBe(log);
  rmSync(join(run, "checkpoints"), { recursive: true });
  await expect(trainerOf().fit(blobs(), again)).rejects.toThrow(/cannot be resumed: .*step-000006 is gone\)/);
  expect(readFileSync(join(run, "metrics.jsonl"), "utf8")).toBe(log);
  for (const name of ["last", "best", "result.json"]) rmSync(join(run, name)); // as if killed before the first one
  const afresh = trainerOf();
  await afresh.fit(blobs(), again);
  expect(lines.at(-1)).toBe(`${run} has no checkpoint yet: starts from step 0`);
  expect(await bits(afresh)).toBe(await bits(reference));
});

test("a validation loss that is not finite stops the run, and its epoch has no checkpoint", async () => {
  const run = freshRun();
  const bad = new Dataset({ x: new Float32Array(8), y: Uint8Array.of(0, 3) }, { shape: [4] });
  const fit = trainerOf().fit(blobs(), { ...quiet, epochs: 2, validation: bad, out: run });
  await expect(fit).rejects.toThrow(
    "the validation loss became NaN after step 3: label 3 is none of the classes 0 … 2, in crossEntropy; mend the data and start again",
  );
  expect(existsSync(join(run, "checkpoints"))).toBe(false);
  const short = trainerOf().fit(blobs(), { ...quiet, maxSteps: 2, validation: bad });
  await expect(short).rejects.toThrow("the validation loss became NaN after step 2");
  const y = Float32Array.of(Number.NaN, 0, 0);
  const loss = ({ x, y }: Batch): Tensor => linear.forward(x).sub(y).square().mean();
  const linear = new Linear(1, 3);
  const wild = new Trainer(linear, sgd(linear, loss, { lr: 0.1 })).fit(
    new Dataset({ x: Float32Array.of(1), y: new Float32Array(3) }, { shape: [1], targetShape: [3] }),
    { ...quiet, validation: new Dataset({ x: Float32Array.of(1), y }, { shape: [1], targetShape: [3] }) },
  );
  await expect(wild).rejects.toThrow(
    'the validation loss became NaN after step 1: "y" of the batch has 1 of 3 elements that are NaN; mend the data and start again',
  );
});

test("Ctrl-C while a run of so many steps is validated leaves it interrupted", async () => {
  const controller = new AbortController();
  const validation = abortingAfter(blobs(9), 1, controller);
  const options = { ...quiet, maxSteps: 2, validation, signal: controller.signal, out: freshRun() };
  expect(await trainerOf().fit(blobs(), options)).toMatchObject({ reason: "interrupted", steps: 2 });
  expect(readdirSync(join(options.out, "checkpoints"))).toEqual(["step-000002"]);
});

test("what cannot be fitted is refused in one line", async () => {
  const trainer = trainerOf();
  await expect(trainer.fit(blobs(), { ...quiet, epochs: 0 })).rejects.toThrow(
    "fit: epochs is a whole number of at least 1, not 0",
  );
  await expect(trainer.fit(blobs(), { out: "a", resume: "b" })).rejects.toThrow(/give one of them/);
  await expect(trainer.fit(blobs().take(0), quiet)).rejects.toThrow(/the data set gives no batch/);
  const model = new Linear(4, 3);
  const loss = ({ x }: Batch): Tensor => x.matmul(model.weight.transpose()).sum();
  expect(() => new Trainer(model, sgd(model, loss), { metrics: { loss: accuracy } })).toThrow(
    /cannot be called "loss"/,
  );
  const blind = new Trainer(model, sgd(model, loss), { metrics: { accuracy } });
  await expect(blind.fit(blobs(), quiet)).rejects.toThrow(/nothing says what the model gave; let the loss return/);
  const { count } = accuracy({ x: tensor([0]), y: tensor(Int32Array.from([1])) }, tensor([[1, 2]]));
  expect(await (count as Tensor).item()).toBe(1);
});

/** Batches that are made beforehand. */
const source = <B>(...batches: B[]): BatchSource<B> => ({
  async *iterate({ skip = 0 } = {}) {
    yield* batches.slice(skip);
  },
});

test("a set that gives no batch is named", async () => {
  const empty = blobs().take(0);
  const validation = trainerOf().fit(blobs(), { ...quiet, validation: empty });
  await expect(validation).rejects.toThrow("fit: the validation set is empty: it gives no batch");
  await expect(trainerOf().evaluate(empty)).rejects.toThrow("evaluate: the data set is empty: it gives no batch");
  await expect(trainerOf().fit(source<Batch>(), quiet)).rejects.toThrow("fit: the data set gives no batch");
  const unknown = trainerOf().fit(blobs(), { ...quiet, validation: source<Batch>() });
  await expect(unknown).rejects.toThrow("evaluate: the validation set is empty: it gives no batch");
});

test("batches of pairs of sequences: means over tokens, ignored labels, outputs in a tree, collected rows", async () => {
  seed(5);
  type Pair = readonly [{ readonly source: Tensor }, Tensor];
  const model = { first: new Linear(2, 4), last: new Linear(4, 3) };
  const loss = ([{ source }, labels]: Pair) => {
    const hidden = tanh(model.first.forward(source)); // [B, T, 4]
    const logits = model.last.forward(hidden); // [B, T, 3]
    return { loss: crossEntropy(logits, labels, { ignore: -1 }), outputs: { logits, hidden } };
  };
  const pair = (labels: number[][]): Pair => [
    {
      source: tensor(
        new Float32Array(2 * labels.flat().length).map((_, i) => ((i * 7) % 5) - 2),
        [labels.length, labels[0].length, 2],
      ),
    },
    tensor(Int32Array.from(labels.flat()), [labels.length, labels[0].length]),
  ];
  type Outputs = { logits: Tensor; hidden: Tensor };
  const right: Metric<Pair, Outputs> = ([, y], { logits }) => meanOf(logits.argmax(-1).eq(y), y.ne(-1));
  const trainer = new Trainer(model, adam<Pair>(model, loss), {
    metrics: {
      right,
      spread: {
        sums: (_: Pair, { hidden }: Outputs) => ({ squares: hidden.square().sum() }),
        figure: ({ squares }) => Math.sqrt(squares),
      },
    },
    collect: {
      answers: {
        collect: ([, labels]: Pair, { logits }: Outputs) => ({ labels, told: logits.argmax(-1) }),
        finish: (rows) =>
          rows.map(({ labels, told }) => [labels.shape, Array.from(labels.data), Array.from(told.data)] as const),
      },
    },
  });
  const batches = [
    pair([
      [0, 1, 2],
      [2, -1, -1],
    ]),
    pair([[1, -1]]),
  ];
  const { samples, metrics, collected } = (await trainer.evaluate(source(...batches)))!;
  expect(samples).toBe(3);
  expect(collected!.answers.map(([shape]) => shape)).toEqual([
    [2, 3],
    [1, 2],
  ]);
  const labels = collected!.answers.flatMap(([, values]) => values);
  const told = collected!.answers.flatMap(([, , values]) => values);
  expect(labels).toEqual([0, 1, 2, 2, -1, -1, 1, -1]);
  expect(metrics.right).toBeCloseTo(labels.filter((label, i) => label === told[i]).length / 5, 12);
  let squares = 0;
  for (const batch of batches) squares += await loss(batch).outputs.hidden.square().sum().item();
  expect(metrics.spread).toBeCloseTo(Math.sqrt(squares), 5);
  const result = await trainer.fit(source(...batches), { ...quiet, epochs: 60, validation: source(...batches) });
  expect(result.samples).toBe(180);
  expect(result.validation!.loss).toBeLessThan(1.2);
  await expect(
    trainer.evaluate(
      source(
        pair([
          [0, 1],
          [3, -1],
        ]),
      ),
    ),
  ).resolves.toMatchObject({ loss: Number.NaN });
  await expect(
    trainer.fit(
      source(
        pair([
          [0, 1],
          [3, -1],
        ]),
      ),
      quiet,
    ),
  ).rejects.toThrow(
    "the loss became NaN at step 1: label 3 is none of the classes 0 … 2, in crossEntropy; mend the data",
  );
});

test("data with a NaN is to be mended, not learnt from more slowly", async () => {
  const x = Float32Array.of(1, Number.NaN, 1, 2);
  const fit = trainerOf().fit(new Dataset({ x, y: Uint8Array.of(0) }, { shape: [4] }), quiet);
  await expect(fit).rejects.toThrow(
    'the loss became NaN at step 1: "x" of the batch has 1 of 4 elements that are NaN; mend the data and start again',
  );
});

test("an evaluation in which a metric counts nothing is refused; the samples are those that size tells", async () => {
  const model = new Linear(1, 2);
  const loss = ({ x }: Batch): Tensor => model.forward(x).square().mean();
  const metrics = { right: accuracyOf({ ignore: -1 }) };
  const batch = { x: tensor([[1], [2]]), y: tensor(Int32Array.of(-1, -1)) };
  const trainer = new Trainer(model, sgd(model, loss), { metrics, size: () => 7 });
  await expect(trainer.evaluate(source(batch))).rejects.toThrow('"right" counted nothing in the data set');
  const { training, samples } = await trainer.fit(source(batch), quiet);
  expect([training.metrics, samples]).toEqual([{}, 7]);
  const bare = new Trainer(
    model,
    sgd(model, () => model.weight.square().sum()),
  );
  const nothing = source({ x: tensor(1), y: tensor(1) });
  await expect(bare.fit(nothing, quiet)).rejects.toThrow(
    "does not show how many samples it has (its first tensor is []); say so by the option size",
  );
});

test("whatever can be shuffled and is not is visited in an order of the seed, unless it shall not be", async () => {
  const model = new Linear(4, 3);
  const loss = ({ x, y }: Batch): Tensor => crossEntropy(model.forward(x), y);
  const visits = async (options: FitOptions, shuffled: boolean): Promise<(number | undefined)[]> => {
    const seeds: (number | undefined)[] = [];
    const data: BatchSource = {
      shuffled,
      iterate: (position) => blobs().iterate(position),
      shuffle({ seed }) {
        seeds.push(seed);
        return blobs();
      },
    };
    seed(17);
    await new Trainer(model, sgd(model, loss)).fit(data, { ...quiet, ...options });
    return seeds;
  };
  expect(await visits({}, false)).toEqual([17]);
  expect(await visits({ shuffle: false }, false)).toEqual([]);
  expect(await visits({}, true)).toEqual([]);
});
