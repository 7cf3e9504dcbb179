// What is measured, in the order of the report. Each contestant builds the case of a row's name and hands back its step.

const product = (...sizes) => sizes.reduce((n, d) => n * d, 1);
const floats = (...counts) => 4 * counts.reduce((n, c) => n + c, 0);

/** A product of n × n matrices: two operands are read, one is written. */
const square = (n) => ({ flops: 2 * n ** 3, bytes: floats(3 * n * n) });

/** Attention of 2 × 6 heads over 1024 places: each product of places × places × 64. */
const attention = 2 * 12 * 1024 * 1024 * 64;
const image = product(32, 64, 32, 32);
const convolution = 2 * image * 64 * 9;

/**
 * A training step. layers: [multiply-adds of the forward pass, parameters] each, the first without a gradient for its input;
 * slots: what the optimizer keeps beside each parameter. Parameters and slots are read and written once.
 */
function step(layers, slots, inputs) {
  const forward = layers.reduce((n, [macs]) => n + macs, 0);
  const parameters = layers.reduce((n, [, count]) => n + count, 0);
  return {
    training: true,
    flops: 2 * (3 * forward - layers[0][0]),
    bytes: floats(2 * (1 + slots) * parameters, inputs),
  };
}

const linear = (rows, inputs, outputs) => [rows * inputs * outputs, (inputs + 1) * outputs];
/** A convolution without bias, and the normalisation after it. */
const conv = (inputs, outputs, kernel, side) => [
  64 * inputs * outputs * kernel ** 2 * side ** 2,
  inputs * outputs * kernel ** 2 + 2 * outputs,
];
const lenet = [
  [64 * product(6, 28, 28, 25), 156],
  [64 * product(16, 10, 10, 150), 2416],
  linear(64, 400, 120),
  linear(64, 120, 84),
  linear(64, 84, 10),
];
const stage = (inputs, outputs, side) => [
  conv(inputs, outputs, 3, side),
  ...Array.from({ length: 5 }, () => conv(outputs, outputs, 3, side)),
  ...(inputs === outputs ? [] : [conv(inputs, outputs, 1, side)]),
];
const resnet = [
  conv(3, 16, 3, 32),
  ...stage(16, 16, 32),
  ...stage(16, 32, 16),
  ...stage(32, 64, 8),
  linear(64, 64, 10),
];
/** 64 steps of 32 sequences: embedding 128, `gates` · 256 hidden units, 65 characters. The embedding's gradient is no product. */
const recurrent = (gates) =>
  step([[0, 65 * 128], linear(2048, 128, gates * 256), linear(2048, 256, gates * 256), linear(2048, 256, 65)], 2, 2048);

/** Multiply-adds of one image of 224 × 224, and parameters, as `hebb info` counts them. */
const [resnet18, resnet50, vgg16] = [
  [1_814_073_344, 11_689_512],
  [4_089_184_256, 25_557_032],
  [15_470_264_320, 138_357_544],
];
const pixels = 3 * 224 * 224;
const training = ([macs, parameters], batch) =>
  step(
    [
      [0, 0],
      [batch * macs, parameters],
    ],
    1,
    batch * pixels,
  );
const inference = ([macs, parameters], batch) => ({
  flops: 2 * batch * macs,
  bytes: floats(parameters, batch * pixels),
});
/** Six layers of width 384 over 8 sequences of 256: products with weights, and those of attention. */
const gpt = step(
  [
    [0, 0],
    [2048 * (72 * 384 ** 2 + 65 * 384) + 6 * 2 * 2048 * 256 * 384, 10_795_841],
  ],
  2,
  2048,
);
/** Networks as people train them, `large`: a step takes a second or so. */
const real = [
  { name: "resnet18", title: "ResNet-18, SGD + momentum, batch 8 of 224 × 224", ...training(resnet18, 8) },
  { name: "resnet50", title: "ResNet-50, SGD + momentum, batch 8 of 224 × 224", ...training(resnet50, 8) },
  { name: "gpt", title: "GPT of 10.8 M parameters, Adam, 8 × 256 characters", ...gpt },
  { name: "inferResnet18One", title: "ResNet-18, forward, batch 1", ...inference(resnet18, 1) },
  { name: "inferResnet50One", title: "ResNet-50, forward, batch 1", ...inference(resnet50, 1) },
  { name: "inferResnet50Eight", title: "ResNet-50, forward, batch 8", ...inference(resnet50, 8) },
  { name: "inferVgg16One", title: "VGG-16, forward, batch 1", ...inference(vgg16, 1) },
  { name: "makeResnet50", title: "making a ResNet-50, all weights drawn" },
  { name: "coldResnet50", title: "first step of that ResNet-50", first: "resnet50", from: "step" },
  {
    name: "coldEmptyResnet50",
    title: "the same, no compiled kernels cached",
    first: "resnet50",
    from: "step",
    emptyCache: true,
  },
].map((row) => ({ ...row, large: true }));

