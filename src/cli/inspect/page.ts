// The page of a run: one HTML file that needs nothing else, its figures as JSON inside.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { figuresToJson } from "../../train/log.ts";
import { escaped } from "./html.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

/** How every page begins, which tells one from other files. */
export const pageStart = '<!doctype html>\n<meta name="generator" content="hebb inspect">\n';

export interface Page {
  readonly title: string;
  /** What the page is about, in pairs of name and text. */
  readonly about: Readonly<Record<string, string>>;
  /** HTML of `section`. */
  readonly sections: readonly string[];
  /** What the page's script and other programs read. */
  readonly figures: object;
}

export async function pageOf({ title, about, sections, figures }: Page): Promise<string> {
  const require = createRequire(import.meta.url);
  const library = (file: string): Promise<string> => readFile(require.resolve(`uplot/dist/${file}`), "utf8");
  const [chartScript, chartStyle] = [await library("uPlot.iife.min.js"), await library("uPlot.min.css")];
  const rows = Object.entries(about).map(([name, text]) => `<dt>${escaped(name)}</dt><dd>${escaped(text)}</dd>`);
  const links = sections.map((html) =>
    html.replace(/^<section id="([^"]+)"><h2>(.*?)<\/h2>.*$/s, '<a href="#$1">$2</a>'),
  );
  return `${pageStart}<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${chartStyle}${style}</style></head><body>
<header><h1>${escaped(title)}</h1><dl>${rows.join("")}</dl><nav>${links.join("")}</nav></header>
<main>${sections.join("\n")}</main>
<script type="application/json" id="figures">${json(figures)}</script>
<script>${chartScript}</script>
<script>${script}</script>
</body></html>
`;
}

/** JSON that no markup can end. */
const json = (figures: object): string => figuresToJson(figures).replaceAll("<", "\\u003c");
