// One call of Trainer.fit: where it stands, its loop, what it saves and what it reports.
import { type RandomState, randomState, restoreRandom } from "../graph/index.ts";
import { inNode } from "../io/source.ts";
import { WriteError } from "../io/write-error.ts";
import { stateDict } from "../nn/index.ts";
import { type Feedback, type Schedule, wrongData } from "../optim/index.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type BatchSource, breather, type Evaluation } from "./evaluate.ts";
import type { MetricsEvent } from "./log.ts";
import { figuresOf } from "./metrics.ts";
import { Progress, type ProgressUpdate } from "./progress.ts";
import { restore } from "./restore.ts";
import type { RunFolder } from "./run-folder.ts";
import {
  emptyData,
  type FitOptions,
  type FitResult,
  type Reason,
  type Reporter,
  type Trainer,
  TrainingError,
} from "./trainer.ts";

/** Where a run stands between two steps: with parameters, slots and random state, all that its future depends on. */
interface Standing {
  /** Epochs done. */
  epoch: number;
  /** Batches done of the next one. */
  batch: number;
  step: number;
  samples: number;
  /** Of the begun epoch: samples, the loss summed over them, and the sums of the metrics, by "metric.sum". */
  seen: number;
  sums: Record<string, number>;
  best?: { epoch: number; loss: number };
  /** Epochs since the best one. */
  stale: number;
  /** Means of the last whole epoch. */
  figures: Record<string, number>;
}

/** A Standing in a checkpoint's state.json; sums as text, which unlike JSON's numbers has NaN and Infinity. */
interface SavedStanding extends Omit<Standing, "sums" | "figures"> {
  sums: Record<string, string>;
  figures: Record<string, string>;
  random: RandomState;
  optimizerSteps: number;
  /** Of a schedule that answers to the loss. */
  feedback?: Readonly<Record<string, number>>;
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, fn: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, fn(value)]));

const feedbackOf = (lr: number | Schedule): Feedback | undefined => (typeof lr === "number" ? undefined : lr.feedback);

const silent: Reporter = { update() {}, epoch() {}, print() {}, stop() {} };

export class Fit<B, O, R extends object> {
  readonly #trainer: Trainer<B, O, R>;
  readonly #data: BatchSource<B>;
  readonly #options: FitOptions<B>;
  readonly #reporter: Reporter;
  readonly #folder: RunFolder | undefined;
  readonly #started: number = performance.now();
  #startSamples = 0;
  #resumedAt: number | undefined;
  #at: Standing = { epoch: 0, batch: 0, step: 0, samples: 0, seen: 0, sums: {}, stale: 0, figures: {} };
  #validating = 0; // seconds
  #savedAt: string | undefined;
  #validated: { step: number; evaluation: Evaluation<R> } | undefined;

  private constructor(
    trainer: Trainer<B, O, R>,
    data: BatchSource<B>,
    options: FitOptions<B>,
    folder: RunFolder | undefined,
  ) {
    this.#trainer = trainer;
    this.#data = data;
    this.#options = options;
    this.#folder = folder;
    this.#reporter = options.progress || (options.progress === false || !inNode ? silent : new Progress());
  }

