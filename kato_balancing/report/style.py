"""How the page looks: light, dark and on paper."""

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --soft: #f4f6f8; --ink: #1c2329; --faint: #5b6670; --edge: #d5dbe1;
  --good: #1a7f4b; --bad: #c0322b; --open: #8f6300;
  --first: #2f6db5; --second: #b8640f; --third: #7d3fa8; --event: #0d7d7d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14191e; --soft: #1d242b; --ink: #e3e8ec; --faint: #9aa6b1; --edge: #36414b;
    --good: #4cc38a; --bad: #ff6f66; --open: #e0b04a;
    --first: #6aa9f0; --second: #f0a152; --third: #c58cf0; --event: #45c4c4;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 66rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem;
  border-top: 1px solid var(--edge); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
p, .banner { overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 50rem; }
.meta { color: var(--faint); }
.banner { margin: 1.25rem 0; padding: .9rem 1.1rem; background: var(--soft);
  border-left: 6px solid; border-radius: 4px; max-width: none; font-size: 1.15rem;
  font-weight: 600; }
.holds { color: var(--good); } .broken { color: var(--bad); } .undecided { color: var(--open); }
.verdict { font-weight: 600; white-space: nowrap; }
ul.messages { margin: .5rem 0; padding: .6rem 1rem .6rem 2rem; background: var(--soft);
  border-radius: 4px; max-width: 54rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0 1rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1.2rem .3rem 0;
  border-bottom: 1px solid var(--edge); }
th, td:not(:last-child) { white-space: nowrap; }
th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
figure { margin: .75rem 0; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, "DejaVu Sans", sans-serif; }
svg:not(.timeline) { max-width: 45rem; }
svg text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg .small { fill: var(--faint); font-size: 11px; }
svg .paper { fill: none; }
svg .fill-0 { fill: var(--first); } svg .line-0 { stroke: var(--faint); }
svg .fill-1 { fill: var(--second); } svg .line-1 { stroke: var(--faint); }
svg .grid { stroke: var(--edge); } svg .axis { stroke: var(--faint); }
svg .curve-p50, svg .curve-p95, svg .curve-p99 { fill: none; stroke-width: 2; }
svg .curve-p50 { stroke: var(--first); } svg .dot-p50 { fill: var(--first); }
svg .curve-p95 { stroke: var(--second); } svg .dot-p95 { fill: var(--second); }
svg .curve-p99 { stroke: var(--third); } svg .dot-p99 { fill: var(--third); }
svg .failed { fill: var(--bad); }
svg .event { stroke: var(--event); stroke-dasharray: 4 3; stroke-width: 1.5; }
svg .event-dot { fill: var(--event); }
svg .event-number { fill: var(--paper); stroke: none; font-size: 11px; font-weight: 600; }
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; font-size: 11px; }
  table, figure, .banner { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; }
}
"""
