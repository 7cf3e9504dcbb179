// Writes docs/api.md: everything that the package's subpaths export, as the built declarations have it. `npm run api`, after a build.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

/** The subpaths that users import, in the order of the rooms; those below `run` are the compiler's own. */
const rooms = ["", "nn", "optim", "data", "io", "train", "energy", "classical", "zoo"];

/** Top-level declarations of a .d.ts file, by name: { doc, text }. */
function declarations(file) {
  const found = new Map();
  let doc = [];
  const lines = readFileSync(file, "utf8").split("\n");
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].startsWith("/**")) {
      doc = [];
      for (; ; i++) {
        doc.push(lines[i]);
        if (lines[i].includes("*/")) break;
      }
      continue;
    }
    const name = /^export (?:declare )?(?:abstract )?(?:class|function|const|let|type|interface) (\w+)/.exec(
      lines[i],
    )?.[1];
    if (name === undefined) {
      if (lines[i] !== "" && !lines[i].startsWith(" ")) doc = [];
      continue;
    }
    const text = [lines[i]];
    while (i + 1 < lines.length && /^(\s|\}|\|)/.test(lines[i + 1])) text.push(lines[++i]);
    const known = found.get(name);
    if (known === undefined) found.set(name, { doc, text });
    else known.text.push(...text); // overloads
    doc = [];
  }
  return found;
}

/** What an index file exports: [name, declaration], through `export *` too; a namespace as [name, its own exports]. */
function exportsOf(file) {
  const all = [];
  const at = (specifier) => resolve(dirname(file), specifier).replace(/\.(ts|js)$/, ".d.ts");
  for (const [, list, from] of readFileSync(file, "utf8").matchAll(/export (?:type )?\{([^}]*)\} from "([^"]+)"/g)) {
    const known = declarations(at(from));
    for (const part of list
      .split(",")
      .map((p) => p.trim().replace(/^type /, ""))
      .filter((p) => p !== "")) {
      const [name, alias = name] = part.split(" as ");
      if (!known.has(name)) all.push(...exportsOf(at(from)).filter(([n]) => n === name));
      else all.push([alias, known.get(name)]);
    }
  }
  for (const [, name, from] of readFileSync(file, "utf8").matchAll(/export \* as (\w+) from "([^"]+)"/g))
    for (const [inner, declaration] of declarations(at(from))) all.push([`${name}.${inner}`, declaration]);
  for (const [, from] of readFileSync(file, "utf8").matchAll(/export \* from "([^"]+)"/g))
    all.push(...exportsOf(at(from)));
  return all;
}

/** A docstring's text in one line. */
const prose = (doc) =>
  doc
    .map((line) => line.replace(/^\s*\/\*\*\s?|\s*\*\/\s*$|^\s*\*\s?/g, ""))
    .join(" ")
    .replace(/\s+/g, " ")
    .trim();

/** A declaration without what only the compiler needs; members keep their docstrings. */
const shown = (text) =>
  text
    .filter((line) => !/^\s*(private|#)/.test(line))
    .join("\n")
    .replace(/^export (declare )?/gm, "");

/** The page. */
export function render() {
  const parts = [
    "# The public surface",
    "Everything that the package exports, as its types have it. `npm run api` writes this page; a test compares.",
  ];
  for (const room of rooms) {
    const found = exportsOf(join(dist, room, "index.d.ts")).sort(([a], [b]) => (a < b ? -1 : 1));
    parts.push(`## hebb${room === "" ? "" : `/${room}`}`);
    for (const [name, { doc, text }] of found) {
      const said = prose(doc);
      parts.push(`### ${name}`, ...(said === "" ? [] : [said]), `\`\`\`ts\n${shown(text)}\n\`\`\``);
    }
  }
  return `${parts.join("\n\n")}\n`;
}

/** Rooms that could be imported and are not on the page, which should name them all. */
export const unnamed = () =>
  readdirSync(dist, { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && ![...rooms, "graph", "compile", "backend", "run", "cli"].includes(entry.name),
    )
    .map((entry) => entry.name);

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(root, "docs", "api.md"), render());
