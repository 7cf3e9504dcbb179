// The zoo against torchvision where that takes much memory or time, as VGG with its 130 million parameters does.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { compareWithTorchvision, torchvisionCases } from "../zoo/torchvision.ts";

beforeAll(() => {
  device("wasm");
});

const short = process.env.CI === "true"; // then VGG-11 alone
test.each(torchvisionCases.filter(({ heavy, name }) => heavy && (!short || name === "vgg11")))(
  "$name at $size, training $training",
  { timeout: 300_000 },
  compareWithTorchvision,
);
