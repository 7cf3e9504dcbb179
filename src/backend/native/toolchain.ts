// Compiles C with the machine's own compiler into shared objects, kept in a cache folder under a hash of all that shapes them.
import { makeFolderSync } from "../folder.ts";

/** A C compiler that makes code which runs here. */
export interface Toolchain {
  /** What `cc --version` says first. */
  readonly version: string;
  /** 32-bit elements in a vector of this processor. */
  readonly lanes: number;
  /** Where its products lie. */
  readonly folder: string;
  /** Names the compiler, how it is called and the processor: a product made for another has another name. */
  readonly identity: string;
  /** Paths of shared objects, each made from C files, all side by side; what the cache holds is not compiled again. Throws CompilerError. */
  compile(...objects: (readonly string[])[]): string[];
  /** The path of a shared object that was made before, by its name; undefined where the cache does not hold it whole. */
  recall(name: string): string | undefined;
  /** What a program made from C files prints; it is not kept. Throws CompilerError. */
  execute(sources: readonly string[]): string;
}

/** No compiler, one that fails, or a folder that cannot be written. */
export class CompilerError extends Error {
  override name = "CompilerError";
}

const flags = [
  "-O2 -march=native -ffp-contract=fast -fno-math-errno -fno-trapping-math", // multiply and add in one
  "-fwrapv -fno-strict-aliasing", // as in WebAssembly, whole numbers wrap and memory has no types
  "-fno-tree-vectorize -fno-tree-pre -fno-tree-vrp -fno-gcse -fno-code-hoisting -fno-schedule-insns2", // little gain for much time
  "-fPIC -fvisibility=hidden -w",
].flatMap((line) => line.split(" "));
/** GCC takes 256 bits for the best width of AVX-512 processors; this says what the kernels were laid out for. */
const wide = "-mprefer-vector-width=512";
const digestBytes = 32;
const compileSeconds = 120;

const builtin: typeof process.getBuiltinModule = (name: string) => globalThis.process.getBuiltinModule(name);

/** The compiler named by `CC`, else `cc`; its products lie in `folder`. Throws CompilerError. */
export function findToolchain(folder: string = cacheFolder()): Toolchain {
  const path = builtin("node:path");
  const [command, ...own] = compilerCommand();
  const version = run(command, [...own, "--version"]).stdout.split("\n", 1)[0];
  const defined = run(command, [...own, "-march=native", "-dM", "-E", "-x", "c", "/dev/null"]).stdout;
  const lanes = /__AVX512F__/.test(defined) ? 16 : /__AVX2__/.test(defined) ? 8 : 4;
  const all = [...own, ...flags, ...(lanes === 16 && /gcc|cc/i.test(version) ? [wide] : [])];
  const identity = hashName([command, version, ...all, defined]);
  preparePrivate(folder);
  const compile = (...objects: (readonly string[])[]): string[] => {
    const jobs = objects.map((sources) => ({
      sources,
      file: path.join(folder, `${hashName([identity, ...sources])}.so`),
    }));
    const missing = jobs.filter(({ file }) => !isWhole(file));
    build(command, [...all, "-shared"], missing, (fresh, file) => {
      const fs = builtin("node:fs");
      fs.appendFileSync(fresh, hash(fs.readFileSync(fresh)));
      fs.renameSync(fresh, file);
    });
    return jobs.map(({ file }) => file);
  };
  const execute = (sources: readonly string[]): string => {
    const jobs = [{ sources, file: path.join(folder, "measure") }];
    return build(command, all, jobs, (program) => run(program, []).stdout)[0];
  };
  const recall = (name: string): string | undefined => {
    const file = path.join(folder, path.basename(name));
    return isWhole(file) ? file : undefined;
  };
  return { version, lanes, folder, identity, compile, recall, execute };
}

/** The command that compiles C: `CC`, else `cc`, with arguments that come with it. */
const compilerCommand = (): string[] => (globalThis.process.env.CC || "cc").trim().split(/\s+/);

/** Whether there is a compiler to try; false outside of Node. */
export function hasCompiler(): boolean {
  if (globalThis.process?.dlopen === undefined || globalThis.process.platform === "win32") return false;
  const path = builtin("node:path");
  const { existsSync } = builtin("node:fs");
  const [command] = compilerCommand();
  const folders = (globalThis.process.env.PATH ?? "").split(path.delimiter);
  return command.includes("/")
    ? existsSync(command)
    : folders.some((f) => f !== "" && existsSync(path.join(f, command)));
}

/** `hebb/native` in the user's cache folder. */
export function cacheFolder(): string {
  const path = builtin("node:path");
  const { XDG_CACHE_HOME } = globalThis.process.env;
  const home = builtin("node:os").homedir();
  return path.join(XDG_CACHE_HOME || path.join(home, ".cache"), "hebb", "native");
}

