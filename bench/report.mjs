// The benchmark's figures as text: times, rates, ratios to PyTorch, memory.
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { contestants } from "./process.mjs";
import { leastTime } from "./roofline.mjs";

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const digits = (x) => (x >= 100 ? x.toFixed(0) : x.toPrecision(x >= 10 ? 3 : 2));
const units = [
  [1000, "s"],
  [1, "ms"],
  [0, "µs"],
];

/** "7.0 ms (6.8–7.9)": the median over rounds, the least and the most. */
export function time(values) {
  const [least, unit] = units.find(([least]) => median(values) >= least);
  const scale = least === 0 ? 1000 : 1 / least;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const middle = `${digits(median(values) * scale)} ${unit}`;
  return values.length === 1 ? middle : `${middle} (${digits(low * scale)}–${digits(high * scale)})`;
}

const figureOf = ({ values, error }, show) => (error === undefined ? show(values) : "–");
const reasonOf = (error) => (error.length > 110 ? `${error.slice(0, 110)}…` : error);

/** A row as it ends, for who is waiting. */
export const rowLine = ({ row, figures }) => {
  const cells = [...figures].map(
    ([name, f]) => `${name} ${f.error ?? (row.memory ? memory(f.values[0]) : time(f.values))}`,
  );
  return `${row.name}: ${cells.join(" · ")}`;
};

/** How many times as fast as its reference; rounds are compared one by one, since the machine's speed drifts. */
function speed(name, figures) {
  const own = figures.get(name);
  const references = (contestants[name].reference ?? []).map((r) => figures.get(r)).filter((r) => r && !r.error);
  if (own.error !== undefined || references.length === 0) return undefined;
  return Math.min(...references.map((r) => median(own.values.map((t, i) => r.values[i] / t))));
}

/** Resident memory at the first and the last hundredth of the steps, and its growth over the second half (least squares). */
function memory(resident) {
  const half = resident.slice(resident.length / 2);
  const middle = (half.length - 1) / 2;
  const mean = half.reduce((sum, r) => sum + r, 0) / half.length;
  const slope =
    half.reduce((sum, r, i) => sum + (i - middle) * (r - mean), 0) /
    half.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const mb = (bytes) => (bytes / 1e6).toFixed(0);
  const growth = (100 * slope * half.length) / mean;
  return `${mb(resident[0])} → ${mb(resident.at(-1))} MB (${growth >= 0 ? "+" : "−"}${Math.abs(growth).toFixed(1)} % over the second half)`;
}

function table(head, lines) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...lines.map(line)].join("\n");
}

function section(title, note, head, lines) {
  return lines.length === 0 ? [] : [`## ${title}`, ...(note ? [note] : []), table(head, lines)];
}

function ratios(timed, names) {
  const compared = names.filter((name) => contestants[name].reference !== undefined);
  const show = (ratio) => (ratio === undefined ? "–" : `${ratio.toFixed(2)} ×`);
  const lines = timed.map(({ row, figures }) => [row.title, ...compared.map((name) => show(speed(name, figures)))]);
  const trainings = timed.filter(({ row }) => row.training);
  const means = compared.map((name) => {
    const all = trainings.map(({ figures }) => speed(name, figures));
    if (all.length === 0 || all.includes(undefined)) return undefined;
    return Math.exp(all.reduce((sum, ratio) => sum + Math.log(ratio), 0) / all.length);
  });
  if (trainings.length > 1) lines.push(["**training steps, geometric mean**", ...means.map(show)]);
  const pairs = [
    ["hebb1", "hebb2", "wasm"],
    ["native1", "native2", "native"],
  ].filter(([one, two]) => names.includes(one) && names.includes(two));
  const scaling = (figures, [one, two]) => {
    const [a, b] = [figures.get(one), figures.get(two)];
    return (a.error ?? b.error) ? undefined : median(a.values.map((t, i) => t / b.values[i]));
  };
  for (const [i, { figures }] of timed.entries()) lines[i].push(...pairs.map((pair) => show(scaling(figures, pair))));
  if (trainings.length > 1) lines.at(-1).push(...pairs.map(() => ""));
  const head = [
    ...compared.map((name) => contestants[name].title),
    ...pairs.map(([, , device]) => `${device}, 2 threads over 1`),
  ];
  return compared.some((name) => timed.some(({ figures }) => speed(name, figures) !== undefined)) || pairs.length > 0
    ? section(
        "Speed relative to PyTorch",
        "Above 1 is faster than PyTorch with as many threads; two threads are held against the better of PyTorch's one and two.",
        ["", ...head],
        lines,
      )
    : [];
}

