"""The look of the report, light and dark. Must never fetch a font or an image."""

CSS = """
:root { color-scheme: light dark; --page:#f6f6f3; --card:#ffffff; --ink:#16181d; --soft:#5d636f;
  --line:#e3e3de; --grid:#ecece8; --one:#1f6fd0; --two:#9aa1ad; --mid:#7b828e; --buy:#1f6fd0;
  --sell:#d9631e;
  --good:#15803d; --bad:#c02626; --kill:#c02673; --wash:rgba(31,111,208,.10);
  --down:rgba(192,38,115,.16);
  --warm:#e0a21b; }
@media (prefers-color-scheme: dark) { :root { --page:#121418; --card:#1a1d23; --ink:#e9ebef;
  --soft:#9aa1ad; --line:#2b2f38; --grid:#262a32; --one:#63a4f4; --two:#6b7280; --mid:#8b92a0;
  --buy:#63a4f4;
  --sell:#f0914f; --good:#4ade80; --bad:#f87171; --kill:#f472b6; --wash:rgba(99,164,244,.12);
  --down:rgba(244,114,182,.18); --warm:#eab308; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--page); color:var(--ink);
  font:15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width:1040px; margin:0 auto; padding:36px 24px 60px; }
header { display:flex; flex-wrap:wrap; gap:10px 16px; align-items:baseline; margin-bottom:4px; }
h1 { font-size:26px; margin:0; letter-spacing:-.01em; }
h2 { font-size:16px; margin:0 0 2px; }
.sub, .note { color:var(--soft); margin:0 0 12px; font-size:13.5px; }
.sub { margin-bottom:22px; }
code, pre { font-family:ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size:12.5px; }
.badge { font-size:13px; font-weight:600; padding:3px 11px; border-radius:99px; color:#fff; }
.badge.pass { background:#15803d; } .badge.fail { background:#c02626; }
.tiles { display:grid; grid-template-columns:repeat(auto-fit, minmax(126px, 1fr)); gap:12px;
  margin-bottom:14px; }
.tile, section { background:var(--card); border:1px solid var(--line); border-radius:10px; }
.tile { padding:12px 15px; }
.tile b { display:block; font-size:20px; font-weight:620; letter-spacing:-.01em;
  font-variant-numeric:tabular-nums; }
.tile span { color:var(--soft); font-size:13px; }
.tile.good b { color:var(--good); } .tile.bad b { color:var(--bad); }
section { padding:17px 20px 14px; margin-bottom:14px; }
.pair { display:grid; grid-template-columns:1fr 1fr; gap:14px; }
@media (max-width:820px) { .pair { grid-template-columns:1fr; } }
svg { display:block; width:100%; height:auto; }
svg text { font:12px system-ui, Arial, sans-serif; fill:var(--soft);
  font-variant-numeric:tabular-nums; }
svg text.bar-name, svg text.bar-value { font-size:13px; fill:var(--ink); }
svg text.kill-word { fill:var(--kill); font-weight:600; }
.grid { stroke:var(--grid); } .axis { stroke:var(--two); } .zero { stroke:var(--two);
  stroke-dasharray:3 3; }
.line { fill:none; stroke-width:1.7; stroke-linejoin:round; } .line-1 { stroke:var(--one); }
  .line-2 { stroke:var(--two); } .line-mid { stroke:var(--mid); stroke-width:1.3; }
.wash { fill:var(--wash); } .down { fill:var(--down); } .kill { stroke:var(--kill);
  stroke-width:1.6; stroke-dasharray:5 3; }
.buy { fill:var(--buy); stroke:var(--card); stroke-width:.7; } .sell { fill:var(--sell);
  stroke:var(--card); stroke-width:.7; }
.bar { fill:var(--one); } .bar-reject { fill:var(--warm); }
.state-normal { fill:var(--good); opacity:.55; } .state-defensive { fill:var(--warm);
  opacity:.75; } .state-halted { fill:var(--bad); opacity:.8; }
.legend { display:flex; flex-wrap:wrap; gap:4px 18px; font-size:13px; color:var(--soft);
  margin:0 0 6px; }
.legend i { display:inline-block; width:11px; height:11px; border-radius:3px; margin-right:6px;
  vertical-align:-1px; }
table { border-collapse:collapse; width:100%; font-size:13.5px; }
td, th { text-align:left; padding:5px 10px 5px 0; border-bottom:1px solid var(--line);
  vertical-align:top; }
th { color:var(--soft); font-weight:500; } td.num { font-variant-numeric:tabular-nums; }
.yes { color:var(--good); font-weight:600; } .no { color:var(--bad); font-weight:600; }
pre { overflow-x:auto; margin:0; line-height:1.55; }
.wide { overflow-x:auto; }
.none { color:var(--soft); }
footer { color:var(--soft); font-size:13px; margin-top:20px; }
"""
