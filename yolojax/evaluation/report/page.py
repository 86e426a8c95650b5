"""The pieces of a report's page: HTML that is whole in one file, without scripts and without a network."""

import base64
import html
import math

import numpy as np

from yolojax.draw import class_color, draw_detections
from yolojax.evaluation.report.plots import hex_color, to_svg
from yolojax.runtime.opencv import cv2

DASH = "\N{EN DASH}"
TEXT = ' class="text"'
SHORT_SIDE, LONG_SIDE, QUALITY = 480, 960, 80  # pixels of an embedded picture, and of 100 for its JPEG


def page(title, parts):
    """A whole page of HTML from its title, plain text, and the parts of its body, HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def section(title, *parts):
    """A part of the page under its heading."""
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def note(text):
    """A paragraph of explanation, plain text."""
    return f'<p class="note">{escape(text)}</p>'


def escape(text):
    """Plain text as HTML."""
    return html.escape(str(text))


def number(value, digits=3):
    """A number as HTML, rounded to `digits` behind the point (whole numbers are not); None and NaN are a dash."""
    if finite(value) is None:
        return DASH
    return str(value) if isinstance(value, int) else f"{value:.{digits}f}"


def finite(value):
    """The number, or None where it is None, NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def class_name(name, class_id):
    """The name of a class behind a patch of its colour."""
    return f'<i style="background:{hex_color(class_color(class_id))}"></i>{escape(name)}'


def table(titles, rows, *, kind=""):
    """A table in a box of its own, which scrolls where the page is too narrow.

    Args:
        titles: plain text, one a column; all but the first are numbers, at the right.
        rows: a list of lists of HTML; a row's first entry is its heading, the others are contents of cells, or whole ones.
        kind: CSS class of the table.
    """
    first_row = rows[0] if rows else titles
    head = "".join(
        f'<th scope="col"{TEXT if cell.startswith(f"<td{TEXT}") else ""}>{escape(title)}</th>'
        for title, cell in zip(titles, first_row, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )  # fmt: skip
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def bar(share):
    """A bar as wide as the share, 0 to 1, of its cell."""
    return f'<td class="bar"><b style="width:{100 * min(1.0, max(0.0, share)):.1f}%"></b></td>'


def plot(figure, prefix, caption, lines=()):
    """A matplotlib figure as inline SVG over its caption, plain text, and the names of its lines."""
    names = "".join(f'<span><i style="background:{hex_color(line.color)}"></i>{escape(line.name)}</span>' for line in lines)
    legend = f'<div class="legend">{names}</div>' if lines else ""
    svg = to_svg(figure, prefix).replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    return f"<figure>\n{svg}\n{legend}<figcaption>{escape(caption)}</figcaption>\n</figure>"


def columns(*parts):
    """Parts beside each other where the page is wide enough."""
    return '<div class="columns">\n' + "\n".join(part for part in parts if part) + "\n</div>"


def folded(title, content):
    """HTML that is shown when its title, plain text, is clicked."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}\n</details>"


def drawn(image, boxes_xyxy, classes, names, scores=None):
    """A picture with its boxes as an <img> of modest size; arguments as `draw_detections`."""
    height, width = image.shape[:2]
    # Made smaller before, not after, boxes are drawn: their labels stay readable.
    scale = min(1.0, SHORT_SIDE / min(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4) * scale
    canvas = draw_detections(image, boxes, classes, names, scores)
    height, width = canvas.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    height, width = canvas.shape[:2]
    return f'<img width="{width}" height="{height}" alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'


def picture_row(title, panels):
    """Pictures beside each other.

    Args:
        title: HTML.
        panels: a list of (caption, plain text; <img>).
    """
    figures = "".join(f"<figure>{img}<figcaption>{escape(caption)}</figcaption></figure>" for caption, img in panels)
    return f'<div class="pictures"><h4>{title}</h4><div class="panels">{figures}</div></div>'


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
.scroll { overflow-x: auto; max-width: 100%; margin: 0 0 12px; }
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
  td.text { min-width: 130px; } td.bar { min-width: 60px; }
  tbody th { min-width: 104px; max-width: 130px; white-space: normal; overflow-wrap: break-word; } }
@media print { body { font-size: 11pt; } main { max-width: none; padding: 0; } .scroll { overflow: visible; }
  table { font-size: 9pt; } th, td { padding: 2px 5px; } th:first-child { position: static; } h2, h3, h4 { break-after: avoid; }
  figure, tr, .tiles div { break-inside: avoid; } .tiles div { border: 1px solid var(--rule); } }
"""
