"""The pieces of a report's page: HTML that is complete in one file, without scripts and without network access."""

import base64
import html
import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from yolojax.data.images import reduced
from yolojax.draw import class_color, draw_detections
from yolojax.evaluation.report.plots import Line, hex_color, to_svg
from yolojax.evaluation.report.style import STYLE
from yolojax.runtime.opencv import cv2
from yolojax.runtime.plotting import Figure

DASH = "\N{EN DASH}"
TEXT = ' class="text"'
SHORT_SIDE, LONG_SIDE = 480, 960  # pixels of an embedded image, at most
WIDE = 6  # columns that do not fit on a telephone
QUALITY = 80  # of its JPEG, out of 100


def page(title: str, parts: Iterable[str]) -> str:
    """A complete HTML page.

    Args:
        title: plain text.
        parts: the HTML of the body.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A section of the page under its heading; the title is plain text, the parts are HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def note(text: str) -> str:
    """A paragraph of explanation from plain text."""
    return f'<p class="note">{escape(text)}</p>'


def escape(text: object) -> str:
    """Plain text as HTML."""
    return html.escape(str(text))


def number(value: float | None, digits: int = 3) -> str:
    """A number as HTML, rounded to `digits` decimals unless it is an integer; a dash for None, NaN and infinities."""
    known = finite(value)
    if known is None:
        return DASH
    return str(known) if isinstance(known, int) else f"{known:.{digits}f}"


def finite(value: float | None) -> float | None:
    """The number, or None if it is None, NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def class_name(name: object, class_id: int) -> str:
    """The name of a class next to a patch of its colour."""
    return f'<i style="background:{hex_color(class_color(class_id))}"></i>{escape(name)}'


def table(titles: Sequence[object], rows: Sequence[Sequence[str]], *, kind: str = "") -> str:
    """A table in a box of its own, which scrolls if the page is too narrow.

    Args:
        titles: plain text, one per column. All columns but the first are aligned to the right, as numbers.
        rows: HTML. The first entry of a row is its heading; the others are the contents of cells, or whole <td> elements.
        kind: CSS class of the table.
    """
    first_row = rows[0] if rows else ["" for _ in titles]
    head = "".join(
        f'<th scope="col"{TEXT if cell.startswith(f"<td{TEXT}") else ""}>{escape(title)}</th>'
        for title, cell in zip(titles, first_row, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )  # fmt: skip
    hint = '<p class="wider">More columns to the right: scroll the table sideways.</p>\n' if len(titles) >= WIDE else ""
    return (
        f'{hint}<div class="scroll" tabindex="0"><table class="{kind}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def bar(share: float) -> str:
    """A table cell with a bar that fills this share of it, from 0 to 1."""
    return f'<td class="bar"><b style="width:{100 * min(1.0, max(0.0, share)):.1f}%"></b></td>'


def plot(figure: Figure, prefix: str, caption: str, lines: Iterable[Line] = ()) -> str:
    """A figure as inline SVG with a legend and a caption.

    Args:
        figure: a matplotlib figure.
        prefix: prefix of the ids in the SVG, different for every figure of a page.
        caption: plain text.
        lines: the lines to name in the legend.
    """
    names = "".join(f'<span><i style="background:{hex_color(line.color)}"></i>{escape(line.name)}</span>' for line in lines)
    legend = f'<div class="legend">{names}</div>' if names else ""
    svg = to_svg(figure, prefix).replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    return f"<figure>\n{svg}\n{legend}<figcaption>{escape(caption)}</figcaption>\n</figure>"


def columns(*parts: str) -> str:
    """Parts side by side if the page is wide enough; empty ones are left out."""
    return '<div class="columns">\n' + "\n".join(part for part in parts if part) + "\n</div>"


def folded(title: str, content: str) -> str:
    """HTML that appears when its title, plain text, is clicked."""
    return f"<details>\n<summary>{escape(title)}</summary>\n{content}\n</details>"


def drawn(
    image: np.ndarray,
    boxes_xyxy: ArrayLike,
    classes: Sequence[int] | np.ndarray,
    names: Sequence[str],
    scores: Sequence[float] | np.ndarray | None = None,
) -> str:
    """An image with its boxes as an <img> of at most `LONG_SIDE` pixels; arguments as for `draw_detections`."""
    # Reduced before boxes are drawn, not after, to keep their labels readable.
    image, scale = reduced(image, SHORT_SIDE / min(image.shape[:2]))
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4) * scale
    canvas = draw_detections(image, boxes, classes, names, scores)
    canvas, _ = reduced(canvas, LONG_SIDE / max(canvas.shape[:2]))
    _, data = cv2.imencode(".jpg", cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    source = f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
    height, width = canvas.shape[:2]
    return f'<img width="{width}" height="{height}" alt="" src="{source}">'


def picture_row(title: str, panels: Iterable[tuple[str, str]]) -> str:
    """Images side by side.

    Args:
        title: HTML.
        panels: pairs of a caption, plain text, and an <img>.
    """
    figures = "".join(f"<figure>{img}<figcaption>{escape(caption)}</figcaption></figure>" for caption, img in panels)
    return f'<div class="pictures"><h4>{title}</h4><div class="panels">{figures}</div></div>'
