// onnxruntime in the benchmark: node onnx.mjs THREADS, torchvision's networks as export.py writes them. It infers only.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { noise, serve } from "./serve.mjs";

const python = process.env.HEBB_BENCH_PYTHON ?? "/usr/bin/python3";

await serve(async () => {
  const { default: ort } = await import("onnxruntime-node");
  const threads = Number(process.argv[2]);
  const infer = (network, batch) => async () => {
    const file = join(tmpdir(), `hebb-bench-${network}-${batch}.onnx`);
    if (!existsSync(file)) {
      const script = fileURLToPath(new URL("export.py", import.meta.url));
      const { status, stderr } = spawnSync(python, [script, network, String(batch), file], { encoding: "utf8" });
      if (status !== 0) throw new Error(`no ${network}: ${stderr.trim().split("\n").at(-1)}`);
    }
    const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" };
    const session = await ort.InferenceSession.create(file, options);
    const x = new ort.Tensor("float32", noise(batch * 3 * 224 * 224), [batch, 3, 224, 224]);
    return () => session.run({ [session.inputNames[0]]: x });
  };
  const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
  return {
    version: JSON.parse(readFileSync(manifest, "utf8")).version,
    cases: {
      inferResnet18One: infer("resnet18", 1),
      inferResnet50One: infer("resnet50", 1),
      inferResnet50Eight: infer("resnet50", 8),
      inferVgg16One: infer("vgg16", 1),
    },
  };
});
