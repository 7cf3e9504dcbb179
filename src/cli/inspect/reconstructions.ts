// Samples beside what a model gives back for them.
import type { Dataset } from "../../data/index.ts";
import type { Reconstructing } from "../../zoo/index.ts";
import { givenBack } from "../sample-rows.ts";
import { section } from "./html.ts";
import { address, besideEachOther, type Picture } from "./picture.ts";
import { firstBatch } from "./samples.ts";
import { image } from "./sections.ts";

export interface Reconstructions {
  readonly picture: Picture;
  /** Whether what the model was shown stands between the samples and what it gave. */
  readonly hasCue: boolean;
}

const shown = 32;
const columns = 16;

export async function reconstructionsOf(model: Reconstructing, data: Dataset): Promise<Reconstructions> {
  const { x } = await firstBatch(data, shown);
  const samples = Float32Array.from(await x.data(), Number);
  const rows = [samples, ...(await givenBack(model, x, samples)).map(({ values }) => values)];
  return { picture: besideEachOther(rows, data.info.shape, columns), hasCue: model.cue !== undefined };
}

export function reconstructionsSection({ picture, hasCue }: Reconstructions): string {
  const scale = Math.max(1, Math.min(4, Math.floor(960 / picture.width)));
  const content = image(
    address(picture),
    scale * picture.width + 14,
    scale * picture.height + 14,
    "samples above their reconstructions",
  );
  const about = hasCue
    ? "Stored samples, below each the spoilt copy that the model is shown, and what it recalls from that."
    : "Test samples, and below each what the model gives back for it.";
  return section("Reconstructions", about, content);
}
