// Derivatives through whole networks that are large, in double precision on wasm; with CI=true one of them.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { checkDerivatives, largeNetworks } from "../zoo/derivatives.ts";

beforeAll(() => {
  device("wasm");
});

const chosen = Object.entries(largeNetworks).filter(([name]) => process.env.CI !== "true" || name === "ResNet-18");
test.each(chosen)("%s", { timeout: 120_000 }, (_, example) => checkDerivatives(example));
