// Hierarchical attentive memory (Andrychowicz & Kurach, Learning efficient algorithms with hierarchical attentive memory, 2016).
import { iota, stack, type Tensor, within } from "../graph/index.ts";
import { crossEntropy, Embedding, Linear, LSTMCell } from "../nn/index.ts";
import { type HardAccess, hardAccess, type SoftAccess, softAccess } from "./ham-access.ts";
import { HamMemory } from "./ham-memory.ts";
import { type ReinforceOptions, reinforce } from "./reinforce.ts";

/** How a task's tokens lie on leaves, and when it is answered. */
export type HamTask = "sequence" | "search" | "addition";

export interface HamOptions {
  /** Size of the vocabulary. */
  tokens: number;
  /**
   * "sequence": a token a leaf and an answer a leaf, as in `reverseTask`, `sortTask` and `mergeTask`; "search": a leaf for a key and its
   * value, then the key that is asked for, and one answer, as in `searchTask`; "addition": a leaf for two bits, and an answer more than
   * there are leaves, as in `binaryAddition`.
   */
  task?: HamTask;
  /** "soft" is DHAM, which reads all leaves by weights; "hard" goes to one leaf, and is trained by `hamLoss`. */
  form?: "soft" | "hard";
  /** Size of a node. */
  features?: number;
  /** Size of the controller's state. */
  hidden?: number;
  /** Units of JOIN and SEARCH. */
  units?: number;
}

export interface HamRun {
  /** T answers, each after an access: [B, T, tokens]. */
  readonly logits: Tensor;
  readonly accesses: readonly (SoftAccess | HardAccess)[];
}

/**
 * A memory of n leaves, EMBED of the inputs, padded with zeros to a power of 2, below a tree of JOINs, and an LSTM that works on it: at
 * each time SEARCH leads from the root to a leaf, the LSTM reads it, answers and WRITEs it. x i32 [B, …] as the task's data set gives
 * it → logits [B, T, tokens], or [B, tokens] of "search". The weights do not depend on n: a model takes any length. Throws for x that
 * does not fit the task.
 */
export const ham = (options: HamOptions): Ham => new Ham(options);

/** Tokens on each leaf, whether a question follows them, and the answers for n leaves. */
const tasks: Readonly<Record<HamTask, { fields: number; asks: boolean; answers(leaves: number): number }>> = {
  sequence: { fields: 1, asks: false, answers: (leaves) => leaves },
  search: { fields: 2, asks: true, answers: () => 1 },
  addition: { fields: 2, asks: false, answers: (leaves) => leaves + 1 },
};

export class Ham {
  embedding: Embedding; // [fields · tokens, features]
  memory: HamMemory;
  cell: LSTMCell;
  output: Linear; // [tokens, hidden]
  readonly task: HamTask;
  readonly form: "soft" | "hard";
  readonly tokens: number;

  constructor({ tokens, task = "sequence", form = "soft", features = 32, hidden = 32, units = 32 }: HamOptions) {
    if (!Object.hasOwn(tasks, task))
      throw new RangeError(`ham: task is "sequence", "search" or "addition", not ${JSON.stringify(task)}`);
    if (form !== "soft" && form !== "hard")
      throw new RangeError(`ham: form is "soft" or "hard", not ${JSON.stringify(form)}`);
    this.embedding = new Embedding(tasks[task].fields * tokens, features);
    this.memory = new HamMemory(features, hidden, units);
    this.cell = new LSTMCell(features, hidden);
    this.output = new Linear(hidden, tokens);
    this.task = task;
    this.form = form;
    this.tokens = tokens;
  }

  forward(x: Tensor): Tensor {
    const { logits } = this.run(x);
    return this.task === "search" ? logits.squeeze(1) : logits;
  }

  /** Answers and accesses; `places` i32 [B, T] are leaves for the hard form to go to, instead of those it would. */
  run(x: Tensor, { places }: { places?: Tensor | undefined } = {}): HamRun {
    if (places !== undefined && this.form === "soft")
      throw new RangeError('ham: places are for the form "hard"; this one goes to all leaves');
    return within(this, x, () => {
      const { leaves, question, answers } = this.#inputs(x);
      let tree = this.memory.build(padded(leaves));
      let state = this.cell.forward(question ?? leaves.at(0, 1).full(0));
      const accesses: (SoftAccess | HardAccess)[] = [];
      const logits = Array.from({ length: answers }, (_, t) => {
        const [h] = state;
        const access =
          this.form === "soft" ? softAccess(this.memory, tree, h) : hardAccess(this.memory, tree, h, places?.at(t, 1));
        accesses.push(access);
        state = this.cell.forward(access.read, state);
        tree = access.write(state[0]);
        return this.output.forward(state[0]);
      });
      return { logits: stack(logits, 1), accesses };
    });
  }

  /** EMBED of what lies on each leaf [B, n, features], that of the question [B, features], and how many answers there are. */
  #inputs(x: Tensor): { leaves: Tensor; question: Tensor | undefined; answers: number } {
    const { fields, asks, answers } = tasks[this.task];
    const [batch, length] = x.shape;
    const count = (length - (asks ? 1 : 0)) / fields;
    if (x.rank !== 2 || x.dtype !== "i32" || !(Number.isInteger(count) && count >= 1)) {
      const wanted = asks ? "2·n + 1" : fields === 2 ? "2·n" : "n";
      throw new RangeError(`ham: ${this.task} takes i32 [B, ${wanted}], got ${x.dtype} [${x.shape.join(", ")}]`);
    }
    const own = x.slice(1, 0, count * fields);
    const tokens = // [B, n, fields]; of "addition" the numbers lie one after the other
      this.task === "addition" ? own.reshape(batch, fields, count).transpose() : own.reshape(batch, count, fields);
    const rows = tokens.add(iota([fields], 0).mul(this.tokens)); // each field has rows of its own
    return {
      leaves: this.embedding.forward(rows).sum(2),
      question: asks ? this.embedding.forward(x.at(length - 1, 1)) : undefined,
      answers: answers(count),
    };
  }
}

/** Leaves [B, n, features] and zeros up to the next power of 2. */
function padded(leaves: Tensor): Tensor {
  const [, count] = leaves.shape;
  const size = 2 ** (32 - Math.clz32(count - 1));
  return size === count ? leaves : leaves.pad([[0, 0], [0, size - count], [0, 0]]); // biome-ignore format: widths
}

/**
 * What training of a `ham` makes small: the cross-entropy of its answers, Σ over the T of them, and for the hard form REINFORCE with
 * −cross-entropy as the reward of each time. The outputs are the answers' logits.
 */
export function hamLoss(
  model: Ham,
  { x, y }: { x: Tensor; y: Tensor },
  options: ReinforceOptions = {},
): { loss: Tensor; outputs: Tensor } {
  const { logits, accesses } = model.run(x); // [B, T, tokens]
  const [batch, answers] = logits.shape;
  const outputs = y.rank === 1 ? logits.squeeze(1) : logits;
  const rewards = crossEntropy(logits, y.reshape(batch, answers), { reduction: "none" }).neg(); // [B, T]
  const hard = accesses.filter((access) => "place" in access);
  if (hard.length === 0) return { loss: rewards.sum().div(-batch), outputs };
  const logProbabilities = stack(
    hard.map(({ logProbability }) => logProbability),
    1,
  );
  const entropies = stack(
    hard.map(({ entropy }) => entropy),
    1,
  );
  return { loss: reinforce({ rewards, logProbabilities, entropies }, options), outputs };
}
