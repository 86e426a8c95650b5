"""The style sheet of a report's page."""

STYLE = """
:root { color-scheme: light; --ink: #1f2328; --muted: #59636e; --rule: #d8dee4; --soft: #f6f8fa; --accent: #2a5d84; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", "Liberation Sans", Arial, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
  -webkit-text-size-adjust: 100%; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em; }
h2 { font-size: 20px; line-height: 1.3; margin: 44px 0 12px; padding-top: 16px; border-top: 1px solid var(--rule); }
h3 { font-size: 16px; margin: 24px 0 4px; }
h4 { font-size: 14px; font-weight: 600; margin: 0 0 6px; }
h4 small { font-size: 13px; font-weight: 400; color: var(--muted); }
p { margin: 0 0 12px; max-width: 76ch; }
.note, .lead, figcaption, summary { color: var(--muted); font-size: 14px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 10px; margin: 20px 0 8px; padding: 0; }
.tiles div { background: var(--soft); border-radius: 8px; padding: 12px 14px; }
.tiles dt { font-size: 13px; color: var(--muted); }
.tiles dd { margin: 0; font-size: 26px; line-height: 1.25; font-weight: 600; }
.tiles small { display: block; font-size: 12px; line-height: 1.35; font-weight: 400; color: var(--muted); }
.scroll { overflow-x: auto; max-width: 100%; margin: 0 0 12px; scrollbar-width: thin;
  background: linear-gradient(to left, #fff 40%, transparent) right / 48px 100% no-repeat local,
    linear-gradient(to left, rgb(31 35 40 / .28), transparent) right / 18px 100% no-repeat scroll; }
.wider { display: none; margin: 0 0 4px; font-size: 13px; color: var(--muted); }
table { border-collapse: collapse; font-size: 14px; line-height: 1.35; overflow-wrap: normal; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
thead th { font-weight: 600; color: var(--muted); vertical-align: bottom; border-bottom-color: #8c959f; }
th:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: #fff; z-index: 1; }
tbody th { font-weight: 500; max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
tbody tr:last-child.total > * { border-top: 1px solid #8c959f; font-weight: 600; }
th i, .legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px;
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / .18); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
thead th.text { text-align: left; }
td.text { text-align: left; white-space: normal; min-width: 200px; color: var(--muted); }
td.bar { width: 180px; min-width: 90px; }
td.bar b { display: block; height: 10px; border-radius: 2px; background: var(--accent); print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.matrix td { text-align: center; min-width: 44px; border: 1px solid #fff; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
.matrix thead th { text-align: center; max-width: 150px; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th:first-child { max-width: none; text-align: left; }
.matrix.large { font-size: 12px; }
.matrix.large td { min-width: 26px; padding: 2px 4px; }
.matrix.large thead th { writing-mode: vertical-rl; max-height: 110px; padding: 4px 2px; text-align: right; }
.matrix.large thead th:first-child { writing-mode: initial; }
.better { color: #1a6b32; } .worse { color: #a3271f; }
.config td { text-align: left; white-space: normal; font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: 12.5px; overflow-wrap: anywhere; }
.config tbody th { font-weight: 400; font-size: 13px; max-width: none; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 20px 32px;
  align-items: start; }
.columns + .columns { margin-top: 24px; }
figure { margin: 0; min-width: 0; }
svg { display: block; width: 100%; height: auto; max-width: 560px; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; margin: 4px 0; }
.pictures { margin: 14px 0 26px; break-inside: avoid; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 10px 14px; }
.panels img { display: block; width: 100%; max-width: 100%; height: auto; max-height: 720px; object-fit: contain;
  object-position: left top; border-radius: 4px; }
summary { cursor: pointer; margin-bottom: 8px; }
@media (max-width: 600px) { main { padding: 18px 14px 40px; } h1 { font-size: 24px; } h2 { margin-top: 32px; }
  .tiles { grid-template-columns: repeat(2, 1fr); } th, td { padding: 5px 8px; }
  .wider { display: block; } td.text { min-width: 130px; } td.bar { min-width: 60px; }
  tbody th { min-width: 104px; max-width: 130px; white-space: normal; overflow-wrap: break-word; } }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; } .scroll { overflow: visible; }
  table { font-size: 9pt; } th, td { padding: 2px 5px; } th:first-child { position: static; } h2, h3, h4 { break-after: avoid; }
  figure, tr, .tiles div { break-inside: avoid; } .tiles div { border: 1px solid var(--rule); } }
"""
