// The pieces that the page is made of: text made safe, sections, tables, bars.

/** Text as it may stand in HTML, in an attribute too. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

/** A heading, a line that explains what is seen, and the content: HTML, or undefined where `why` says that there is none. */
export function section(title: string, explanation: string, content: string | undefined, why = ""): string {
  const id = title.toLowerCase().replaceAll(" ", "-");
  const shown = content === undefined ? `<p class="none">Left out: ${escaped(why)}.</p>` : content;
  return `<section id="${id}"><h2>${escaped(title)}</h2><p class="about">${escaped(explanation)}</p>${shown}</section>`;
}

/** A table of cells that are HTML; all columns after the first `words` hold numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell, i) => `<${tag}${i < words ? "" : ' class="number"'}>${cell}</${tag}>`).join("")}</tr>`;
  const body = rows.map((row) => line(row, "td")).join("");
  return `<div class="wide"><table><thead>${line(head.map(escaped), "th")}</thead><tbody>${body}</tbody></table></div>`;
}

/** A number with four digits. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return `${value}`;
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : `${Number(value.toPrecision(4))}`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** 61 706 */
export const grouped = (count: number): string => count.toLocaleString("en-US").replaceAll(",", " ");

/** Counts as bars, the middle one of which stands at 0 where `low` is −`high`. */
export function bars(counts: readonly number[], low: number, high: number): string {
  const most = Math.max(1, ...counts);
  const rects = counts.map((count, i) => {
    const height = (28 * count) / most;
    return `<rect x="${4 * i}" y="${(28 - height).toFixed(1)}" width="3.4" height="${height.toFixed(1)}"/>`;
  });
  const width = 4 * counts.length;
  return `<svg class="bars" width="${width}" height="29" viewBox="0 0 ${width} 29" role="img" aria-label="histogram from ${short(low)} to ${short(high)}"><title>${short(low)} … ${short(high)}</title>${rects.join("")}<path d="M0 28.5H${width}"/></svg>`;
}