/**
 * name: what `--only` matches by prefix. flops, bytes: arithmetic and memory traffic of one run at least. rate: GFLOP/s are shown. training: counts in the
 * geometric mean. first: instead of steady steps, the first step of that case in a fresh process, timed from the import or
 * from the step. memory: instead of time, the resident memory over that many steps of the case (only with `--full`). large: only with `--full` or `--large`.
 */
export const rows = [
  { name: "matmul256", title: "matmul 256³", rate: true, ...square(256) },
  { name: "matmul512", title: "matmul 512³", rate: true, ...square(512) },
  { name: "matmul1024", title: "matmul 1024³", rate: true, ...square(1024) },
  {
    name: "convForward",
    title: "conv 3×3, 64→64, 32×32, batch 32: forward",
    rate: true,
    flops: convolution,
    bytes: floats(2 * image),
  },
  {
    name: "convBackward",
    title: "the same, forward + backward",
    rate: true,
    flops: 3 * convolution,
    bytes: floats(4 * image),
  },
  { name: "expTanh", title: "tanh(exp(x)), 1 M elements", bytes: floats(2 * 2 ** 20) },
  { name: "softmax", title: "softmax [4096, 1000]", bytes: floats(2 * 4096 * 1000) },
  {
    name: "attentionForward",
    title: "attention, 12 heads of 64, 1024 places: forward",
    rate: true,
    flops: 2 * attention,
    bytes: floats(4 * 12 * 1024 * 64),
  },
  {
    name: "attentionBackward",
    title: "the same, forward + backward",
    rate: true,
    flops: 6 * attention,
    bytes: floats(8 * 12 * 1024 * 64),
  },
  {
    name: "mlp",
    title: "MLP 784-512-512-10, Adam, batch 64",
    ...step([linear(64, 784, 512), linear(64, 512, 512), linear(64, 512, 10)], 2, 64 * 784),
  },
  { name: "lenet", title: "LeNet-5, SGD + momentum, batch 64", ...step(lenet, 1, 64 * 784) },
  { name: "resnet20", title: "ResNet-20 (CIFAR-10), SGD + momentum, batch 64", ...step(resnet, 1, 64 * 3072) },
  { name: "charRnn", title: "char-RNN 256, Adam, 32 × 64 characters", ...recurrent(1) },
  { name: "charLstm", title: "char-LSTM 256, Adam, 32 × 64 characters", ...recurrent(4) },
  { name: "charGru", title: "char-GRU 256, Adam, 32 × 64 characters", ...recurrent(3) },
  ...real,
  { name: "tiny", title: "MLP 2-16-16-1, Adam, batch 32" },
  { name: "cold", title: "import to first finished LeNet-5 step", first: "lenet", from: "import" },
  {
    name: "coldEmpty",
    title: "the same, no compiled kernels cached",
    first: "lenet",
    from: "import",
    emptyCache: true,
  },
  { name: "deep", title: "first step of a 100-layer MLP, width 64 (trace, compile, run)", first: "deep", from: "step" },
  { name: "memoryLenet", title: "LeNet-5, 10 000 steps", memory: "lenet", steps: 10_000 },
  { name: "memoryResnet", title: "ResNet-20, 100 steps", memory: "resnet20", steps: 100 },
  { name: "peakResnet50", title: "ResNet-50, 10 steps", memory: "resnet50", steps: 10, large: true },
];
