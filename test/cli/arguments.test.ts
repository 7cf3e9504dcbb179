// Arguments the command line cannot use: each with its one line and status, and nothing written.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { commands } from "../../src/cli/cli.ts";
import { translators, wordModels, zoo } from "../../src/zoo/index.ts";
import { hebb, lastJson } from "./run-cli.ts";

const modelNames = [...zoo, ...translators, ...wordModels].map(({ name }) => name).join(", ");
const commandNames = Object.keys(commands).join(", ");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hebb-arguments-"));
  writeFileSync(join(folder, "list.json"), "[1]");
  writeFileSync(join(folder, "torn.json"), '{"epochs": 3');
  writeFileSync(join(folder, "typo.json"), '{"model": "lenet5", "epoch": 3}');
  writeFileSync(join(folder, "text.json"), '{"epochs": "many"}');
  writeFileSync(join(folder, "model.json"), '{"model": {"a": 1}}');
  writeFileSync(join(folder, "null.json"), "null");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const trainFlags =
  "--data, --samples, --batch, --optimizer, --lr, --decay, --decay-from, --schedule, --momentum, --weight-decay, --clip, --shift, --crop, --flip, --init, --freeze, --lr-scale, --seed, --epochs, --max-steps, --device, --threads, --data-dir, --download, --out, --resume, --config, --json, --help";

