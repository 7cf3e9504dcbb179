// What runs in the page: its charts, drawn by uPlot from the figures that the page holds.
export const script = `
const { charts } = JSON.parse(document.getElementById("figures").textContent);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const looks = {
  training: { stroke: "--first", width: 1.2 },
  "epoch mean": { stroke: "--second", width: 2, points: { show: true, size: 5 } },
  validation: { stroke: "--third", width: 2, points: { show: true, size: 5 } },
};
const digits = (value) => (value == null ? "–" : String(Number(value.toPrecision(4))));
const wide = (_, least, most) => { // a rate that hardly moves is a level line
  const room = Math.max((most - least) / 20, Math.abs(most) / 50) || 1;
  return [least - room, most + room];
};
function draw(place, { steps, curves }, logarithmic) {
  place.replaceChildren();
  const axis = () => ({ stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } });
  const series = curves.map(({ name }) => {
    const { stroke, ...look } = looks[name];
    return { label: name, spanGaps: true, value: (_, v) => digits(v), ...look, stroke: colour(stroke) };
  });
  const values = (_, marks) => marks.map((v) => (v == null ? "" : digits(v)));
  return new uPlot({
    width: place.clientWidth, height: 240,
    scales: { x: { time: false }, y: logarithmic ? { distr: 3 } : { range: wide } },
    axes: [{ ...axis(), size: 30 }, { ...axis(), size: 76, values }],
    series: [{ label: "step" }, ...series],
  }, [steps, ...curves.map(({ values }) => values)], place);
}
for (const figure of document.querySelectorAll("[data-chart]")) {
  const chart = charts[Number(figure.dataset.chart)];
  const place = figure.querySelector("div");
  const box = figure.querySelector("input");
  box.disabled = !chart.curves.every(({ values }) => values.every((v) => v === null || v > 0));
  let plot = draw(place, chart, false);
  const again = () => { plot.destroy(); plot = draw(place, chart, box.checked); };
  box.addEventListener("change", again);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 240 })).observe(place);
}
`;
