// Exact parameter counts of the literature's networks, whole and layer by layer, counted without values.
import { expect, test } from "vitest";
import { shapesOnly, tensor } from "../../src/index.ts";
import { namedParameters, parameters } from "../../src/nn/index.ts";
import * as models from "../../src/zoo/index.ts";

const {
  alexnet,
  alexnet2012,
  goPolicy,
  googlenet,
  googlenetWithAuxiliary,
  lenet1,
  lenet4,
  nin,
  resnet,
  resnetCifar,
  vgg,
  zoo,
} = models; // prettier-ignore

const count = (build: () => object): number => parameters(shapesOnly(build)).reduce((sum, p) => sum + p.size, 0);

/** Parameters by the first `depth` parts of their names. */
function layers(build: () => object, depth = 1): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [name, { size }] of namedParameters(shapesOnly(build))) {
    const layer = name.split(".").slice(0, depth).join(".");
    sums[layer] = (sums[layer] ?? 0) + size;
  }
  return sums;
}

test("LeNet-1 has the paper's 2 578 parameters, LeNet-4 what its description makes", () => {
  expect(layers(() => lenet1())).toEqual({ h1: 104, h2: 8, h3: 512, h4: 24, output: 1930 });
  expect(count(() => lenet1())).toBe(2578);
  expect(layers(() => lenet4())).toEqual({ c1: 104, s2: 16, c3: 3216, s4: 32, f5: 48_120, output: 1210 });
});

test("AlexNet: the two groups of 2012, ungrouped, torchvision's", () => {
  const dense = [37_752_832, 16_781_312, 4_097_000];
  const sizes = (build: () => object, depth?: number): number[] => Object.values(layers(build, depth));
  expect(sizes(() => alexnet2012())).toEqual([34_944, 307_456, 885_120, 663_936, 442_624, ...dense]);
  expect(sizes(() => alexnet2012({ groups: 1 }))).toEqual([34_944, 614_656, 885_120, 1_327_488, 884_992, ...dense]);
  expect(sizes(() => alexnet(), 2)).toEqual([23_296, 307_392, 663_936, 884_992, 590_080, ...dense]);
  expect(count(() => alexnet2012())).toBe(60_965_224);
  expect(count(() => alexnet2012({ groups: 1 }))).toBe(62_378_344);
  expect(count(() => alexnet())).toBe(61_100_840);
});

test.each([
  ["A", 9_220_480, 132_863_336],
  ["A-LRN", 9_220_480, 132_863_336],
  ["B", 9_404_992, 133_047_848],
  ["C", 9_996_096, 133_638_952],
  ["D", 14_714_688, 138_357_544],
  ["E", 20_024_384, 143_667_240],
] as const)("VGG %s", (configuration, convolutions, total) => {
  expect(layers(() => vgg(configuration))).toEqual({ features: convolutions, classifier: 123_642_856 });
  expect(count(() => vgg(configuration))).toBe(total);
});

test("VGG with batch normalization has two more a channel", () => {
  const channels = { A: 2752, B: 2944, D: 4224, E: 5504 };
  for (const [configuration, more] of Object.entries(channels)) {
    const plain = count(() => vgg(configuration as "A"));
    expect(count(() => vgg(configuration as "A", { batchNorm: true }))).toBe(plain + 2 * more);
  }
});

test("Network in Network", () => {
  expect(count(() => nin())).toBe(966_986);
  expect(count(() => nin({ form: "imagenet" }))).toBe(7_595_176);
});

test("GoogLeNet: the paper's modules, and torchvision's total", () => {
  expect(layers(() => googlenetWithAuxiliary({ form: "2015" }))).toEqual({
    conv1: 9472,
    conv2: 4160,
    conv3: 110_784,
    inception3a: 163_696,
    inception3b: 388_736,
    inception4a: 376_176,
    inception4b: 449_160,
    inception4c: 510_104,
    inception4d: 605_376,
    inception4e: 868_352,
    inception5a: 1_043_456,
    inception5b: 1_444_080,
    aux1: 3_188_840,
    aux2: 3_190_888,
    fc: 1_025_000,
  });
  expect(count(() => googlenet({ form: "2015" }))).toBe(6_998_552);
  expect(count(() => googlenetWithAuxiliary({ form: "2015" }))).toBe(13_378_280);
  expect(count(() => googlenet())).toBe(6_624_904);
  expect(count(() => googlenetWithAuxiliary())).toBe(13_004_888);
  const { conv1, conv2, conv3 } = layers(() => googlenet());
  expect([conv1, conv2, conv3]).toEqual([9536, 4224, 110_976]);
});

