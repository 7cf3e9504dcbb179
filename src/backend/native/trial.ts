// Tries out the machine's compiler: kernels of every form, run as C and as WebAssembly, have to agree. The verdict is kept.
import { compileTrace, type Pass, type Program } from "../../compile/program.ts";
import type { Target } from "../../compile/target.ts";
import { concat, iota, Tensor, tensor, where } from "../../graph/index.ts";
import { type Data, type DType, type Leaf, sizeOf, type Trace, trace } from "../../graph/internal.ts";
import { make } from "../../graph/operands.ts";
import type { Executable } from "../backend.ts";
import { CompilerError, hashName, type Toolchain } from "./toolchain.ts";

interface Memory {
  allocate(dtype: DType, size: number): number;
  free(address: number): void;
  write(address: number, data: Data): void;
  read(address: number, dtype: DType, size: number): Data;
}

/** Backends to run the programs of a trial. */
interface Runners {
  readonly memory: Memory;
  /** Makes a program ready to run as WebAssembly. */
  readonly expected: (program: Program) => Executable;
}

/** What a compiler has to be tried out with before it is used. */
export interface Trial {
  /** None where there is a verdict already. */
  readonly programs: readonly Program[];
  /** Runs these programs as compiled. Throws a CompilerError that names the form where they, or the verdict, say that the compiler is wrong. */
  judge(executables: readonly Executable[], runners: Runners): void;
}

/** What a toolchain has to be tried out with, or the verdict of a trial before. */
export function trialOf(toolchain: Toolchain, target: Target): Trial {
  const file = `${toolchain.folder}/verdict-${hashName([toolchain.identity, ...ownCode()])}`;
  const known = readVerdict(file);
  const attempt = known === undefined ? attemptOn(target) : undefined;
  return {
    programs: attempt?.programs ?? [],
    judge(executables, runners) {
      const wrong = known ?? attempt!.run(executables, runners) ?? sound;
      if (known === undefined) writeVerdict(file, wrong);
      if (wrong !== sound)
        throw new CompilerError(
          `the compiler makes wrong code of ${wrong} (set CC to another compiler than this one, ${toolchain.version})`,
        );
    },
  };
}

interface Attempt {
  readonly programs: readonly Program[];
  /** The first form that comes out differently. */
  run(executables: readonly Executable[], runners: Runners): string | undefined;
}

function attemptOn(target: Target): Attempt {
  const made = Object.entries(forms());
  const halves = [0, 1].map((k) => made.filter((_, i) => i % 2 === k));
  const graphs = halves.map((half) => trace(half.map(([, form]) => form)));
  // each form has kernels of its own: what has no vector form would take the vectors of those it is merged with
  const without = new Set<Pass>(["merge"]);
  return {
    programs: graphs.map((graph) => compileTrace(graph, { target, without })),
    run(executables, { memory, expected }) {
      const wrong = graphs.flatMap((graph, k) => {
        const found = valuesOf(memory, graph, executables[k]);
        const wanted = valuesOf(memory, graph, expected(compileTrace(graph)));
        return halves[k].filter((_, i) => !alike(found[i], wanted[i]));
      });
      return wrong[0]?.[0];
    },
  };
}

/** The files that C is made by: a verdict is of the code that they make. In a bundle, the one that this is a part of. */
function ownCode(): string[] {
  const [fs, url] = [globalThis.process.getBuiltinModule("node:fs"), globalThis.process.getBuiltinModule("node:url")];
  const read = (file: URL): string => fs.readFileSync(file, "utf8");
  try {
    return ["./", "../../compile/"].flatMap((folder) => {
      const place = new URL(folder, import.meta.url);
      const names = fs.readdirSync(url.fileURLToPath(place)).filter((name) => /\.[jt]s$/.test(name));
      return names.sort().map((name) => read(new URL(name, place)));
    });
  } catch {
    return [read(new URL(import.meta.url))];
  }
}

/** What a verdict says of a compiler that is right. */
const sound = "nothing";

