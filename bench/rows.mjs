// What is measured, in the order of the report. Each contestant builds the case of a row's name and hands back its step.

const convolution = 2 * 32 * 64 * 64 * 9 * 32 * 32;

/**
 * name: what `--only` matches by prefix. flops: arithmetic of one run, where a rate says something. training: counts in the
 * geometric mean. first: instead of steady steps, the first step of that case in a fresh process, timed from the import or
 * from the step. memory: instead of time, the resident memory over that many steps of the case (only with `--full`).
 */
export const rows = [
  { name: "matmul256", title: "matmul 256³", flops: 2 * 256 ** 3 },
  { name: "matmul512", title: "matmul 512³", flops: 2 * 512 ** 3 },
  { name: "matmul1024", title: "matmul 1024³", flops: 2 * 1024 ** 3 },
  { name: "convForward", title: "conv 3×3, 64→64, 32×32, batch 32: forward", flops: convolution },
  { name: "convBackward", title: "the same, forward + backward", flops: 3 * convolution },
  { name: "expTanh", title: "tanh(exp(x)), 1 M elements" },
  { name: "softmax", title: "softmax [4096, 1000]" },
  { name: "mlp", title: "MLP 784-512-512-10, Adam, batch 64", training: true },
  { name: "lenet", title: "LeNet-5, SGD + momentum, batch 64", training: true },
  { name: "resnet20", title: "ResNet-20 (CIFAR-10), SGD + momentum, batch 64", training: true },
  { name: "charRnn", title: "char-RNN 256, Adam, 32 × 64 characters", training: true },
  { name: "charLstm", title: "char-LSTM 256, Adam, 32 × 64 characters", training: true },
  { name: "charGru", title: "char-GRU 256, Adam, 32 × 64 characters", training: true },
  { name: "tiny", title: "MLP 2-16-16-1, Adam, batch 32" },
  { name: "cold", title: "import to first finished LeNet-5 step", first: "lenet", from: "import" },
  { name: "deep", title: "first step of a 100-layer MLP, width 64 (trace, compile, run)", first: "deep", from: "step" },
  { name: "memoryLenet", title: "LeNet-5, 10 000 steps", memory: "lenet", steps: 10_000 },
  { name: "memoryResnet", title: "ResNet-20, 100 steps", memory: "resnet20", steps: 100 },
];
