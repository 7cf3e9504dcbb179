// hebb info: the layers of a model, with their outputs, parameters and multiply-adds.
import { evaluating, type Shape, shapesOnly, type Tensor, tensor } from "../graph/index.ts";
import { sizeOf, topological } from "../graph/internal.ts";
import { type Layer, namedParameters, nameModules, parameters, probe } from "../nn/index.ts";
import { Seq2Seq, type WordsEntry, type ZooEntry } from "../zoo/index.ts";
import { type Command, report, UsageError } from "./command.ts";
import { describeModels, type Entry, findEntry } from "./names.ts";
import { commandLine } from "./program.ts";

export interface LayerInfo {
  readonly name: string;
  /** For one sample. */
  readonly output: readonly number[];
  readonly parameters: number;
  readonly multiplyAdds: number;
}

export const info: Command = {
  summary: "shows a model's layers",
  positionals: "MODEL",
  flags: ["json"],
  notes: () => ["models:", ...describeModels()].join("\n"),
  run: async (positionals, options, io) => {
    if (positionals.length !== 1)
      throw new UsageError(`info needs one model, e.g. ${commandLine(io, "info", "lenet5")}`);
    const entry = findEntry(positionals[0]);
    const { name, paper } = entry;
    const model = shapesOnly(() => entry.build());
    const { input, layers } = lookAt(entry, model);
    const total = {
      parameters: count(model),
      multiplyAdds: layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0),
    };
    const text = `${name}: ${paper}\ninput [${input.join(", ")}]\n\n${table(layers, total)}`;
    report(io, options, text, { command: "info", model: name, paper, input, layers, ...total });
    return 0;
  },
};

/** The shape of one sample, and the layers that it goes through. */
function lookAt(entry: Entry, model: ReturnType<Entry["build"]>): { input: Shape; layers: LayerInfo[] } {
  if (entry.task === "words") return tablesOf(entry, model);
  if (model instanceof Seq2Seq)
    return {
      input: [usualWords],
      layers: layersRun(model, () => model.forward({ source: words(), target: words() })),
    };
  const { input, tokens } = entry as ZooEntry;
  return { input, layers: layersOf(model as Layer, input, tokens) };
}

/** The two tables of word2vec, of which a sample reads some rows: the one takes their mean, the other products with it. */
function tablesOf({ features, windows }: WordsEntry, model: object): { input: Shape; layers: LayerInfo[] } {
  const { architecture, window = 5, negatives = 5 } = windows;
  const rows = { input: architecture === "cbow" ? 2 * window : 1, output: 1 + negatives };
  const work = { input: architecture === "cbow" ? rows.input * features : 0, output: rows.output * features };
  const layers = (["input", "output"] as const).map((name) => ({
    name,
    output: name === "input" ? [features] : [rows.output],
    parameters: namedParameters(model).get(name)!.size,
    multiplyAdds: work[name],
  }));
  return { input: [rows.input], layers };
}

/** Words of a pair whose layers are shown, on either side. */
const usualWords = 16;

const words = (): Tensor => tensor(new Int32Array(usualWords), [1, usualWords]);

const count = (model: object): number => parameters(model).reduce((sum, p) => sum + p.size, 0);

/** The modules that contain no other, in the order they run on one sample. */
export function layersOf(model: Layer, input: Shape, tokens?: number): LayerInfo[] {
  const sample = tensor(new (tokens === undefined ? Float32Array : Int32Array)(sizeOf(input)), [1, ...input]);
  return layersRun(model, () => model.forward(sample));
}

function layersRun(model: object, forward: () => Tensor): LayerInfo[] {
  nameModules(model);
  const { result, layers } = probe(() => evaluating(forward));
  const work = multiplyAdds(result);
  return layers.map(({ module, name, output }) => ({
    name,
    output: output.shape.slice(1),
    parameters: count(module),
    multiplyAdds: work.get(name) ?? 0,
  }));
}

/** Multiply-adds of the matrix products and convolutions below a tensor, by the module that made them. */
function multiplyAdds(root: Tensor): Map<string, number> {
  const work = new Map<string, number>();
  for (const t of topological([root])) {
    if (t.op !== "matmul" && t.op !== "conv") continue;
    const [x, weight] = t.inputs;
    const terms = t.op === "matmul" ? x.shape[x.rank - 1] : sizeOf(weight.shape.slice(1));
    work.set(t.module, (work.get(t.module) ?? 0) + t.size * terms);
  }
  return work;
}

function table(layers: readonly LayerInfo[], total: { parameters: number; multiplyAdds: number }): string {
  const grouped = (n: number): string => n.toLocaleString("en-US").replaceAll(",", " ");
  const rows = [
    ["layer", "output", "parameters", "multiply-adds"],
    ...layers.map((layer) => [
      layer.name,
      `[${layer.output.join(", ")}]`,
      grouped(layer.parameters),
      grouped(layer.multiplyAdds),
    ]),
    ["total", "", grouped(total.parameters), grouped(total.multiplyAdds)],
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "))
    .join("\n");
}