test.each([
  [18, 11_689_512],
  [34, 21_797_672],
  [50, 25_557_032],
  [101, 44_549_160],
  [152, 60_192_808],
])("ResNet-%i", (depth, total) => {
  expect(count(() => resnet(depth))).toBe(total);
  expect(count(() => resnet(depth, { strideAt: "1x1" }))).toBe(total);
});

test.each([
  [20, 269_722, 272_474],
  [32, 464_154, 466_906],
  [44, 658_586, 661_338],
  [56, 853_018, 855_770],
  [110, 1_727_962, 1_730_714],
  [1202, 19_421_274, 19_424_026],
])("ResNet-%i for CIFAR, shortcuts A and B", (depth, a, b) => {
  expect(count(() => resnetCifar(depth))).toBe(a);
  expect(count(() => resnetCifar(depth, { shortcut: "none" }))).toBe(a);
  expect(count(() => resnetCifar(depth, { shortcut: "B" }))).toBe(b);
});

test("shortcut A has no parameters, C projects in every block", () => {
  const projections = 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512);
  const identities = 64 * 64 + 2 * 64 + (64 * 64 + 128) + (128 * 128 + 256) + (256 * 256 + 512) + (512 * 512 + 1024);
  expect(count(() => resnet(18, { shortcut: "A" }))).toBe(11_689_512 - projections);
  expect(count(() => resnet(18, { shortcut: "none" }))).toBe(11_689_512 - projections);
  expect(count(() => resnet(18, { shortcut: "C" }))).toBe(11_689_512 + identities);
});

test("the Go policy: 5×5, eleven 3×3, one filter 1×1, a bias for each point", () => {
  expect(layers(() => goPolicy())).toEqual({ hidden: 230_592 + 11 * 331_968, output: 192, bias: 361 });
  expect(count(() => goPolicy())).toBe(3_882_793);
  expect(layers(() => goPolicy({ size: 5, planes: 8, filters: 4, layers: 3 }))).toEqual({
    hidden: 804 + 148,
    output: 4,
    bias: 25,
  });
});

test("every entry has a name of its own and builds a model for its own input that gives what its task asks for", () => {
  expect(new Set(zoo.map(({ name }) => name)).size).toBe(zoo.length);
  for (const { name, input, tokens, classes, task = "classify", build } of zoo) {
    const Values = tokens === undefined ? Float32Array : Int32Array;
    const x = tensor(new Values(input.reduce((n, d) => n * d, 2)), [2, ...input]);
    const outputs = { classify: [classes], language: [...input, tokens], reconstruct: input, regress: [1] }[task];
    const model = shapesOnly(() => build());
    const given = task === "reconstruct" ? (model as models.Reconstructing).reconstruct(x) : model.forward(x);
    expect(given.shape, name).toEqual([2, ...outputs]);
  }
});

test("misuse is refused", () => {
  expect(() => resnet(20)).toThrow("resnet: the depth is 18, 34, 50, 101 or 152, not 20");
  expect(() => resnet(18, { shortcut: "D" as "A" })).toThrow(
    'resnet: the shortcut is "A", "B", "C" or "none", not "D"',
  );
  expect(() => resnet(18, { strideAt: "2" as "1x1" })).toThrow('resnet: strideAt is "3x3" or "1x1", not "2"');
  expect(() => resnetCifar(21)).toThrow("resnetCifar: the depth is 6n + 2, as 20, 32, 44, 56, 110, not 21");
  expect(() => vgg("F" as "A")).toThrow('vgg: the configuration is A, A-LRN, B, C, D or E, not "F"');
  expect(() => nin({ form: "mnist" as "cifar" })).toThrow('nin: the form is "cifar" or "imagenet", not "mnist"');
  expect(() => googlenet({ form: "v3" as "2015" })).toThrow('googlenet: the form is "torchvision" or "2015", not "v3"');
  expect(() => goPolicy({ layers: 1 })).toThrow("goPolicy: layers are 2 or more, the first and the last, got 1");
  expect(() => goPolicy({ size: 0 })).toThrow("goPolicy: size is 1 or more points a side, got 0");
  const go = zoo.find(({ name }) => name === "gopolicy")!;
  expect(() => go.build({ input: [48, 9, 10] })).toThrow(
    "planes of square boards [planes, size, size], got [48, 9, 10]",
  );
  expect(() => go.build({ input: [48, 9, 9], classes: 10 })).toThrow(
    "a class for each of the 81 points, got 10 classes",
  );
  expect(() => alexnet2012({ size: 32 })).toThrow("alexnet2012: images have 63 × 63 pixels at least, got 32 × 32");
});
