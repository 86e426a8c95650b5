"""The plots of a report: matplotlib figures, and how to save them as inline SVG or PNG. No window is ever opened."""

import contextlib
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from yolojax.errors import printable
from yolojax.runtime.plotting import Figure, Line2D, LinearSegmentedColormap, Normal, Stroke, matplotlib, to_rgb

INK, MUTED, RULE, ACCENT = "#1f2328", "#59636e", "#d8dee4", "#2a5d84"
NAMED = 12  # the most lines of a plot, or rows of a matrix, that are named
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # matplotlib brings it
    "font.size": 9,
    "text.usetex": False,  # a user's matplotlibrc may ask for LaTeX
    "text.parse_math": False,  # a class may be named "$"
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.fonttype": "path",
    "svg.hashsalt": "yolojax",
    "legend.frameon": False,
}


class Line(NamedTuple):
    """A line of a plot.

    Attributes:
        name: any text, for the legend.
        color: (red, green, blue), 0 to 255, or "#rrggbb".
        x: n numbers.
        y: n numbers; None and NaN leave a gap.
        look: "", or any of the words "bold", "faint", "dashed" and "dots".
    """

    name: str
    color: tuple[int, int, int] | str
    x: Sequence[float] | np.ndarray
    y: Sequence[float | None] | np.ndarray
    look: str = ""


def line_figure(
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    share: bool = True,
    log: bool = False,
    mark: float | None = None,
) -> Figure:
    """A figure of lines, without a legend.

    Args:
        lines: the last one is drawn on top.
        x_label: text at the horizontal axis.
        y_label: text at the vertical axis.
        share: y goes from 0 to 1.
        log: y is logarithmic if all values are positive.
        mark: an x with a vertical line, or None.
    """
    with _styled():
        figure = Figure(figsize=(4.6, 3.3), layout="constrained")
        axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
        for line in lines:
            x, y = np.array(line.x, float), np.array(line.y, float)
            width = 2.2 if "bold" in line.look else 0.8 if "faint" in line.look else 1.5
            color = hex_color(line.color)
            # A rim makes light yellow visible on white.
            rim = [Stroke(linewidth=width + 1.2, foreground=MUTED), Normal()] if _is_light(color) and width > 1 else None
            axes.plot(
                x, y, color=color, linewidth=width, linestyle="--" if "dashed" in line.look else "-", path_effects=rim,
                marker="o" if "dots" in line.look else None, markersize=3, alpha=0.5 if "faint" in line.look else 1,
            )  # fmt: skip
        if share:
            axes.set_ylim(-0.02, 1.02)
        values = np.concatenate([np.array(line.y, float) for line in lines]) if lines else np.zeros(0)
        values = values[np.isfinite(values)]
        if log and len(values) and values.min() > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if values.max() < 20 * values.min() else "")
        if mark is not None:
            axes.axvline(mark, color=MUTED, linewidth=0.8, linestyle=":")
    return figure


def confusion_figure(names: Sequence[str], matrix: ArrayLike) -> Figure:
    """A confusion matrix: rows are the ground truth, and the tint of a cell is its share of the row.

    Args:
        names: the names of the rows and columns. Names and counts are written only if there are few.
        matrix: (n, n) counts.
    """
    counts = np.asarray(matrix, float).reshape(len(names), len(names))
    with _styled():
        side = min(7.0, 2.6 + 0.45 * len(names))
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.add_subplot(xlabel="detected as", ylabel="truth")
        tints = LinearSegmentedColormap.from_list("tints", ("#ffffff", ACCENT))
        axes.imshow(row_shares(counts), cmap=tints, vmin=0, vmax=1)
        axes.grid(False)
        if len(names) <= NAMED + 1:
            places, labels = range(len(names)), [printable(str(name)[:20], keep="") for name in names]
            axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(places, labels)
            for row, share in enumerate(row_shares(counts)):
                for column in places:
                    ink = "#ffffff" if share[column] > 0.55 else INK
                    axes.text(column, row, f"{counts[row, column]:g}", ha="center", va="center", color=ink, fontsize=8)
    return figure


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Divides each entry of an (n, n) array by the sum of its row; empty rows stay 0."""
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def to_svg(figure: Figure, prefix: str) -> str:
    """The figure as an <svg> element whose ids all begin with `prefix`, so that a page can hold several."""
    file = io.StringIO()
    with _styled():
        figure.savefig(file, format="svg", transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{prefix}{match[1]}"' if match[1] in used else "", text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", text)
    # Keeps only the viewBox: the page sets the size.
    head, _, rest = text.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest.strip()


def save_png(figure: Figure, path: str | os.PathLike[str], lines: Sequence[Line] = ()) -> None:
    """Writes a figure, to which a legend is added if there are few lines.

    Args:
        figure: it is changed by the legend.
        path: the path of the file.
        lines: the lines to name in the legend.
    """
    with _styled():
        if 0 < len(lines) <= NAMED + 1:
            handles = [Line2D([], [], color=hex_color(line.color), linewidth=2) for line in lines]
            # Named afterwards: matplotlib leaves names that begin with an underscore out of a legend.
            legend = figure.legend(handles, ["."] * len(lines), loc="outside lower center", ncols=4)
            for text, line in zip(legend.get_texts(), lines, strict=True):
                text.set_text(printable(str(line.name)[:20], keep=""))
        figure.savefig(path, format="png", dpi=150)


def hex_color(color: tuple[int, int, int] | str) -> str:
    """A colour as "#rrggbb"."""
    return color if isinstance(color, str) else "#{:02x}{:02x}{:02x}".format(*color)


def _is_light(color: str) -> bool:
    return bool(np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) > 0.75)


@contextlib.contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes; the HTML shows them properly.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