/** A name for texts: the same for the same ones. */
export const hashName = (texts: readonly string[]): string => hash(JSON.stringify(texts)).toString("hex").slice(0, 40);

const hash = (data: string | Uint8Array): Buffer => builtin("node:crypto").createHash("sha256").update(data).digest();

/** The cache runs code: nobody else may write there. */
function preparePrivate(folder: string): void {
  try {
    makeFolderSync(folder, 0o700);
    const { uid, mode } = builtin("node:fs").statSync(folder);
    const mine = globalThis.process.getuid === undefined || uid === globalThis.process.getuid();
    if (!mine || (mode & 0o022) !== 0) throw new Error("others can write to it");
  } catch (error) {
    throw new CompilerError(`the folder ${folder} cannot be used for compiled code (${(error as Error).message})`);
  }
}

/** Whether a shared object is there and ends with the digest of what comes before: one cut short or changed is made again. */
function isWhole(file: string): boolean {
  try {
    const bytes = builtin("node:fs").readFileSync(file);
    const body = bytes.subarray(0, bytes.length - digestBytes);
    return body.length > 0 && hash(body).equals(bytes.subarray(body.length));
  } catch {
    return false;
  }
}

let builds = 0;

/** C files, and what is made of them. */
interface Job {
  readonly sources: readonly string[];
  readonly file: string;
}

/**
 * Compiles all files side by side and links those of each job into a file of another name than its own, as two processes may do so at
 * once. What is to be kept of it, `use` renames: the rest is deleted.
 */
function build<T>(
  command: string,
  options: readonly string[],
  jobs: readonly Job[],
  use: (fresh: string, file: string) => T,
): T[] {
  const fs = builtin("node:fs");
  const fresh = jobs.map(({ file }) => `${file}.${globalThis.process.pid}.${builds++}`);
  const parts = jobs.map(({ sources }, k) => sources.map((_, i) => `${fresh[k]}.${i}`));
  if (jobs.length === 0) return [];
  try {
    jobs.forEach(({ sources }, k) => {
      sources.forEach((source, i) => {
        fs.writeFileSync(`${parts[k][i]}.c`, source, { mode: 0o600 });
      });
    });
    const made = jobs.map((_, k) => commandsOf([command, ...options], parts[k], fresh[k]));
    run("sh", ["-c", sideBySide(made)], command);
    for (const file of fresh)
      if (!fs.existsSync(file))
        throw new CompilerError(`the C compiler "${command}" writes no file, and does not say why`);
    return jobs.map(({ file }, k) => use(fresh[k], file));
  } catch (error) {
    if (error instanceof CompilerError) throw error;
    throw new CompilerError(`compiled code could not be written: ${(error as Error).message}`);
  } finally {
    for (const left of [...fresh, ...parts.flat().flatMap((part) => [`${part}.c`, `${part}.o`])])
      fs.rmSync(left, { force: true });
  }
}

/** What makes a file of C files: one command, or one for each and another that links them. */
function commandsOf(compiler: readonly string[], parts: readonly string[], file: string): string {
  if (parts.length === 1) return quoted([...compiler, "-o", file, `${parts[0]}.c`]);
  const each = parts.map((part) => quoted([...compiler, "-c", "-o", `${part}.o`, `${part}.c`]));
  return `( ${sideBySide(each)}\n${quoted([...compiler, "-o", file, ...parts.map((part) => `${part}.o`)])} )`;
}

/** Commands that run at once; the shell goes on when all have succeeded, and stops where one has not. */
const sideBySide = (commands: readonly string[]): string =>
  [...commands.map((c, i) => `${c} & p${i}=$!`), ...commands.map((_, i) => `wait $p${i} || exit $?`)].join("\n");

const quoted = (words: readonly string[]): string => words.map((w) => `'${w.replaceAll("'", "'\\''")}'`).join(" ");

function run(command: string, args: readonly string[], compiler: string = command): { readonly stdout: string } {
  const { spawnSync } = builtin("node:child_process");
  const result = spawnSync(command, args, { encoding: "utf8", timeout: compileSeconds * 1000, maxBuffer: 2 ** 26 });
  if (result.error !== undefined)
    throw new CompilerError(`the C compiler "${compiler}" cannot be run: ${result.error.message}`);
  if (result.status !== 0) {
    const lines = result.stderr.split("\n");
    const first = lines.find((l) => /error/i.test(l) && !/^collect2/.test(l)) ?? lines[0];
    const how = result.signal ?? `status ${result.status}`;
    throw new CompilerError(`the C compiler "${compiler}" fails (${how})${first && `: ${first}`}`);
  }
  return result;
}
