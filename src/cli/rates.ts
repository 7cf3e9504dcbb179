// How a training's learning rate goes from step to step, by the names that --schedule takes.
import { cosine, milestones, oneCycle, plateau, polynomial, type Schedule, stepDecay } from "../optim/index.ts";

interface Course {
  readonly lr: number;
  /** Factor after each epoch. */
  readonly decay: number;
  /** Epochs before `decay` begins. */
  readonly decayFrom?: number;
  readonly epochs: number;
  /** Steps of an epoch. */
  readonly batches: number;
}

const schedules: Readonly<Record<string, (course: Course) => number | Schedule>> = {
  decay: ({ lr, decay, decayFrom = 0, batches }) => {
    const falling = stepDecay(lr, { every: batches, factor: decay });
    return decay === 1 ? lr : (step) => falling(Math.max(0, step - decayFrom * batches));
  },
  steps: ({ lr, epochs, batches }) =>
    milestones(lr, {
      at: [...new Set([1 / 2, 3 / 4].map((share) => Math.max(1, Math.round(share * epochs * batches))))],
    }),
  linear: ({ lr, epochs, batches }) => polynomial(lr, { steps: epochs * batches, final: 1e-4 * lr }),
  cosine: ({ lr, epochs, batches }) => cosine(lr, { steps: epochs * batches }),
  onecycle: ({ lr, epochs, batches }) => oneCycle(lr, { steps: Math.max(7, epochs * batches) }),
  plateau: ({ lr }) => plateau(lr, { patience: 5 }),
};

export const scheduleNames: readonly string[] = Object.keys(schedules);

/** The rate of a training by its schedule's name. */
export const rateOf = (schedule: string, course: Course): number | Schedule => schedules[schedule](course);
