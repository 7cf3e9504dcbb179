// The step times of training in Chromium beside those in Node, as a table.
//   node bench/browser.mjs [--rounds N] [--seconds S] [--out FILE]
// CHROMIUM names the browser. TensorFlow.js is there after `npm --prefix bench install`.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { availableParallelism, cpus, loadavg, platform, release } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { median, time } from "./report.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
const pace = { seconds: Number(options.seconds), warmup: Number(options.seconds) };
const folder = fileURLToPath(new URL("./", import.meta.url));
const executablePath =
  process.env.CHROMIUM || ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
if (executablePath === undefined) {
  console.error("bench: there is no Chromium in /usr/bin; install it, or name it with CHROMIUM");
  process.exit(2);
}

const rows = [
  { name: "lenet", title: "LeNet-5, SGD + momentum, batch 64" },
  { name: "mlp", title: "MLP 784-512-512-10, Adam, batch 64" },
];
const contestants = [
  { title: "hebb, Node, 1 thread", library: "hebb", threads: 1 },
  { title: "hebb, Node, 2 threads", library: "hebb", threads: 2 },
  { title: "hebb, Chromium, 1 thread", library: "hebb", threads: 1, page: "isolated" },
  { title: "hebb, Chromium, 2 threads", library: "hebb", threads: 2, page: "isolated" },
  { title: "hebb, Chromium, page not isolated", library: "hebb", threads: 1, page: "plain" },
  { title: "TensorFlow.js, Chromium, 1 thread", library: "tfjs", threads: 1, page: "isolated" },
  { title: "TensorFlow.js, Chromium, 2 threads", library: "tfjs", threads: 2, page: "isolated" },
];

const files = new Map();
async function bundle(library) {
  const entry = join(folder, "browser", `${library}.mjs`);
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
    logLevel: "silent",
  });
  files.set(`${library}.js`, outputFiles[0].contents);
}

await bundle("hebb");
const tfjs = join(folder, "node_modules/@tensorflow/tfjs-backend-wasm/wasm-out");
if (existsSync(tfjs)) {
  await bundle("tfjs");
  for (const kind of ["", "-simd", "-threaded-simd"]) {
    const name = `tfjs-backend-wasm${kind}.wasm`;
    files.set(name, readFileSync(join(tfjs, name)));
  }
}

const isolating = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const types = { js: "text/javascript", wasm: "application/wasm" };
const server = createServer(({ url }, response) => {
  const content = url.endsWith("/") ? "<!doctype html><title>hebb</title>" : files.get(basename(url));
  const type = types[url.split(".").at(-1)] ?? "text/html";
  const headers = { "Content-Type": type, ...(url.startsWith("/isolated/") && isolating) };
  response.writeHead(content === undefined ? 404 : 200, headers).end(content);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});

const call = (module, row, threads) =>
  `import("${module}").then((m) => m.measure("${row}", ${threads}, ${JSON.stringify(pace)}))`;

async function inNode({ library, threads }, row) {
  const module = new URL(`./browser/${library}.mjs`, import.meta.url).href;
  const script = `${call(module, row, threads)}.then((times) => { console.log(JSON.stringify(times)); process.exit(); })`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  return JSON.parse(stdout);
}

async function inPage({ library, threads, page: kind }, row) {
  const page = await browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/${kind}/`);
    return await page.evaluate(call(`./${library}.js`, row, threads));
  } finally {
    await page.close();
  }
}

const [load] = loadavg();
const present = contestants.filter(({ library }) => files.has(`${library}.js`));
const errors = [];
const lines = [];
for (const { name, title } of rows) {
  const rounds = new Map(present.map((contestant) => [contestant, []]));
  for (let round = 0; round < Number(options.rounds); round++)
    for (const [contestant, times] of rounds) {
      try {
        const measured = contestant.page ? inPage(contestant, name) : inNode(contestant, name);
        times.push(median(await measured));
      } catch (error) {
        errors.push(`${title}, ${contestant.title}: ${error.message.split("\n")[0]}`);
        rounds.delete(contestant);
      }
    }
  lines.push([title, ...present.map((contestant) => (rounds.has(contestant) ? time(rounds.get(contestant)) : "–"))]);
}
const version = browser.version();
await browser.close();
server.close();

const line = (cells) => `| ${cells.join(" | ")} |`;
const report = [
  "# Benchmark in the browser",
  `Written by \`npm run bench:browser\` on ${new Date().toISOString().slice(0, 10)}. ${cpus()[0].model.trim()}, ${availableParallelism()} cores, ${platform()} ${release()}, Node ${process.version}, Chromium ${version}. Load before the start: ${load.toFixed(1)}.`,
  ...(load > 0.5
    ? [
        "**The machine was busy.** Other programs took part of the cores: times are too long, and two threads suffer more than one, in a page most of all, whose main thread must not sleep.",
      ]
    : []),
  `One page or process a figure; they take turns for ${options.rounds} rounds. A figure is the median over rounds of each round's median step, with the least and the most of the rounds in brackets. All compute on WebAssembly.`,
  [["", ...present.map(({ title }) => title)], ["---", ...present.map(() => "---")], ...lines].map(line).join("\n"),
  ...(errors.length > 0 ? [`Without a figure:\n\n${errors.map((error) => `- ${error}`).join("\n")}`] : []),
].join("\n\n");
console.log(report);
if (options.out) writeFileSync(options.out, `${report}\n`);
