// Seconds for an epoch of CD-1 on MNIST (784-500, batches of 100), beside PyTorch: node bench/rbm.mjs THREADS, built from src/ before.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { mnist } from "../dist/data/index.js";
import { contrastiveDivergence, hintonsGuide, RBM } from "../dist/energy/index.js";
import * as hebb from "../dist/index.js";
import { sgd } from "../dist/optim/index.js";

const threads = Number(process.argv[2] ?? 1);
const folder = process.env.HEBB_DATA ?? "../shared/data";
const epochs = 3;

async function ours(device) {
  hebb.device(device, { threads });
  hebb.seed(0);
  const data = mnist("train", { folder }).batch(100);
  const rbm = new RBM(784, 500);
  const optimizer = sgd(rbm, contrastiveDivergence(rbm), hintonsGuide(rbm, { batches: 600 }));
  const lines = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    let error = 0;
    const start = performance.now();
    for await (const { x } of data.iterate({ epoch })) error += await optimizer.step({ x });
    lines.push({ seconds: (performance.now() - start) / 1e3, error: error / 600 });
  }
  return lines;
}

const show = (name, lines) =>
  console.log(`${name}: ${lines.map((l) => `${l.seconds.toFixed(2)} s (error ${l.error.toFixed(4)})`).join(", ")}`);

const script = fileURLToPath(new URL("contestants/rbm.py", import.meta.url));
console.log(`${threads} threads`);
for (const device of ["wasm", "native"]) show(`hebb ${device}`, await ours(device));
const { stdout, stderr } = spawnSync("/usr/bin/python3", [script, String(threads), String(epochs), folder], {
  encoding: "utf8",
});
if (stdout === "") console.log(stderr);
else show("PyTorch", JSON.parse(stdout));
