// What a model says for the sentences of a test set, and what it attended to: the sections of its page.
import type { EncodedPairs, SequencePairs } from "../../data/index.ts";
import { evaluating, type Tensor, tensor } from "../../graph/index.ts";
import { compile } from "../../run/index.ts";
import type { Seq2Seq } from "../../zoo/index.ts";
import { translated } from "../translators.ts";
import { escaped, section, table } from "./html.ts";

export interface Said {
  /** As the model read it, which may be backwards. */
  readonly source: readonly string[];
  readonly reference: readonly string[];
  readonly translation: readonly string[];
  /** How much each word of the translation, "<end>" at its end, attended to each of the source; none without attention. */
  readonly weights?: readonly (readonly number[])[];
}

/** Pairs that are shown with their translation, and those whose alignment is. */
const [mostShown, mostAligned] = [24, 6];

export async function saidFor(
  model: Seq2Seq,
  test: SequencePairs,
  { hasAttention }: { hasAttention: boolean },
): Promise<Said[]> {
  const { pairs, source, vocabularies } = await test.samples();
  const sources = source.slice(0, Math.min(mostShown, test.length));
  const translations = (await translated(model, sources, vocabularies))!;
  const said: Said[] = [];
  for (const [i, translation] of translations.entries()) {
    const read = Array.from(sources[i], (number) => vocabularies.source.words[number]);
    const shown = { source: read, reference: pairs[i].target, translation };
    const aligned = hasAttention && i < mostAligned;
    said.push({ ...shown, ...(aligned && { weights: await weightsOf(model, sources[i], translation, vocabularies) }) });
  }
  return said;
}

/** A row for each word said, "<end>" at last, of weights that add up to 1. */
async function weightsOf(
  model: Seq2Seq,
  source: Int32Array,
  translation: readonly string[],
  { target }: EncodedPairs["vocabularies"],
): Promise<number[][]> {
  const given = Int32Array.from(["<start>", ...translation], (word) => target.number(word));
  const align = compile((batch: { source: Tensor; target: Tensor }) => evaluating(() => model.align(batch)));
  const weights = await align({ source: tensor(source, [1, source.length]), target: tensor(given, [1, given.length]) });
  const data = await weights.data(); // [1, T, S]
  return Array.from(given, (_, t) => Array.from(source, (__, s) => Number(data[t * source.length + s])));
}

export function alignmentsSection(said: readonly Said[]): string {
  const maps = said.flatMap(({ source, translation, weights }) =>
    weights === undefined ? [] : [heatMap(source, [...translation, "<end>"], weights)],
  );
  const about =
    "What each word of a translation, a row, attended to in the source; the shade is the share, and a row adds up to 1.";
  const content = maps.length > 0 ? `<div class="panels">${maps.join("")}</div>` : undefined;
  return section("Alignments", about, content, "the model has no attention");
}

function heatMap(
  source: readonly string[],
  translation: readonly string[],
  weights: readonly (readonly number[])[],
): string {
  const head = `<tr><th></th>${source.map((word) => `<th>${escaped(word)}</th>`).join("")}</tr>`;
  const rows = weights.map((row, t) => {
    const cells = row.map(
      (weight) => `<td style="background: rgba(var(--shade), ${weight.toFixed(3)})" title="${weight.toFixed(3)}"></td>`,
    );
    return `<tr><th>${escaped(translation[t])}</th>${cells.join("")}</tr>`;
  });
  return `<div class="wide"><table class="confusion">${head}${rows.join("")}</table></div>`;
}

export function translationsSection(said: readonly Said[], backwards: boolean): string {
  const rows = said.map(({ source, reference, translation }) =>
    [source, translation, reference].map((words) => escaped(words.join(" "))),
  );
  const about = `What the model says for the first sentences of the test set, by the likeliest word at each step${backwards ? "; it reads the source backwards" : ""}.`;
  const content = `<div class="said">${table(["source", "translation", "reference"], rows, 3)}</div>`;
  return section("Translations", about, content);
}
