// Learning 16 samples by heart: networks that are quick to train, on wasm.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { overfit, quickNetworks } from "./overfit.ts";

beforeAll(() => {
  device("wasm");
});

test.each(Object.entries(quickNetworks))("%s", { timeout: 240_000 }, (_, example) => overfit(example));