/** What a compiler was found to make wrong code of; undefined where the file is missing or damaged. */
function readVerdict(file: string): string | undefined {
  try {
    const { wrong } = JSON.parse(globalThis.process.getBuiltinModule("node:fs").readFileSync(file, "utf8"));
    return typeof wrong === "string" ? wrong : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a verdict; where it cannot be written, the compiler is tried out again next time. */
function writeVerdict(file: string, wrong: string): void {
  const fs = globalThis.process.getBuiltinModule("node:fs");
  const fresh = `${file}.${globalThis.process.pid}`;
  try {
    fs.writeFileSync(fresh, JSON.stringify({ wrong }), { mode: 0o600 });
    fs.renameSync(fresh, file);
  } catch {
    fs.rmSync(fresh, { force: true });
  }
}

/** The results of one run in memory of its own. */
function valuesOf(memory: Memory, graph: Trace, executable: Executable): Data[] {
  const leaves = graph.leaves.map((t) => memory.allocate(t.dtype, t.size));
  graph.leaves.forEach((t, i) => {
    memory.write(leaves[i], (t.args as Leaf).storage.host!);
  });
  const outputs = graph.outputs.map((n) => memory.allocate(n.dtype, sizeOf(n.shape)));
  executable.run(leaves, outputs);
  const values = graph.outputs.map((n, i) => memory.read(outputs[i], n.dtype, sizeOf(n.shape)));
  for (const address of [...leaves, ...outputs]) memory.free(address);
  return values;
}

/** Whole numbers and truths to the bit, floats as far as the order of additions may take them. */
function alike(a: Data, b: Data): boolean {
  const tolerance = a instanceof Float32Array ? 1e-4 : a instanceof Float64Array ? 1e-12 : 0;
  return a.every((v, i) => Object.is(v, b[i]) || Math.abs(v - b[i]) <= tolerance * Math.max(1, Math.abs(b[i])));
}

/** One of each form that kernels have, with sizes that leave remainders. */
function forms(): Record<string, Tensor> {
  const wave = (shape: readonly number[], step: number): Tensor =>
    tensor(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => ((i * step) % 17) / 8 - 1),
      shape,
    );
  const [x, y, z] = [wave([37, 19], 3), wave([19, 45], 5), wave([37, 19], 7)];
  const shift = wave([37, 1], 11).exp();
  const sequence = wave([2000, 3], 3);
  const image = wave([2, 3, 11, 13], 5);
  const rows = tensor(Int32Array.from({ length: 37 }, (_, i) => (i * 5) % 9));
  const d = x.cast("f64");
  return {
    "a sequence beside its reverse": sequence
      .pad([[0, 0], [0, 3]])
      .add(sequence.flip(0).pad([[0, 0], [3, 0]])), // biome-ignore format: two lines
    "values and their reverse": x
      .mul(2)
      .add(x.flip(0))
      .sub(z.flip([0, 1])),
    "a reverse of rows": x.reshape(-1).flip().reshape(37, 19).add(x),
    "a sum": x.sum(1),
    "a sum of columns": x.mul(z).sum(0),
    "a long sum": wave([5, 3000], 3).sum(1),
    "a maximum": x.max(1),
    "a sum of what also follows it": x.sub(shift).square().sum(1).mul(0.01).sub(shift.reshape(37)).tanh().exp(),
    "a product of matrices": x.matmul(y),
    "a transposed product": y.transpose().matmul(x.transpose()),
    "a long product": wave([3, 2100], 3).matmul(wave([2100, 5], 5)),
    "a large product": wave([48, 1100], 3).matmul(wave([1100, 500], 5)),
    "sums of whole numbers": x.mul(50).cast("i32").sum(0),
    "maxima of whole numbers": x.mul(50).cast("i32").max(1),
    "sums in double precision": d.sum(1).add(d.max(1)),
    "a batch of products": wave([3, 9, 10], 3).matmul(wave([3, 10, 21], 5)),
    "a convolution": image.conv(wave([5, 3, 3, 3], 3), { padding: 1, stride: 2 }),
    "a transposition": x.transpose().mul(1.5),
    "a padded value": x.pad([[2, 1], [3, 5]], 7).mul(2), // biome-ignore format: a line
    "every other element": x.slice(1, 1, undefined, 2).slice(0, 0, undefined, 3).neg(),
    "a concatenation": concat([x, z.neg(), x.flip(1)], 1),
    "rows of a table": z.gather(rows),
    "a scattered sum": make("scatterAdd", [x, rows], { size: 9 }),
    "elementary functions": x.exp().add(x.tanh()).add(x.sigmoid()).add(x.sin()).add(x.erf()),
    "logarithms and roots": x.square().add(0.5).log().add(x.abs().sqrt()).div(z.add(3)),
    remainders: x.mul(9).mod(z.abs().add(0.3)),
    "remainders of large quotients": x.mul(1e9).mod(z.abs().add(0.3)),
    "sines of far arguments": x.mul(1e6).sin(),
    "double precision": d.exp().add(d.tanh()).matmul(y.cast("f64")),
    "whole numbers": x
      .mul(50)
      .cast("i32")
      .mod(7)
      .add(iota([37, 19], 1).shift(3)),
    choices: where(x.lt(z).or(x.eq(0)), x, z.floor()),
    "random bits": new Tensor("random", [tensor(Int32Array.of(1, 2))], { stream: 3 }, [37, 19], "i32"),
  };
}
