// Beside the compiled code of a program lies what else is needed to run it, so that the next process need not plan it again.
import type { Frame } from "../../compile/program.ts";
import { hashName, type Toolchain } from "./toolchain.ts";

/** A compiled program. */
export interface Recalled {
  /** Its shared object. */
  readonly file: string;
  readonly frame: Frame;
}

const builtin: typeof process.getBuiltinModule = (name: string) => globalThis.process.getBuiltinModule(name);

/** Programs by what they are made from: a trace, how it is compiled, and the code that does so. */
export class Recall {
  readonly #toolchain: Toolchain;
  readonly #code: string;

  private constructor(toolchain: Toolchain, code: string) {
    this.#toolchain = toolchain;
    this.#code = code;
  }

  /** With the tiles that were measured on this machine. Undefined where hebb's own code cannot be told apart from other versions of it, as in a bundle. */
  static of(toolchain: Toolchain, tiles: string): Recall | undefined {
    const code = ownCode();
    return code === undefined ? undefined : new Recall(toolchain, hashName([code, tiles]));
  }

  /** Where the program made from what the texts say is kept. */
  recordOf(texts: readonly string[]): string {
    const { folder, identity } = this.#toolchain;
    return builtin("node:path").join(folder, `program-${hashName([identity, this.#code, ...texts])}.json`);
  }

  /** The program of a record; undefined where there is none, or not all of it. */
  find(record: string): Recalled | undefined {
    try {
      const [text, digest] = builtin("node:fs").readFileSync(record, "utf8").split("\n");
      if (digest !== hashName([text])) return undefined;
      const { object, frame } = JSON.parse(text) as { object: string; frame: Frame };
      const file = this.#toolchain.recall(object);
      return file === undefined ? undefined : { file, frame };
    } catch {
      return undefined; // made again
    }
  }

  /** Keeps what was made; where that fails it is made again. */
  keep(record: string, { file, frame }: Recalled): void {
    const fs = builtin("node:fs");
    const fresh = `${record}.${globalThis.process.pid}`;
    const { arenaBytes, stripBytes, stripRooms, leafCount, outputCount, kept, steady, updated } = frame;
    const needed: Frame = { arenaBytes, stripBytes, stripRooms, leafCount, outputCount, kept, steady, updated };
    const text = JSON.stringify({ object: builtin("node:path").basename(file), frame: needed });
    try {
      fs.writeFileSync(fresh, `${text}\n${hashName([text])}`, { mode: 0o600 });
      fs.renameSync(fresh, record);
    } catch {}
  }
}

/** Files of hebb's own code that shape programs; undefined where they do not lie beside this one, as in a bundle. */
function ownFiles(): URL[] | undefined {
  const { readdirSync } = builtin("node:fs");
  try {
    const files = ["graph/", "compile/", "backend/native/"].flatMap((room) => {
      const folder = new URL(`../../${room}`, import.meta.url);
      const names = readdirSync(folder).filter((name) => /\.[jt]s$/.test(name) && !name.endsWith(".d.ts"));
      return names.sort().map((name) => new URL(name, folder));
    });
    return files.length > 30 ? files : undefined;
  } catch {
    return undefined;
  }
}

/** Sizes and times of these files: another stamp later means that what has been loaded is no longer what lies there. */
function stampOf(files: readonly URL[] | undefined): string {
  const { statSync } = builtin("node:fs");
  try {
    return (files ?? []).map((file) => ((s) => `${s.size} ${s.mtimeMs}`)(statSync(file))).join();
  } catch {
    return "";
  }
}

const loaded = stampOf(ownFiles());

/** A name for hebb's own code, as far as it shapes programs. */
function ownCode(): string | undefined {
  const files = ownFiles();
  const texts = files?.map((file) => builtin("node:fs").readFileSync(file, "utf8"));
  return texts !== undefined && loaded !== "" && stampOf(files) === loaded ? hashName(texts) : undefined;
}
