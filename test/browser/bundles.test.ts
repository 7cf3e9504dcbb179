// Every subpath for browsers goes through esbuild, Vite and webpack with no configuration, without Node's modules, and stays small.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { build as viteBuild } from "vite";
import { afterAll, describe, expect, test } from "vitest";
import webpack from "webpack";
import { hasChromium, launch, serveFiles } from "./chromium.ts";
import { installPackage, removePackage, runTypeScript, subpaths } from "./package.ts";

const folder = installPackage();
afterAll(() => removePackage(folder));
const entryOf = (subpath: string): string => join(folder, `${subpath.replace("/", "-")}.js`);

for (const subpath of subpaths) {
  writeFileSync(entryOf(subpath), `import * as room from "${subpath}";\nglobalThis.room = room;\n`);
  const script = `<script type="module" src="./${subpath.replace("/", "-")}.js"></script>`;
  writeFileSync(entryOf(subpath).replace(/js$/, "html"), `<!doctype html>${script}`);
}

/** What is left of Node's modules in a bundle. What starts a thread in Node asks for its module by `require` in a text. */
const nodeImports = (code: string): string[] =>
  code.match(/\b(?:from|import)\s*\(?\s*["'](?:node:)?(?:fs|os|path|crypto|stream|util|url)(?:\/promises)?["']/g) ?? [];

function checkFolder(output: string): void {
  const scripts = readdirSync(output, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  expect(scripts.length).toBeGreaterThanOrEqual(subpaths.length);
  for (const name of scripts) {
    const code = readFileSync(join(output, name), "utf8");
    expect(nodeImports(code), name).toEqual([]);
    for (const mark of ["child_process", "copyFileSync", "NoRunError", "shared object"])
      expect(code.includes(mark), `${name}: ${mark}`).toBe(false);
  }
}

describe("every subpath", () => {
  test("nodeImports sees what it is to see", () => {
    expect(nodeImports('import{open as a}from"node:fs/promises";await import("node:os")')).toHaveLength(2);
  });

  test("goes through esbuild", async () => {
    const outdir = join(folder, "esbuild");
    const entryPoints = subpaths.map(entryOf);
    const { warnings } = await build({ entryPoints, bundle: true, minify: true, outdir, logLevel: "silent" });
    expect(warnings).toEqual([]);
    checkFolder(outdir);
  });

  test("goes through Vite", async () => {
    const outDir = join(folder, "vite");
    const said: string[] = [];
    const hear = (message: string): void => void said.push(message);
    await viteBuild({
      root: folder,
      configFile: false,
      customLogger: {
        info: () => {},
        warn: hear,
        warnOnce: hear,
        error: hear,
        clearScreen: () => {},
        hasErrorLogged: () => false,
        hasWarned: false,
      },
      build: { outDir, rollupOptions: { input: subpaths.map((subpath) => entryOf(subpath).replace(/js$/, "html")) } },
    });
    expect(said).toEqual([]);
    checkFolder(outDir);
  });

  test("goes through webpack", async () => {
    const path = join(folder, "webpack");
    const entry = Object.fromEntries(subpaths.map((subpath) => [subpath.replace("/", "-"), entryOf(subpath)]));
    const stats = await new Promise<webpack.Stats | undefined>((done, fail) => {
      const optimization = { minimize: false }; // it takes 20 s
      webpack(
        { mode: "production", context: folder, entry, output: { path }, optimization, performance: false },
        (error, found) => (error ? fail(error) : done(found)),
      );
    });
    expect(stats?.toJson({ errors: true, warnings: true }).errors).toEqual([]);
    expect(stats?.toJson().warnings).toEqual([]);
    checkFolder(path);
  });
});

test("types are right for a page's TypeScript, without Node's", () => {
  writeFileSync(
    join(folder, "page.ts"),
    `import { device, tensor } from "hebb";
    import { type DataOptions, mnist, readIdx, readImage } from "hebb/data";
    import { readSafetensors } from "hebb/io";
    import { Linear, mse } from "hebb/nn";
    import { adam } from "hebb/optim";
    import { Trainer } from "hebb/train";
    import { lenet5 } from "hebb/zoo";
    const { files } = document.querySelector("input")!;
    const options: DataOptions = { files: files!, url: "/mnist/" };
    const model = new Linear(1, 1);
    device("wasm", { threads: 2 });
    export const all = [lenet5(), mnist("train", options), readIdx(files![0]), readSafetensors(files![0]),
      readImage(files![0], [1, 28, 28]), tensor([1]).data(),
      new Trainer(model, adam(model, ({ x, y }) => mse(model.forward(x), y)))];
    // @ts-expect-error: it is a number
    device("wasm", { threads: "2" });`,
  );
  const flags =
    "--ignoreConfig --noEmit --strict --target es2022 --module esnext --moduleResolution bundler --lib es2023,dom,esnext.disposable";
  expect(runTypeScript([...flags.split(" "), "--types", "", join(folder, "page.ts")])).toBe("");
});

test("pages without a bundler can load every subpath: Node's modules are imported when they are used", async () => {
  const entryPoints = subpaths.map(entryOf);
  const { metafile } = await build({
    entryPoints,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node", // so that package.json's `browser` has no say
    external: ["fast-png", "sharp"], // not installed here; like Node's modules, imported when they are used
    outdir: join(folder, "unbundled"),
    write: false,
    metafile: true,
  });
  const dynamic = new Set<string>();
  const check = (output: string): string[] =>
    metafile.outputs[output].imports.flatMap(({ path, kind, external }) => {
      if (kind === "dynamic-import") dynamic.add(path.replace(/^.*[/\\]|-\w+\.js$/g, ""));
      if (kind === "dynamic-import") return [];
      return external ? [`${output}: ${path}`] : check(path);
    });
  const entries = Object.keys(metafile.outputs).filter((name) => metafile.outputs[name].entryPoint?.includes("hebb"));
  const loaded = entries
    .filter((name) => entryPoints.some((entry) => basename(entry) === basename(name)))
    .flatMap(check);
  expect(loaded).toEqual([]);
  for (const name of ["data-folder", "node-files", "node-images", "run-folder"]) expect([...dynamic]).toContain(name);
});

const sources: Record<string, string> = {
  "Sequential + adam on wasm": `
    import { device } from "hebb";
    import { crossEntropy, Linear, Sequential } from "hebb/nn";
    import { adam } from "hebb/optim";
    device("wasm");
    const model = new Sequential(new Linear(4, 2));
    globalThis.optimizer = adam(model, ({ x, y }) => crossEntropy(model.forward(x), y));`,
};
sources["with mnist"] = `${sources["Sequential + adam on wasm"]}
    import { mnist } from "hebb/data";
    globalThis.data = mnist("train", { url: "/mnist/" });`;
sources["with mnist and Trainer"] = `${sources["with mnist"]}
    import { Trainer } from "hebb/train";
    globalThis.trainer = new Trainer(model, globalThis.optimizer);`;

test("a page that trains is at most 80 kB, minified and gzipped", async () => {
  const sizes: number[] = [];
  for (const [name, contents] of Object.entries(sources)) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: folder },
      bundle: true,
      minify: true,
      format: "esm",
      write: false,
    });
    sizes.push(gzipSync(outputFiles[0].contents, { level: 9 }).length);
    console.log(`bundle, ${name}: ${(sizes.at(-1)! / 1000).toFixed(1)} kB`);
  }
  expect(sizes[0]).toBeGreaterThan(20_000); // the compiler is in it
  expect(sizes[0]).toBeLessThanOrEqual(80_000);
  expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
});

test.skipIf(!hasChromium())("what the bundlers make runs", async () => {
  const browser = await launch();
  for (const bundler of ["esbuild", "vite", "webpack"]) {
    const scripts = readdirSync(join(folder, bundler), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".js"),
    );
    const site = await serveFiles(
      new Map(scripts.map((name) => [basename(name), readFileSync(join(folder, bundler, name))])),
    );
    const page = await browser.newPage();
    await page.goto(`${site.origin}/isolated/`);
    const entry = scripts.find((name) => /^hebb(?!-(?:nn|optim|data|train|zoo|io)\b)/.test(basename(name)))!;
    await page.addScriptTag({ url: basename(entry), type: bundler === "vite" ? "module" : "" });
    await page.waitForFunction("globalThis.room");
    expect(await page.evaluate("room.tensor([1, 2]).mul(2).sum().item()"), bundler).toBe(6);
    await site.close();
  }
  await browser.close();
});