test.each<[string, string]>([
  ["", `a command is missing; one of ${commandNames} (hebb --help tells more)`],
  ["trian lenet5", `there is no command "trian"; did you mean train? (there are ${commandNames})`],
  ["train", "train needs a model, e.g. hebb train lenet5"],
  ["train lenet5 mlp", "train takes one model, got lenet5 mlp"],
  ["train lenet", `there is no model "lenet"; did you mean lenet1? (there are ${modelNames})`],
  ["info lenet-5", `there is no model "lenet-5"; did you mean lenet5? (there are ${modelNames})`],
  [
    "train resnet50",
    "resnet50 is made for [3, 224, 224] and 1000 classes; name a folder of images by --data ./PATH, or a data set: mnist, fashion-mnist, cifar10, mr, sst, mr-characters, trec, trec-characters, tiny-shakespeare, ptb, adding, glyphs, multi30k, cmn-eng, addition, copy, reverse, sort, text8",
  ],
  ["info constructor", `there is no model "constructor"; there are ${modelNames}`],
  [
    "train mlp --data mnits",
    'there is no data set "mnits"; did you mean mnist? (there are mnist, fashion-mnist, cifar10, mr, sst, mr-characters, trec, trec-characters, tiny-shakespeare, ptb, adding, glyphs, multi30k, cmn-eng, addition, copy, reverse, sort, text8)',
  ],
  [
    "train lenet5 --data trec",
    "lenet5 does not fit trec, whose samples are [40] (it takes pixels, not text); models that fit: textcnn, textlstm",
  ],
  [
    "train textcnn --data glyphs",
    "textcnn does not fit glyphs, whose samples are [1, 28, 28] (it takes text, not pixels); models that fit: lenet1, lenet4, lenet5, lenet5-1998, mlp, mlp-wide, mlp-dropout, convnet and more",
  ],
  [
    "train resnet20 --data cifar10 --crop 17",
    "--crop takes a whole number from 0 to 16 for cifar10, whose images are 32 × 32, not 17",
  ],
  ["train textcnn --data /absent/x", "textcnn takes data sets by name, and no files or folders such as /absent/x"],
  [
    "train gopolicy --data /absent/x",
    "images have 1 or 3 channels, and the model takes 48, so not the folder /absent/x",
  ],
  ["train resnet20 --data /absent/x", "imageFolder: there is no folder /absent/x; name one with a folder a class"],
  [
    "train charlstm --data trec",
    "charlstm does not fit trec, whose samples are [40] (it learns which token comes next, and there is no text that goes on); models that fit: textcnn, textlstm",
  ],
  [
    "train mlp --data glyphs --optimizer lbfgs --weight-decay 0.1",
    "lbfgs searches for its steps and takes no --weight-decay; leave that out, or take sgd or adam",
  ],
  ["train mlp --data glyphs --optimizer adam --momentum 0.5", "--momentum is of sgd, adam has none"],
  ["generate", "generate needs one run folder, e.g. hebb generate runs/charlstm-tiny-shakespeare-20260101-120000"],
  ["train textcnn --data trec --flip 0.5", "--flip is for images; trec has none, so leave it at 0"],
  ["train charrnn --schedule cosine --decay 0.5", "--decay and --decay-from belong to --schedule decay, not to cosine"],
  ["train textcnn --data trec --shift 1", "--shift is for images; trec has none, so leave it at 0"],
  [
    "train mlp --data glyphs --optimizer adma",
    'there is no optimizer "adma"; did you mean adam? (there are sgd, adam, adamw, adamax, adagrad, adadelta, rmsprop, newton, natural-gradient, conjugate-gradient, bfgs, lbfgs, hessian-free)',
  ],
  ["train mlp --data glyphs --device cuda", 'there is no device "cuda"; there are auto, native, wasm, js'],
  ["train mlp --epocs 3", `there is no flag "--epocs"; did you mean --epochs? (there are ${trainFlags})`],
  [
    "eval run --epochs 3",
    'there is no flag "--epochs"; there are --data, --samples, --batch, --device, --threads, --data-dir, --download, --beams, --best, --json, --help',
  ],
  ["train mlp --epochs 0", '--epochs takes a whole number from 1 to 1000000, not "0"'],
  ["train mlp --epochs 1.5", '--epochs takes a whole number from 1 to 1000000, not "1.5"'],
  ["train mlp --epochs", "--epochs takes a whole number from 1 to 1000000"],
  ["train mlp --lr -1", '--lr takes a number above 0, not "-1"'],
  ["train mlp --lr --seed", '--lr takes a number above 0, not "--seed"'],
  ["train mlp --out --download", '--out takes a path, not "--download"'],
  ["train --resume --data-dir=x", '--resume takes a run, not "--data-dir=x"'],
  ["train mlp --seed=x", '--seed takes a whole number from 0 to 2147483647, not "x"'],
  ["train mlp --json=yes", '--json takes no value, not "yes"'],
  ["train mlp --out a --resume b", "--out makes a new run and --resume continues one; give one of them"],
  [
    "train lenet5 --data cifar10 --out FOLDER/unfit",
    'lenet5 does not fit cifar10, whose samples are [3, 32, 32] (conv: channels differ, input [1, 3, 32, 32] has 3, weights [6, 1, 5, 5] in 1 group(s) take 1, in Conv2d "0"); models that fit: mlp, mlp-wide, mlp-dropout, convnet, nin, vgg11, vgg11-lrn, vgg13 and more',
  ],
  ["train --config FOLDER/list.json", '--config FOLDER/list.json holds no JSON object; write { "epochs": 5, … }'],
  [
    "train --config FOLDER/typo.json",
    '--config FOLDER/typo.json: there is no flag "epoch"; did you mean epochs? (there are model, data, samples, batch, optimizer, lr, decay, decayFrom, schedule, momentum, weightDecay, clip, shift, crop, flip, init, freeze, lrScale, seed, epochs, maxSteps, device, threads, dataDir, download, out, resume, config, json)',
  ],
  [
    "train --config FOLDER/text.json",
    '--config FOLDER/text.json: "epochs" takes a whole number from 1 to 1000000, not "many"',
  ],
  ["train --config FOLDER/model.json", '--config FOLDER/model.json: "model" takes a name, not {"a":1}'],
  ["train --config FOLDER/null.json", '--config FOLDER/null.json holds no JSON object; write { "epochs": 5, … }'],
  ["eval", "eval needs one run folder, e.g. hebb eval runs/lenet5-mnist-20260101-120000"],
  [
    "predict run",
    "predict needs a run folder and images, e.g. hebb predict runs/lenet5-mnist-20260101-120000 seven.png",
  ],
  [
    "train skipgram --data ptb",
    "skipgram does not fit ptb, which is no text to learn words from; data that fits: text8, or a text of yours, ./FILE",
  ],
  ["train cbow --data text8 --flip 0.5", "--flip is for images; text8 has none, so leave it at 0"],
  [
    "train charlstm --data text8",
    "charlstm does not fit text8, which is for vectors of words; models that fit: skipgram, cbow",
  ],
  [
    "train attention --data text8",
    "attention does not fit text8, which has no pairs of sequences; data sets that fit: multi30k, cmn-eng, addition, copy, reverse, sort",
  ],
  [
    "vectors run",
    "vectors needs a run folder and words, or --out, e.g. hebb vectors runs/skipgram-text8-20260101-120000 king",
  ],
  ["info", "info needs one model, e.g. hebb info lenet5"],
  ["devices all", "devices takes no arguments, got all"],
  ["train mlp --batch 1e9", '--batch takes a whole number from 1 to 65536, not "1e9"'],
  ["train mlp --samples 1e9", '--samples takes a whole number from 1 to 1000000, not "1e9"'],
  ["train mlp --threads 1000", '--threads takes a whole number from 1 to 256, not "1000"'],
  ["train mlp --decay 3", '--decay takes a number above 0, at most 1, not "3"'],
  [
    "train mlp --data glyphs --shift 40",
    "--shift takes a whole number from 0 to 14 for glyphs, whose images are 28 × 28, not 40",
  ],
  ["train --resume FOLDER", "FOLDER is not a run (it has no config.json); give the folder that a training run made"],
  ["eval FOLDER/none", "FOLDER/none is not a run (there is no such folder); give the folder that a training run made"],
  ["predict FOLDER x.png", "FOLDER is not a run (it has no config.json); give the folder that a training run made"],
  ["train mlp --data mnist --out FOLDER", "--out: FOLDER is not empty; choose another out folder"],
  [
    "train mlp --data mnist --out FOLDER/list.json/run",
    "--out: cannot make the folder FOLDER/list.json/run (ENOTDIR); choose another out folder",
  ],
])("hebb %s", async (args, message) => {
  const place = (text: string): string => text.replaceAll("FOLDER", folder);
  const { status, stdout, stderr } = await hebb(args === "" ? [] : place(args).split(" "));
  expect(stderr).toBe(`hebb: ${place(message)}\n`);
  expect(stdout).toBe("");
  expect(status).toBe(2);
  expect(existsSync("a")).toBe(false);
});

