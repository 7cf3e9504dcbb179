// Compiles C with the machine's own compiler into shared objects, kept in a cache folder under a hash of all that shapes them.
import type { SpawnSyncReturns } from "node:child_process";

/** A C compiler that makes code which runs here. */
export interface Toolchain {
  /** What `cc --version` says first. */
  readonly version: string;
  /** 32-bit elements in a vector of this processor. */
  readonly lanes: number;
  /** Path of a shared object made from C; what the cache holds is not compiled again. Throws CompilerError. */
  compile(source: string): string;
}

/** No compiler, one that fails, or a folder that cannot be written. */
export class CompilerError extends Error {
  override name = "CompilerError";
}

// -fwrapv and -fno-strict-aliasing: as in WebAssembly, whole numbers wrap and memory has no types
const flags = ["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"];
flags.push("-fwrapv", "-fno-strict-aliasing", "-fno-semantic-interposition", "-fPIC", "-shared", "-w");
/** GCC takes 256 bits for the best width of AVX-512 processors; this says what the kernels were laid out for. */
const wide = "-mprefer-vector-width=512";
const digestBytes = 32;
const compileSeconds = 120;

const builtin = <T>(name: string): T => globalThis.process.getBuiltinModule(name) as T;

/** The compiler named by `CC`, else `cc`; its products lie in `folder`. Throws CompilerError. */
export function findToolchain(folder: string = cacheFolder()): Toolchain {
  const path = builtin<typeof import("node:path")>("node:path");
  const [command, ...own] = (globalThis.process.env.CC || "cc").trim().split(/\s+/);
  const version = run(command, [...own, "--version"]).stdout.split("\n", 1)[0];
  const defined = run(command, [...own, "-march=native", "-dM", "-E", "-x", "c", "/dev/null"]).stdout;
  const lanes = /__AVX512F__/.test(defined) ? 16 : /__AVX2__/.test(defined) ? 8 : 4;
  const all = [...own, ...flags, ...(lanes === 16 && /gcc|cc/i.test(version) ? [wide] : [])];
  // a product made for another processor or by another compiler has another name
  const identity = [version, ...all, hash(defined).toString("hex")].join(" ");
  makeFolder(folder);
  const compile = (source: string): string => {
    const file = path.join(folder, `${hash(`${identity}\n${source}`).toString("hex").slice(0, 40)}.so`);
    if (!isWhole(file)) build(command, all, source, file);
    return file;
  };
  return { version, lanes, compile };
}

/** `hebb/native` in the user's cache folder. */
export function cacheFolder(): string {
  const path = builtin<typeof import("node:path")>("node:path");
  const { XDG_CACHE_HOME } = globalThis.process.env;
  const home = builtin<typeof import("node:os")>("node:os").homedir();
  return path.join(XDG_CACHE_HOME || path.join(home, ".cache"), "hebb", "native");
}

const hash = (data: string | Uint8Array): Buffer =>
  builtin<typeof import("node:crypto")>("node:crypto").createHash("sha256").update(data).digest();

/** The cache runs code: nobody else may write there. */
function makeFolder(folder: string): void {
  const fs = builtin<typeof import("node:fs")>("node:fs");
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = fs.statSync(folder);
    const mine = globalThis.process.getuid === undefined || uid === globalThis.process.getuid();
    if (!mine || (mode & 0o022) !== 0) throw new Error("others can write to it");
  } catch (error) {
    throw new CompilerError(`the folder ${folder} cannot be used for compiled code (${(error as Error).message})`);
  }
}

/** Whether a shared object is there and ends with the digest of what comes before: one cut short or changed is made again. */
function isWhole(file: string): boolean {
  try {
    const bytes = builtin<typeof import("node:fs")>("node:fs").readFileSync(file);
    const body = bytes.subarray(0, bytes.length - digestBytes);
    return body.length > 0 && hash(body).equals(bytes.subarray(body.length));
  } catch {
    return false;
  }
}

let builds = 0;

/** Compiles into a file of another name and renames it, so that two processes may do so at once. */
function build(command: string, options: readonly string[], source: string, file: string): void {
  const fs = builtin<typeof import("node:fs")>("node:fs");
  const fresh = `${file}.${globalThis.process.pid}.${builds++}`;
  try {
    fs.writeFileSync(`${fresh}.c`, source, { mode: 0o600 });
    run(command, [...options, "-o", fresh, `${fresh}.c`, "-lm"]);
    fs.appendFileSync(fresh, hash(fs.readFileSync(fresh)));
    fs.renameSync(fresh, file);
  } catch (error) {
    if (error instanceof CompilerError) throw error;
    throw new CompilerError(`compiled code could not be written: ${(error as Error).message}`);
  } finally {
    for (const left of [fresh, `${fresh}.c`]) fs.rmSync(left, { force: true });
  }
}

function run(command: string, args: readonly string[]): SpawnSyncReturns<string> {
  const { spawnSync } = builtin<typeof import("node:child_process")>("node:child_process");
  const result = spawnSync(command, args, { encoding: "utf8", timeout: compileSeconds * 1000, maxBuffer: 2 ** 26 });
  if (result.error !== undefined) throw new CompilerError(`the C compiler "${command}" cannot be run: ${result.error.message}`);
  if (result.status !== 0) {
    const lines = result.stderr.split("\n");
    const first = lines.find((l) => /error/i.test(l)) ?? lines[0];
    throw new CompilerError(`the C compiler "${command}" fails (${result.signal ?? `status ${result.status}`}): ${first}`);
  }
  return result;
}
