// Learning 16 samples by heart: networks that take longer, on wasm; with CI=true one of them.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { overfit, slowNetworks } from "../zoo/overfit.ts";

beforeAll(() => {
  device("wasm");
});

const chosen = Object.entries(slowNetworks).filter(([name]) => process.env.CI !== "true" || name === "ResNet-18");
test.each(chosen)("%s", { timeout: 240_000 }, (_, example) => overfit(example));
