// Derivatives through whole networks that are large, in double precision on wasm.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { checkDerivatives, largeNetworks } from "../zoo/derivatives.ts";

beforeAll(() => {
  device("wasm");
});

test.each(Object.entries(largeNetworks))("%s", { timeout: 120_000 }, (_, example) => checkDerivatives(example));