test.each([
  ["torn.json", /^hebb: --config .*torn\.json is not JSON \(.*\)\n$/],
  ["none.json", /^hebb: --config .*none\.json cannot be read \(ENOENT.*\)\n$/],
])("a --config file %s is refused", async (name, message) => {
  const { status, stderr } = await hebb(["train", "--config", join(folder, name)]);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test.runIf(process.platform === "linux")(
  "a folder in /proc, where none can be made, is refused before data are looked for",
  async () => {
    for (const out of ["/proc/hebb", "/proc/hebb/a/run"]) {
      const { status, stderr } = await hebb(["train", "mlp", "--data", "mnist", "--data-dir", folder, "--out", out]);
      expect(stderr).toBe(`hebb: --out: cannot make the folder ${out} (ENOENT); choose another out folder\n`);
      expect(status).toBe(2);
    }
  },
);

test("with --json a failure is one object too", async () => {
  for (const args of [
    ["info", "gpt", "--json"],
    ["info", "--json", "gpt", "--what"],
    ["eval", folder, "--json"],
  ]) {
    const outcome = await hebb(args);
    expect(outcome.stdout.trim().split("\n")).toHaveLength(1);
    expect(lastJson(outcome)).toEqual({ error: outcome.stderr.slice("hebb: ".length).trim(), status: 2 });
    expect(outcome.status).toBe(2);
  }
  writeFileSync(join(folder, "json.json"), '{"model": "gpt", "json": true}');
  expect(lastJson(await hebb(["train", "--config", join(folder, "json.json")])).status).toBe(2);
});

test("missing data are told with the folder, who named it, and fixes that work", async () => {
  vi.stubEnv("HEBB_DATA", join(folder, "nowhere"));
  vi.stubEnv("XDG_CACHE_HOME", join(folder, "cache"));
  const place = `${folder}/nowhere (from HEBB_DATA, no such folder)`;
  const named = await hebb(["train", "mlp", "--data", "mnist", "--out", join(folder, "named")]);
  expect(named).toEqual({
    status: 1,
    stdout: "",
    stderr: `hebb: train-images-idx3-ubyte.gz is not in ${folder}/nowhere/mnist or ${place}; put it there, fetch it there with --download (in code, download: true), or name the folder that has it with --data-dir or HEBB_DATA (in code, dir)\n`,
  });
  const out = ["--samples", "16", "--max-steps", "1", "--out", join(folder, "told")];
  expect((await hebb(["train", "mlp", ...out])).stderr).toContain(
    `data: glyphs (drawn digits, since mnist is not in ${place}; --data mnist --download fetches it)\n`,
  );
  vi.unstubAllEnvs();
});

test("what is missing where it should be fails the run", async () => {
  const data = await hebb(["train", "lenet5", "--data", "mnist", "--data-dir", folder, "--out", join(folder, "out")]);
  expect(data.status).toBe(1);
  expect(data.stderr).toMatch(
    /hebb: train-images-idx3-ubyte.gz is not in .*; put it there, fetch it there with --download/,
  );
  expect(existsSync(join(folder, "out"))).toBe(false);
});

test("HEBB_DEBUG adds the stack, HEBB_DEVICE is checked like the flag", async () => {
  vi.stubEnv("HEBB_DEBUG", "1");
  expect((await hebb(["info", "nothing"])).stderr).toMatch(/^hebb: there is no model.*\nUsageError: .*\n\s+at /);
  vi.unstubAllEnvs();
  vi.stubEnv("HEBB_DEVICE", "gpu");
  const problem = 'HEBB_DEVICE: there is no device "gpu"; there are auto, native, wasm, js';
  expect((await hebb(["train", "mlp", "--data", "glyphs"])).stderr).toBe(`hebb: ${problem}\n`);
  const { status, stdout } = await hebb(["devices"]);
  expect([status, stdout.trim().split("\n").at(-1)]).toEqual([0, problem]);
  expect(stdout).toMatch(/^ {2}native .*\n {2}wasm .*\n {2}js /);
  expect(lastJson(await hebb(["devices", "--json"])).problem).toBe(problem);
  vi.unstubAllEnvs();
});

test("help and version", async () => {
  expect((await hebb(["--help"])).stdout).toContain("hebb predict RUN FILE…");
  const { status, stdout } = await hebb(["train", "--help"]);
  expect(status).toBe(0);
  for (const flag of [
    "epochs",
    "max-steps",
    "batch",
    "optimizer",
    "lr",
    "seed",
    "device",
    "threads",
    "out",
    "resume",
    "data-dir",
    "json",
    "config",
  ])
    expect(stdout).toContain(`--${flag} `);
  for (const words of [
    "data set: mnist, fashion-mnist, cifar10, mr, sst, mr-characters, trec, trec-characters, tiny-shakespeare, ptb, adding, glyphs, multi30k, cmn-eng, addition, copy, reverse, sort, text8; or a folder of images, ./PATH, with a folder for each class; or, for vectors of words, a text, ./FILE (default: the model's, below; glyphs where mnist is not found)",
    "optimizer: sgd, adam, adamw, adamax, adagrad, adadelta, rmsprop, newton, natural-gradient, conjugate-gradient, bfgs, lbfgs, hessian-free (default: the model's, below)",
    "where to compute: auto, native, wasm, js (default: HEBB_DEVICE, else auto)",
  ])
    expect(stdout).toContain(words);
  expect(stdout).toMatch(
    /\n {2}lenet5 +--data mnist --epochs 10 --batch 64 --optimizer adam --lr 0\.003 --decay 0\.7 --shift 1\n/,
  );
  expect((await hebb(["eval", "--help"])).stdout).toContain(
    "samples in a batch (default: 250, or fewer where outputs are large)",
  );
  expect(stdout).toContain("not kept, so say it again with --resume");
  const info = (await hebb(["info", "--help"])).stdout;
  expect(info).toMatch(/\n {2}mlp +Rumelhart, /);
  expect(info).not.toContain("--epochs");
  expect((await hebb(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("info counts parameters and multiply-adds", async () => {
  const { stdout } = await hebb(["info", "lenet5"]);
  expect(stdout.split("\n").slice(1)).toMatchInlineSnapshot(`
    [
      "input [1, 28, 28]",
      "",
      "layer          output        parameters  multiply-adds",
      "Conv2d "0"     [6, 28, 28]          156        117 600",
      "AvgPool2d "2"  [6, 14, 14]            0              0",
      "Conv2d "3"     [16, 10, 10]       2 416        240 000",
      "AvgPool2d "5"  [16, 5, 5]             0              0",
      "Flatten "6"    [400]                  0              0",
      "Linear "7"     [120]             48 120         48 000",
      "Linear "9"     [84]              10 164         10 080",
      "Linear "11"    [10]                 850            840",
      "total                            61 706        416 520",
      "",
    ]
  `);
  const modern = lastJson(await hebb(["info", "lenet5", "--json"]));
  expect(modern).toMatchObject({ command: "info", model: "lenet5", parameters: 61_706, multiplyAdds: 416_520 });
  const old = lastJson(await hebb(["info", "lenet5-1998", "--json"]));
  expect(old).toMatchObject({ parameters: 60_000, multiplyAdds: 415_680 });
  const layers = Object.fromEntries(
    old.layers.map((layer: { name: string; parameters: number }) => [layer.name, layer.parameters]),
  );
  expect(layers).toEqual({
    'Conv2d "c1"': 156,
    'Subsample2d "s2"': 12,
    'LinkedConv "c3"': 1516,
    'Subsample2d "s4"': 32,
    'Conv2d "c5"': 48_120,
    'Linear "f6"': 10_164,
    'RadialBasis "output"': 0,
  });
});

test("devices names the one in use", async () => {
  const { devices } = lastJson(await hebb(["devices", "--json"]));
  expect(devices.map(({ name }: { name: string }) => name)).toEqual(["native", "wasm", "js"]);
  expect(devices.filter(({ chosen }: { chosen: boolean }) => chosen)).toHaveLength(1);
});
