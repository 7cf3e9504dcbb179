// The order of the rooms: a folder imports only from folders above it, and the rooms that compute import no package.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const rooms = [
  "graph",
  "compile",
  "backend",
  "run",
  "nn",
  "optim",
  "io",
  "data",
  "train",
  "energy",
  "classical",
  "zoo",
  "cli",
];
const withoutPackages = new Set(["graph", "compile", "backend", "run", "nn", "optim", "energy", "classical", "zoo"]);
/** `await t.data()` has to reach the room that runs graphs; it does so when it is called, not when it is loaded. */
const allowed = new Set(["graph/tensor.ts → run/realize.ts"]);

const source = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((f) => f.endsWith(".ts"))
  .map((f) => f.replaceAll("\\", "/"));

interface Import {
  readonly from: string;
  /** A path within src, or the name of a package. */
  readonly to: string;
  readonly dynamic: boolean;
}

/** A source file without its comments. */
const code = (file: string): string =>
  readFileSync(join(source, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");

const imports: Import[] = files.flatMap((from) => {
  const found = [...code(from).matchAll(/(?:\bfrom\s*|\bimport\s*(\()?\s*)"([^"\n]+)"/g)];
  return found.map(([, call, specifier]) => {
    const to = specifier.startsWith(".")
      ? relative(source, resolve(source, dirname(from), specifier)).replaceAll("\\", "/")
      : specifier;
    return { from, to, dynamic: call !== undefined };
  });
});

const roomOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");
const isPackage = ({ to }: Import): boolean => !files.includes(to);

test("imports are found", () => {
  expect(imports.length).toBeGreaterThan(200);
  expect(imports.filter((i) => i.to.startsWith(".."))).toEqual([]);
});

test("every folder is a room", () => {
  expect([...new Set(files.map(roomOf))].filter((room) => room !== "" && !rooms.includes(room))).toEqual([]);
});

test("rooms import from the rooms above them", () => {
  const wrong = imports.filter((i) => {
    const [from, to] = [rooms.indexOf(roomOf(i.from)), rooms.indexOf(roomOf(i.to))];
    if (isPackage(i) || roomOf(i.from) === "") return false;
    return to > from && !(i.dynamic && allowed.has(`${i.from} → ${i.to}`));
  });
  expect(wrong.map((i) => `${i.from} → ${i.to}`)).toEqual([]);
});

test("rooms that compute import no package", () => {
  const wrong = imports.filter((i) => isPackage(i) && withoutPackages.has(roomOf(i.from)));
  expect(wrong.map((i) => `${i.from} → ${i.to}`)).toEqual([]);
});

test("no result of the engine depends on the platform's elementary functions", () => {
  const engine = files.filter((f) => ["graph", "compile", "backend", "nn", "optim"].includes(roomOf(f)));
  const wrong = engine.filter((f) => /\bMath\.(exp|expm1|log|log1p|sin|cos|tan|tanh|sinh|cosh|pow)\b/.test(code(f)));
  expect(wrong).toEqual([]);
});
