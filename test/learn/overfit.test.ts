// Learning 16 samples by heart: networks that take longer, on wasm.
import { beforeAll, test } from "vitest";
import { device } from "../../src/index.ts";
import { overfit, slowNetworks } from "../zoo/overfit.ts";

beforeAll(() => {
  device("wasm");
});

test.each(Object.entries(slowNetworks))("%s", { timeout: 240_000 }, (_, example) => overfit(example));
