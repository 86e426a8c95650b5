"""The tables of an evaluation for the terminal."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LISTED = 10  # names in a line

_RULES = box.Box(
    "    \n"
    "    \n"
    " -- \n"
    "    \n"
    "    \n"
    " -- \n"
    "    \n"
    "    \n",
    ascii=True,
)  # fmt: skip


def format_table(summary: Mapping[str, Any]) -> str:
    """The result of `summarize` as plain text without a final line break: one row per class, and a last row over all."""
    measures = ("ap50", "ap", "voc_ap50", "voc_ap50_11point")
    table = Table(box=_RULES, show_edge=False, show_footer=True, pad_edge=False)
    footer = [Text("all"), str(summary["images"]), str(summary["boxes"]), *(_score(summary[key]) for key in measures)]
    titles = ("class", "images", "boxes", "AP50", "AP", "VOC area", "VOC 11-point")
    for place, (title, total) in enumerate(zip(titles, footer, strict=True)):
        table.add_column(title, footer=total, justify="right" if place else "left", no_wrap=True, max_width=48)
    for name, row in summary["per_class"].items():
        # Text, not str: brackets in a name are not markup.
        table.add_row(Text(name), str(row["images"]), str(row["boxes"]), *(_score(row[key]) for key in measures))
    return plain_text(table, 160)


def format_absent(absent: Mapping[str, Sequence[str]]) -> str:
    """One line that names the classes without numbers in the table.

    Args:
        absent: "absent" of `analyse`, with at least one class.
    """
    parts = []
    for key, title in (("without_truth", "no truth of"), ("without_detections", "no detection of")):
        names = absent[key]
        rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        parts += [f"{title} {', '.join(names[:LISTED])}{rest}"] if names else []
    return "; ".join(parts)


def plain_text(table: Table, width: int) -> str:
    """A table as lines of at most `width` characters without colours, trailing spaces or a final line break."""
    page = io.StringIO()
    Console(file=page, width=width, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().rstrip("\n").split("\n"))


def _score(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"
