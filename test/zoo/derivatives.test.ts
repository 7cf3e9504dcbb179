// Derivatives through whole networks that are small, in double precision on wasm.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { checkDerivatives, smallNetworks } from "./derivatives.ts";

beforeAll(() => {
  device("wasm");
});

test.each(Object.entries(smallNetworks))("%s", { timeout: 120_000 }, (_, example) => checkDerivatives(example));
