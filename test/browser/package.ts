// The package as npm would install it, in a folder of its own, and bundles of pages that import it.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { afterAll } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What makes sense in a browser. */
export const subpaths = ["hebb", "hebb/nn", "hebb/optim", "hebb/data", "hebb/train", "hebb/zoo", "hebb/io"] as const;

/** A folder with node_modules/hebb, built from the sources; it goes when the tests of the file are over. */
export function installPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), "hebb-browser-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const installed = join(folder, "node_modules/hebb");
  mkdirSync(installed, { recursive: true });
  cpSync(join(root, "package.json"), join(installed, "package.json"));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [
    compiler,
    "-p",
    join(root, "tsconfig.build.json"),
    "--outDir",
    join(installed, "dist"),
  ]);
  return folder;
}

/** Takes imports of hebb from the installed package, wherever the importing file is. */
const installed = (folder: string): Plugin => ({
  name: "installed",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^hebb(\/|$)/ }, ({ path, kind, pluginData }) =>
      pluginData === folder ? undefined : resolve(path, { kind, resolveDir: folder, pluginData: folder }),
    );
  },
});

/** The files of test/browser/pages and others as modules for a browser, by their names: "lenet.js". */
export async function bundlePages(folder: string, entries: readonly string[]): Promise<Map<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: entries.map((entry) => join(root, entry)),
    bundle: true,
    format: "esm",
    write: false,
    outdir: "/",
    entryNames: "[name]",
    logLevel: "silent",
    plugins: [installed(folder)],
  });
  return new Map(outputFiles.map(({ path, contents }) => [path.replace(/^.*[/\\]/, ""), contents]));
}
