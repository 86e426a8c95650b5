"""The plots of a report as matplotlib figures, and these as inline SVG or PNG; no window is ever opened."""

import contextlib
import io
import re
import warnings
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

INK, MUTED, RULE, ACCENT = "#1f2328", "#59636e", "#d8dee4", "#2a5d84"
NAMED = 12  # lines, or rows of a matrix: up to so many are named
STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "font.size": 9,
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
        name: for the legend, any text.
        color: (red, green, blue), 0 to 255, or "#rrggbb".
        x, y: numbers; None and NaN leave a gap.
        look: "" or words of "bold", "faint", "dashed", "dots".
    """

    name: str
    color: object
    x: list
    y: list
    look: str = ""


def line_figure(lines, *, x_label, y_label, share=True, log=False, mark=None):
    """A figure of lines, without a legend.

    Args:
        lines: a list of Line; the last is on top.
        x_label, y_label: text at the axes.
        share: y goes from 0 to 1.
        log: y is logarithmic, where all of it is above 0.
        mark: an x with a vertical line, or None.
    """
    with _styled():
        figure = Figure(figsize=(4.6, 3.3), layout="constrained")
        axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
        for line in lines:
            x, y = np.asarray(line.x, float), np.asarray(line.y, float)
            width = 2.2 if "bold" in line.look else 0.8 if "faint" in line.look else 1.5
            color = hex_color(line.color)
            # On white a light yellow is seen by its rim.
            rim = [Stroke(linewidth=width + 1.2, foreground=MUTED), Normal()] if _is_light(color) and width > 1 else None
            axes.plot(
                x, y, color=color, linewidth=width, linestyle="--" if "dashed" in line.look else "-", path_effects=rim,
                marker="o" if "dots" in line.look else None, markersize=3, alpha=0.5 if "faint" in line.look else 1,
            )  # fmt: skip
        if share:
            axes.set_ylim(-0.02, 1.02)
        values = np.concatenate([np.asarray(line.y, float) for line in lines]) if lines else np.zeros(0)
        values = values[np.isfinite(values)]
        if log and len(values) and values.min() > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if values.max() < 20 * values.min() else "")
        if mark is not None:
            axes.axvline(mark, color=MUTED, linewidth=0.8, linestyle=":")
    return figure


def confusion_figure(names, matrix):
    """A confusion matrix as a picture: rows are the truth, and a cell's tint is its share of the row.

    Args:
        names: of the rows and columns; they, and the counts, are written where there are few.
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
            places, labels = range(len(names)), [str(name)[:20] for name in names]
            axes.set_xticks(places, labels, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(places, labels)
            for row, share in enumerate(row_shares(counts)):
                for column in places:
                    ink = "#ffffff" if share[column] > 0.55 else INK
                    axes.text(column, row, f"{counts[row, column]:g}", ha="center", va="center", color=ink, fontsize=8)
    return figure


def row_shares(counts):
    """Each entry's share of its row of an (n, n) array; 0 in rows of nothing."""
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def to_svg(figure, prefix):
    """The figure as an <svg> element whose ids all begin with `prefix`, so that several fit into one page."""
    file = io.StringIO()
    with _styled():
        figure.savefig(file, format="svg", transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    used = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{prefix}{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{prefix}", text)
    # Only the viewBox: the page gives the size.
    head, _, rest = text.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest.strip()


def save_png(figure, path, lines=()):
    """Writes a figure with, where they are few, the names of its lines; the figure is changed by that."""
    with _styled():
        if 0 < len(lines) <= NAMED + 1:
            handles = [Line2D([], [], color=hex_color(line.color), linewidth=2) for line in lines]
            # Named afterwards: matplotlib leaves out of a legend what begins with an underscore.
            legend = figure.legend(handles, ["."] * len(lines), loc="outside lower center", ncols=4)
            for text, line in zip(legend.get_texts(), lines, strict=True):
                text.set_text(str(line.name)[:20])
        figure.savefig(path, format="png", dpi=150)


def hex_color(color):
    """A colour as "#rrggbb"."""
    return color if isinstance(color, str) else "#{:02x}{:02x}{:02x}".format(*color)


def _is_light(color):
    return np.dot(to_rgb(color), (0.2126, 0.7152, 0.0722)) > 0.75


@contextlib.contextmanager
def _styled():
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in letters that the font lacks is drawn as boxes; the page has it in letters.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
