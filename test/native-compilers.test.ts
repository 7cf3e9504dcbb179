// Compilers that make wrong code, or none of one program: found, named in a line, and WebAssembly gives the right results.
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hasCompiler, NativeBackend } from "../src/backend/native/index.ts";
import { tensor } from "../src/graph/index.ts";
import { type Trace, trace } from "../src/graph/internal.ts";
import { runTrace } from "./harness.ts";

const compiler = process.env.CC ?? "cc";

describe.skipIf(!hasCompiler())("compilers", () => {
  let folder: string;
  const warn = vi.spyOn(console, "warn");
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hebb-compilers-"));
    warn.mockReset().mockImplementation(() => {});
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  /** From now on the C compiler is a script that does something before, and other than, the machine's own. */
  function useScript(lines: string): void {
    const script = join(folder, "compiler");
    writeFileSync(script, `#!/bin/sh\necho "$@" >> '${join(folder, "calls")}'\n${lines}\n`);
    chmodSync(script, 0o755);
    vi.stubEnv("CC", script);
  }
  const compilations = (): number =>
    existsSync(join(folder, "calls"))
      ? readFileSync(join(folder, "calls"), "utf8")
          .split("\n")
          .filter((l) => /\.c$/.test(l)).length
      : 0;
  const backend = (): NativeBackend =>
    new NativeBackend({ threads: 1, leastWork: [0, 0], folder: join(folder, "kept"), poison: true });
  const graph = (factor: number): Trace =>
    trace([
      tensor([[1, 2, -3]])
        .matmul(tensor([[3], [4], [5]]))
        .mul(factor),
    ]);
  const isC = (b: NativeBackend, t: Trace): boolean => !/^WebAssembly/.test(b.prepare(t, { shown: true }).source!());

  test.each([
    ["copies nothing", "-D'__builtin_memcpy(to,from,bytes)=(void)0'"],
    ["takes numbers for their absolute values", "-D'__builtin_fabs(x)=(x)'"],
    ["takes the bits of numbers for whole numbers", "-D'__builtin_convertvector(x,type)=((type)(x))'"],
  ])("one that %s is found out, once", { timeout: 120_000 }, (_, definition) => {
    useScript(`exec ${compiler} ${definition} "$@"`);
    const first = backend();
    expect([...runTrace(first, graph(2))[0]]).toEqual([-8]);
    expect(first.name).toBe("wasm");
    expect(warn).toHaveBeenCalledTimes(1);
    const [line] = warn.mock.calls[0];
    expect(line).toMatch(
      /^hebb: no native code, WebAssembly instead: the compiler makes wrong code of [a-z ]+ \(set CC /,
    );
    expect(line).not.toContain("\n");

    const count = compilations();
    expect(count).toBeGreaterThan(0);
    const second = backend();
    expect([...runTrace(second, graph(3))[0]]).toEqual([-12]);
    expect(second.name).toBe("wasm");
    expect(warn.mock.calls[1]).toEqual([line]);
    const tried = (): number => readdirSync(join(folder, "kept")).filter((f) => f.startsWith("verdict-")).length;
    expect(tried()).toBe(1);
    // the runtime is there, and the verdict is: nothing is compiled
    expect(compilations()).toBe(count);

    vi.stubEnv("CC", compiler);
    const other = backend();
    expect([...runTrace(other, graph(2))[0]]).toEqual([-8]);
    expect([other.name, tried(), warn.mock.calls.length]).toEqual(["native", 2, 2]);
  });

  test("one program that it refuses runs as WebAssembly, and the others as C", { timeout: 120_000 }, () => {
    useScript(`for file; do case $file in *.c) if grep -q '1234[.]5' "$file"; then
      echo "x.c:1: error: too hard" >&2; exit 1; fi;; esac; done; exec ${compiler} "$@"`);
    const native = backend();
    const [before, hard, after] = [graph(2), graph(1234.5), graph(3)];
    expect([...runTrace(native, before)[0]]).toEqual([-8]);
    expect(warn).not.toHaveBeenCalled();
    expect([...runTrace(native, hard)[0]]).toEqual([-4 * 1234.5]);
    expect(warn.mock.calls.map(String)).toEqual([
      expect.stringMatching(
        /^hebb: one program runs as WebAssembly, not as native code: the C compiler .* error: too hard$/,
      ),
    ]);
    expect([...runTrace(native, after)[0]]).toEqual([-12]);
    expect([isC(native, before), isC(native, hard), isC(native, after), native.name]).toEqual([
      true,
      false,
      true,
      "native",
    ]);
  });
});