function missing(results) {
  const reasons = results.flatMap(({ row, figures }) =>
    [...figures].filter(([, f]) => f.error !== undefined).map(([name, f]) => [row.name, name, reasonOf(f.error)]),
  );
  const grouped = new Map();
  for (const [row, name, reason] of reasons) {
    const key = `${contestants[name].title}: ${reason}`;
    grouped.set(key, [...(grouped.get(key) ?? []), row]);
  }
  if (grouped.size === 0) return [];
  return ["Without a figure:", [...grouped].map(([reason, rows]) => `- ${rows.join(", ")}: ${reason}`).join("\n")];
}

/** Which part of what the machine can do each contestant reaches. */
function roofline(timed, names, limits) {
  if (limits.problem) return [`No roofline: ${limits.problem}.`];
  const shown = names.filter((name) => contestants[name].limit !== undefined);
  const figure = (row, { values, error }, { threads, limit }) => {
    if (error !== undefined) return "–";
    return `${((100 * leastTime(row, limits[threads], limits[threads][limit])) / median(values)).toFixed(0)} %`;
  };
  const lines = timed
    .filter(({ row }) => row.bytes)
    .map(({ row, figures }) => [row.title, ...shown.map((name) => figure(row, figures.get(name), contestants[name]))]);
  const described = [1, 2].map((threads) => {
    const { native, wasm, memory } = limits[threads];
    return `with ${threads} thread${threads > 1 ? "s" : ""} ${native.toFixed(0)} GFLOP/s of fused multiply-adds, ${wasm.toFixed(0)} GFLOP/s of 128-bit multiplications and additions (the limit of WebAssembly), ${memory.toFixed(0)} GB/s`;
  });
  return section(
    "Fraction of the roofline",
    `The least time that the arithmetic or the memory traffic of a row could take, whichever is longer, over the time that it took. Measured in C just before: ${described.join("; ")}. Elementary functions count no arithmetic.`,
    ["", ...shown.map((name) => contestants[name].title)],
    lines,
  );
}

const busy = (load) =>
  `**The machine was busy (load ${load.toFixed(1)} before the start).** Other programs took part of the cores: times are too long, and two threads suffer more than one, PyTorch's most of all.`;

/** The whole report in Markdown; load is the machine's before the start. */
export function tables(results, versions, { rounds, command, load, limits }) {
  const names = [...versions.keys()];
  const titles = names.map((name) => contestants[name].title);
  const timed = results.filter(({ row }) => !row.memory);
  const each = (figures, show) => names.map((name) => figureOf(figures.get(name), show));
  const rate = (flops) => (values) => `${(flops / median(values) / 1e6).toFixed(1)}`;
  const who = names.map((name) => `${contestants[name].title}: ${versions.get(name)}`).join("; ");
  const rated = timed.filter(({ row }) => row.rate);
  const machine = `${cpus()[0].model}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${platform()} ${release()} ${arch()}, Node ${process.version}`;
  return `${[
    "# Benchmark",
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}. ${machine}. ${who}.`,
    ...(load > 0.5 ? [busy(load)] : []),
    `One process a contestant and thread count; they take turns for ${rounds} rounds. A figure is the median over rounds of each round's median, with the least and the most of the rounds in brackets. The machine's speed drifts: compare within a row.`,
    ...section(
      "Times",
      "",
      ["", ...titles],
      timed.map(({ row, figures }) => [row.title, ...each(figures, time)]),
    ),
    ...missing(results),
    ...section(
      "Rates, GFLOP/s",
      "",
      ["", ...titles],
      rated.map(({ row, figures }) => [row.title, ...each(figures, rate(row.flops))]),
    ),
    ...ratios(
      timed.filter(({ row }) => !row.first),
      names,
    ),
    ...roofline(timed, names, limits),
    ...section(
      "Resident memory",
      "",
      ["", ...titles],
      results
        .filter(({ row }) => row.memory)
        .map(({ row, figures }) => [row.title, ...each(figures, (v) => memory(v[0]))]),
    ),
  ].join("\n\n")}\n`;
}