  /** Makes or continues the run folder, if there is to be one; the only part that needs Node. */
  static async open<B, O, R extends object>(
    trainer: Trainer<B, O, R>,
    data: BatchSource<B>,
    options: FitOptions<B>,
  ): Promise<Fit<B, O, R>> {
    const { out, name, resume, config, environment } = options;
    if (resume === undefined && out === undefined && name === undefined)
      return new Fit(trainer, data, options, undefined);
    if (!inNode)
      throw new Error(
        "fit: out, name and resume are for run folders, which need Node; in a browser keep serializeSafetensors(await stateDict(model))",
      );
    const { createRun, resumeRun, writeConfig } = await import("./run-folder.ts");
    if (resume === undefined)
      return new Fit(
        trainer,
        data,
        options,
        await createRun(name ?? "run", { folder: out, config: config ?? {}, environment }),
      );
    const { run, checkpoint, skipped } = await resumeRun(resume);
    const fit = new Fit(trainer, data, options, run);
    for (const { name, reason } of skipped) fit.#reporter.print(`skipped ${name}: ${reason}`);
    try {
      if (checkpoint === undefined) fit.#reporter.print(`${resume} has no checkpoint yet: starts from step 0`);
      else
        await fit.#restore(checkpoint).catch((error: Error) => {
          throw new Error(
            `${resume}: its checkpoint of step ${checkpoint.step} is not of this model and optimizer (${error.message}); make them as they were for that run`,
            { cause: error },
          );
        });
      if (config !== undefined) await writeConfig(resume, config);
    } catch (error) {
      run.close();
      throw error;
    }
    return fit;
  }

  async #restore(checkpoint: Checkpoint): Promise<void> {
    const { model, optimizer } = this.#trainer;
    const { random, optimizerSteps, sums, figures, feedback, ...place } = checkpoint.state as unknown as SavedStanding;
    await restore(checkpoint, { model, slots: optimizer.state });
    optimizer.steps = optimizerSteps;
    const listening = feedbackOf(optimizer.lr);
    if (listening !== undefined && feedback !== undefined) listening.state = feedback;
    restoreRandom(random);
    this.#at = { ...place, sums: mapValues(sums, Number), figures: mapValues(figures, Number) };
    this.#savedAt = this.#moment();
    this.#startSamples = this.#at.samples;
    this.#resumedAt = this.#at.step;
    const { epoch, step } = this.#at;
    const reason = this.#finished();
    const more =
      reason && reason !== "interrupted"
        ? { epochs: "epochs", maxSteps: "steps", patience: "patience" }[reason]
        : undefined;
    this.#reporter.print(
      more
        ? `finished before, after ${epoch} epochs and ${step} steps; it goes on when given more ${more}`
        : `continuing at step ${step}`,
    );
  }

  async run(): Promise<FitResult<R>> {
    const folder = this.#folder;
    try {
      let reason = this.#finished();
      if (reason === undefined) await folder?.unfinish();
      while (reason === undefined) reason = (await this.#epoch()) ?? this.#finished();
      const { validation } = this.#options;
      if (reason !== "interrupted" && validation && !(await this.#validate())) reason = "interrupted";
      if (this.#savedAt !== this.#moment()) await this.#save();
      const result = this.#result(reason);
      if (reason !== "interrupted" && !folder?.finished) await folder?.finish(flat(result));
      return result;
    } catch (error) {
      if (folder === undefined || !(error instanceof WriteError)) throw error;
      const { path: run } = folder;
      throw new TrainingError(`${error.message}, then resume the run`, {
        run,
        resumable: true,
        cause: error,
      });
    } finally {
      this.#reporter.stop();
      folder?.close();
    }
  }

  #finished(): Reason | undefined {
    const {
      epochs = 1,
      maxSteps = Number.POSITIVE_INFINITY,
      patience = Number.POSITIVE_INFINITY,
      signal,
    } = this.#options;
    if (signal?.aborted) return "interrupted";
    if (this.#at.epoch >= epochs) return "epochs";
    if (this.#at.step >= maxSteps) return "maxSteps";
    return this.#at.stale >= patience ? "patience" : undefined;
  }

  /** The rest of an epoch. Gives a reason where it has to stop before the end. */
  async #epoch(): Promise<Reason | undefined> {
    const { signal, maxSteps = Number.POSITIVE_INFINITY, checkpointEvery = Number.POSITIVE_INFINITY } = this.#options;
    const batches = this.#data.batches ?? Number.POSITIVE_INFINITY;
    const breathe = breather();
    for await (const batch of this.#data.iterate({ epoch: this.#at.epoch, skip: this.#at.batch })) {
      await this.#step(batch);
      await breathe();
      if (signal?.aborted) return "interrupted";
      if (this.#at.batch >= batches) break;
      if (this.#at.step >= maxSteps) return "maxSteps";
      if (this.#at.step % checkpointEvery === 0) await this.#save();
    }
    return this.#endEpoch();
  }

  async #step(batch: B): Promise<void> {
    const { optimizer } = this.#trainer;
    const lr = optimizer.rate;
    const size = this.#trainer.size(batch);
    const loss = await optimizer.step(batch);
    const at = this.#at;
    if (!Number.isFinite(loss)) {
      const problem = `the loss became ${loss} at step ${at.step + 1}`;
      const cause = await wrongData(optimizer.loss, [batch]);
      await this.#diverge(problem, {
        step: at.step + 1,
        cause,
        place: cause ? undefined : await optimizer.diagnose(batch),
      });
    }
    const sums: Record<string, number> = { loss: loss * size };
    if (Object.keys(this.#trainer.metrics).length > 0)
      for (const [key, sum] of Object.entries(optimizer.probes)) sums[key] = await sum.item();
    for (const [name, sum] of Object.entries(sums)) at.sums[name] = (at.sums[name] ?? 0) + sum;
    at.step++;
    at.batch++;
    at.samples += size;
    at.seen += size;
    const event = { kind: "step", step: at.step, epoch: at.epoch + 1, ...this.#figures(sums, size), lr };
    await this.#emit(event, at.step === 1 || at.step % (this.#options.logEvery ?? 10) === 0);
    this.#reporter.update(this.#progress(this.#means()));
  }

  async #endEpoch(): Promise<Reason | undefined> {
    const at = this.#at;
    if (at.seen === 0) throw new Error(emptyData);
    const training = this.#means();
    const evaluation = await this.#validate();
    if (this.#options.signal?.aborted) return "interrupted"; // the epoch's end comes again when the run is resumed
    const validation = evaluation && { loss: evaluation.loss, ...evaluation.metrics };
    const loss = validation?.loss ?? training.loss;
    const best = loss < (at.best?.loss ?? Number.POSITIVE_INFINITY);
    this.#reporter.epoch(this.#progress({ ...training, ...prefixed(validation) }));
    at.epoch++;
    if (best) at.best = { epoch: at.epoch, loss };
    feedbackOf(this.#trainer.optimizer.lr)?.report(loss);
    at.stale = best ? 0 : at.stale + 1;
    await this.#emit(
      { kind: "epoch", step: at.step, epoch: at.epoch, samples: at.samples, ...training, validation },
      true,
    );
    Object.assign(at, { batch: 0, seen: 0, sums: {}, figures: training } satisfies Partial<Standing>);
    await this.#save(best);
    return undefined;
  }

  /**
   * Evaluates the validation set unless that has been done at this step; whatever random numbers that takes, training sees
   * none of it. A loss that is not finite ends the run like that of a step.
   */
  async #validate(): Promise<Evaluation<R> | undefined> {
    const { validation, signal } = this.#options;
    if (validation === undefined) return undefined;
    if (this.#validated?.step !== this.#at.step) {
      const random = randomState();
      const started = performance.now();
      const evaluation = await this.#trainer.evaluate(validation, { signal, name: "validation set" });
      restoreRandom(random);
      this.#validating += (performance.now() - started) / 1000;
      const { step } = this.#at;
      if (evaluation && !Number.isFinite(evaluation.loss))
        await this.#diverge(`the validation loss became ${evaluation.loss} after step ${step}`, {
          cause: await wrongData(this.#trainer.optimizer.loss, validation.iterate({ epoch: 0 })),
        });
      this.#validated = evaluation && { step, evaluation };
    }
    return this.#validated?.evaluation;
  }

  async #save(best = false): Promise<void> {
    const { model, optimizer } = this.#trainer;
    if (this.#folder === undefined) return;
    const parameters = await stateDict(model);
    for (const [name, { data }] of parameters)
      if (!data.every(Number.isFinite))
        await this.#diverge(`"${name}" has values that are not finite after step ${this.#at.step}`);
    const { step, sums, figures } = this.#at;
    const state: SavedStanding = {
      ...this.#at,
      sums: mapValues(sums, String),
      figures: mapValues(figures, String),
      random: randomState(),
      optimizerSteps: optimizer.steps,
      feedback: feedbackOf(optimizer.lr)?.state,
    };
    const path = await this.#folder.save(
      { step, model: parameters, optimizer: await stateDict(optimizer.state), state: { ...state } },
      { best },
    );
    this.#savedAt = this.#moment();
    await this.#options.onEvent?.({ kind: "checkpoint", step, path });
  }

  /** Two moments of one step differ: before its epoch's end has been dealt with, and after. */
  #moment(): string {
    return `${this.#at.step} ${this.#at.epoch}`;
  }

  /** Stops the run: says what is not finite, the `cause` in the data or the `place` where it began, and what is left. */
  async #diverge(
    problem: string,
    { step = this.#at.step, cause, place }: { step?: number; cause?: string; place?: string } = {},
  ): Promise<never> {
    const saved = this.#folder && this.#savedAt !== undefined;
    const kept = saved
      ? `; the last good checkpoint is of step ${this.#savedAt!.split(" ")[0]} in ${this.#folder!.path}`
      : "";
    const why = cause ?? place;
    const advice = cause ? "mend the data and start again" : "start again with a lower learning rate";
    const message = `${problem}${why ? `: ${why}` : ""}${kept}; ${advice}`;
    await this.#emit({ kind: "failure", step, message }, true);
    throw new TrainingError(message, { run: this.#folder?.path });
  }

  async #emit(event: MetricsEvent, log: boolean): Promise<void> {
    if (log) this.#folder?.log.append(event);
    const heard = this.#options.onEvent?.(event);
    if (heard !== undefined) await heard;
  }

  #means(): Record<string, number> {
    return this.#figures(this.#at.sums, this.#at.seen);
  }

  /** What sums over so many samples make. */
  #figures(sums: Readonly<Record<string, number>>, samples: number): Record<string, number> {
    return { loss: sums.loss / samples, ...figuresOf(this.#trainer.metrics, sums) };
  }

  #progress(metrics: Record<string, number>): ProgressUpdate {
    const { epoch, batch, step, samples } = this.#at;
    const { epochs = 1, maxSteps = Number.POSITIVE_INFINITY } = this.#options;
    const batches = this.#data.batches;
    const steps = batches && Math.min(batches, batch + maxSteps - step);
    return {
      epoch: epoch + 1,
      epochs: batches ? Math.min(epochs, Math.ceil(maxSteps / batches)) : epochs,
      step: batch,
      steps,
      metrics,
      samples,
    };
  }

  #result(reason: Reason): FitResult<R> {
    const seconds = (performance.now() - this.#started) / 1000;
    const { epoch, step, seen, best, figures } = this.#at;
    const samples = this.#at.samples - this.#startSamples;
    const { loss = Number.NaN, ...metrics } = seen > 0 ? this.#means() : figures;
    return {
      reason,
      epochs: epoch,
      steps: step,
      samples,
      training: { loss, metrics },
      validation: this.#validated?.step === step ? this.#validated.evaluation : undefined,
      best,
      seconds,
      samplesPerSecond: samples / (seconds - this.#validating),
      run: this.#folder?.path,
      resumedAt: this.#resumedAt,
    };
  }
}

/** The result for result.json: without what was collected, the metrics beside the loss. */
function flat({ training, validation, ...rest }: FitResult): object {
  return {
    ...rest,
    training: { loss: training.loss, ...training.metrics },
    validation: validation && { samples: validation.samples, loss: validation.loss, ...validation.metrics },
  };
}

const prefixed = (figures: Readonly<Record<string, number>> | undefined): Record<string, number> =>
  Object.fromEntries(Object.entries(figures ?? {}).map(([name, value]) => [`validation ${name}`, value]));
