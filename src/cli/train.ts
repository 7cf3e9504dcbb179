// hebb train: a model of the zoo on a data set, into a run folder; or a run that goes on where it stopped.
import { createHash } from "node:crypto";
import type { Dataset } from "../data/index.ts";
import { randomShift } from "../data/random-shift.ts";
import { stepDecay } from "../optim/index.ts";
import { accuracy, confusionMatrix, type FitResult, Progress, renderConfusion, Trainer } from "../train/index.ts";
import { readConfig, writeConfig } from "../train/run-folder.ts";
import { type Command, type Io, report, UsageError } from "./command.ts";
import { type Flag, flagName, type Options, withConfigFile } from "./options.ts";
import {
  buildModel,
  chooseDevice,
  defaultData,
  findData,
  findModel,
  findOptimizer,
  lossOf,
  type TrainConfig,
} from "./setup.ts";

/** What a run is made of; changing one of the first makes another run, the last may change when it is resumed. */
const fixed = [
  "data",
  "samples",
  "batch",
  "optimizer",
  "lr",
  "decay",
  "shift",
  "seed",
] as const satisfies readonly Flag[];
const changeable = ["epochs", "maxSteps", "device", "threads", "dataDir"] as const satisfies readonly Flag[];

export const train: Command = {
  summary: "trains a model and saves the run",
  positionals: "MODEL",
  flags: [...fixed, ...changeable, "out", "resume", "config", "json"],
  run: async (positionals, flags, io) => {
    if (positionals.length > 1) throw new UsageError(`train takes one model, got ${positionals.join(" ")}`);
    const { model: modelInFile, ...options } = await withConfigFile(flags, ["model", ...train.flags]);
    const model = positionals[0] ?? modelInFile;
    const { resume } = options;
    const config =
      resume === undefined ? await newConfig(model, options, io) : await resumedConfig(resume, model, options);
    return trainRun(config, options, io);
  },
};

/** Everything settled: the user's flags, then the model's recipe. */
async function newConfig(model: string | undefined, options: Options, io: Io): Promise<TrainConfig> {
  if (model === undefined) throw new UsageError("train needs a model, e.g. hebb train lenet5");
  const { name, recipe } = findModel(model);
  const { optimizer = recipe.optimizer } = options;
  const { lr } = optimizer === recipe.optimizer ? recipe : findOptimizer(optimizer);
  const data = options.data ?? (await defaultData(options.dataDir));
  if (options.data === undefined) {
    const why = data === "mnist" ? "found" : "drawn digits, since MNIST is not here; --data mnist fetches it";
    io.stderr.write(`data: ${data} (${why})\n`);
  }
  const settled = { ...recipe, lr, seed: 1, ...given(options, changeable), ...given(options, fixed), data, optimizer };
  return {
    model: name,
    ...given({ ...settled, device: chooseDevice(options) }, [...fixed, ...changeable]),
  } as TrainConfig;
}

/** The options among `flags` that were given. */
const given = (options: Options, flags: readonly Flag[]): Options =>
  Object.fromEntries(flags.flatMap((flag) => (options[flag] === undefined ? [] : [[flag, options[flag]]])));

/** The run's own configuration, with more epochs or another machine where asked for. */
async function resumedConfig(run: string, model: string | undefined, options: Options): Promise<TrainConfig> {
  if (options.out !== undefined)
    throw new UsageError("--out makes a new run and --resume continues one; give one of them");
  const config = (await readConfig(run)) as unknown as TrainConfig;
  if (model !== undefined && model !== config.model)
    throw new UsageError(`${run} is a run of ${config.model}, not of ${model}`);
  for (const flag of fixed)
    if (options[flag] !== undefined && options[flag] !== config[flag])
      throw new UsageError(
        `${flagName(flag)} cannot change when a run is resumed; ${run} has ${config[flag]}, not ${options[flag]}`,
      );
  findModel(config.model);
  const changed = { ...config, ...given(options, changeable) };
  return { ...changed, device: chooseDevice(changed) };
}

async function trainRun(config: TrainConfig, { resume, out, json }: Options, io: Io): Promise<number> {
  const entry = findModel(config.model);
  const { normalize } = entry;
  const training = trainingSet(config);
  const test = findData(config.data, "test", { ...config, normalize }).batch(testBatch);
  const model = buildModel(entry, training, config.seed);
  const signal = io.interruption();
  await training.load();
  await test.load();
  const { batches } = training;
  const lr = config.decay === 1 ? config.lr : stepDecay(config.lr, { every: batches, factor: config.decay });
  const trainer = new Trainer(model, findOptimizer(config.optimizer).make(model, lossOf(model), lr), {
    metrics: { accuracy },
  });
  if (resume !== undefined) await writeConfig(resume, config);
  io.stderr.write(
    `${config.model} on ${config.data}: ${training.length} training and ${test.length} test samples, device ${config.device}\n`,
  );
  const result = await trainer.fit(training, {
    ...config,
    validation: test,
    checkpointEvery: 500,
    signal,
    progress: new Progress({ output: io.stderr }),
    config,
    environment: { device: config.device, data: { train: await checksum(training), test: await checksum(test) } },
    ...(resume === undefined ? { out, name: `${config.model}-${config.data}` } : { resume }),
  });
  return conclude(config, result, { json }, io);
}

const testBatch = 250;

function trainingSet(config: TrainConfig): Dataset {
  const { batch, shift, seed } = config;
  const { normalize } = findModel(config.model);
  const set = findData(config.data, "train", { ...config, normalize })
    .batch(batch)
    .shuffle({ seed });
  return shift === 0 ? set : set.map(randomShift(shift), { seed });
}

function conclude(config: TrainConfig, result: FitResult, options: Options, io: Io): number {
  const { reason, epochs, steps, samples, training, validation, seconds, samplesPerSecond, run } = result;
  const { model, data, device } = config;
  const test = validation && { samples: validation.samples, loss: validation.loss, ...validation.metrics };
  const { accuracy: right } = validation?.metrics ?? {};
  const pace = { epochs, steps, samples, seconds, samplesPerSecond };
  const figures = {
    command: "train",
    model,
    data,
    device,
    reason,
    run,
    accuracy: right,
    ...pace,
    training,
    test,
    config,
  };
  if (reason === "interrupted") {
    io.stderr.write(`stopped after step ${steps}, all saved; continue with: hebb train --resume ${run}\n`);
    report(io, options, "", figures);
    return 130;
  }
  const names = findData(config.data, "test").info.classes!;
  const { predicted, actual } = validation!.classes!;
  const table =
    names.length <= 20 ? `\n${renderConfusion(confusionMatrix(predicted, actual, names.length), names)}\n` : "";
  const percent = (100 * validation!.metrics.accuracy).toFixed(2);
  report(
    io,
    options,
    `${table}\ntest accuracy ${percent} %, test loss ${validation!.loss.toFixed(4)} after ${steps} steps\nrun saved in ${run}`,
    figures,
  );
  return 0;
}

/** The samples' count and SHA-256, which tell whether two runs saw the same data. */
async function checksum(data: Dataset): Promise<{ samples: number; sha256: string }> {
  const { x, y } = await data.samples();
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of [x, y]) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return { samples: data.length, sha256: hash.digest("hex") };
}
