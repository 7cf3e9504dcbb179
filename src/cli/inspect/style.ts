// How the page looks, in light and in dark.
export const style = `
:root { color-scheme: light dark; --page: #fff; --text: #1c1e21; --faint: #666c75; --line: #dfe2e6; --panel: #f6f7f9;
  --first: #2a6fdb; --second: #9aa3ad; --third: #e0670b; --shade: 42, 111, 219; --wrong: 224, 103, 11; }
@media (prefers-color-scheme: dark) { :root { --page: #16181c; --text: #e4e6ea; --faint: #9299a3; --line: #31353c; --panel: #1e2126;
  --first: #6ea4f5; --second: #707983; --third: #f39242; --shade: 90, 150, 245; --wrong: 243, 146, 66; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 72rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.8rem 0 0; font-size: 1.2rem; }
h3 { margin: 1rem 0 .2rem; font-size: .95rem; font-weight: 600; }
p { margin: .2rem 0; }
.about, .caption, dt { color: var(--faint); }
.about { max-width: 52rem; margin-bottom: .8rem; }
.caption { font-size: .85rem; }
.none { color: var(--faint); font-style: italic; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dd { margin: 0; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: .6rem 0; border-block: 1px solid var(--line); }
a { color: var(--first); text-decoration: none; }
a:hover { text-decoration: underline; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { color: var(--faint); font-weight: 500; }
.number { text-align: right; }
tfoot td, .total td { font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
.chart { padding: .6rem .6rem .2rem; border: 1px solid var(--line); border-radius: 6px; min-width: 0; }
.chart h3 { margin: 0 0 .3rem .4rem; }
.chart label { float: right; font-size: .8rem; color: var(--faint); }
.u-legend { font-size: .8rem; text-align: left; }
.u-legend .u-marker { border-radius: 2px; }
.bars { display: block; fill: var(--first); stroke: none; }
.bars path { stroke: var(--line); }
.codes { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
img { image-rendering: pixelated; display: block; max-width: 100%; }
.panels { display: flex; flex-wrap: wrap; gap: .4rem 2rem; align-items: flex-start; }
figure { margin: 0; min-width: 0; max-width: 100%; }
.sheet { padding: 6px; border: 1px solid var(--line); border-radius: 4px; background: var(--panel); max-width: 100%; }
.strip { display: flex; flex-direction: column; gap: 4px; }
.strip img { height: auto; }
.worst { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1rem; }
.worst.text { grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: .8rem 2rem; }
.worst img { width: 84px; border-radius: 4px; }
.worst b { font-weight: 600; }
.confusion td, .confusion th { padding: .25rem .5rem; text-align: center; min-width: 2.6rem; border: 1px solid var(--page); }
.confusion th:first-child { text-align: right; }
.said td { white-space: normal; vertical-align: top; }
.confusion .zero { color: var(--faint); opacity: .5; }
`;
