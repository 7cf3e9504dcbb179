// The package as npm would install it, in a folder of its own, and bundles of pages that import it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What makes sense in a browser. */
export const subpaths = ["hebb", "hebb/nn", "hebb/optim", "hebb/data", "hebb/train", "hebb/zoo", "hebb/io"] as const;

/** A folder with node_modules/hebb, built from the sources; removePackage takes it away. */
export function installPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), "hebb-browser-"));
  const installed = join(folder, "node_modules/hebb");
  mkdirSync(installed, { recursive: true });
  cpSync(join(root, "package.json"), join(installed, "package.json"));
  const said = runTypeScript(["-p", join(root, "tsconfig.build.json"), "--outDir", join(installed, "dist")]);
  if (said !== "") throw new Error(said);
  return folder;
}

export const removePackage = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** What the compiler says, nothing where all is right. */
export function runTypeScript(args: readonly string[]): string {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, ...args], { encoding: "utf8" });
  return stdout + stderr;
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
