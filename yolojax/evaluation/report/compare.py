"""Two evaluations on the same images side by side: a table for the terminal, and a page."""

import functools
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from yolojax.draw import class_color
from yolojax.errors import InputError
from yolojax.evaluation.report.compare_pictures import compare_pictures
from yolojax.evaluation.report.configuration import config_leaves
from yolojax.evaluation.report.curve_plots import class_mean
from yolojax.evaluation.report.history import History
from yolojax.evaluation.report.page import (
    DASH,
    class_name,
    columns,
    escape,
    finite,
    note,
    number,
    page,
    plot,
    section,
    table,
)
from yolojax.evaluation.report.plots import NAMED, Line, line_figure
from yolojax.evaluation.report.saved import SavedEvaluation
from yolojax.evaluation.report.saved_metrics import CLASS_KEYS, HEADLINES
from yolojax.evaluation.report.tables import plain_text
from yolojax.runtime.file_names import file_names
from yolojax.runtime.files import write_text

if TYPE_CHECKING:
    from yolojax.data.sources import DigitsSource, ListSource
    from yolojax.evaluation.evaluate import Evaluation

COLORS = ("#2a5d84", "#b7652b")
LESS_IS_BETTER = ("loss",)
NEITHER_IS_BETTER = ("at score",)


def format_comparison(metrics: Mapping[str, Any], other: SavedEvaluation) -> str:
    """The headline numbers and every class's AP50 of two evaluations, with the difference, as plain text.

    Args:
        metrics: metrics.json of the first evaluation.
        other: the second one.
    """
    first, second = _labels(metrics, other)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("", first, second, "difference"):
        grid.add_column(Text(title), justify="right" if title else "left", no_wrap=True, max_width=48)
    for title, a, b in _headlines(metrics, other.metrics):
        grid.add_row(title, _plain(a), _plain(b), _plain(_difference(a, b), "+"))
    for name, row in metrics["per_class"].items():
        a, b = row["ap50"], other.metrics["per_class"][name]["ap50"]
        grid.add_row(Text(f"AP50, {name}"), _plain(a), _plain(b), _plain(_difference(a, b), "+"))
    return plain_text(grid, 200)


def write_comparison(
    folder: Path,
    metrics: Mapping[str, Any],
    outcome: "Evaluation",
    source: "ListSource | DigitsSource",
    history: History,
    other: SavedEvaluation,
) -> Path:
    """Writes folder/compare_NAME.html: the numbers and curves of both evaluations, and the images where they differ most.

    Args:
        folder: the folder of the first evaluation.
        metrics: metrics.json of the first.
        outcome: detections and truths of the first.
        source: the split, for its images.
        history: the course of the training of the first.
        other: the second evaluation.

    Returns:
        The path of the page.

    Raises:
        InputError: the two were not evaluated on the same boxes.
    """
    boxes, other_boxes = ({name: row["boxes"] for name, row in m["per_class"].items()} for m in (metrics, other.metrics))
    if boxes != other_boxes or metrics["images"] != other.metrics["images"]:
        raise InputError(
            f"{other.folder} has {other.metrics['images']} images with {other.metrics['boxes']} boxes of these classes, but "
            f"this evaluation has {metrics['images']} with {metrics['boxes']}: not the same data; {other.again}"
        )
    labels = _labels(metrics, other)
    title = f"{labels[0]} vs. {labels[1]}"
    steps = [f"{label}: step {m['step']}" for label, m in zip(labels, (metrics, other.metrics), strict=True)]
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">On the split {escape(metrics["split"])}, {number(metrics["images"])} images with '
        f"{number(metrics['boxes'])} boxes. {escape('; '.join(steps))}. The difference is the first minus the second.</p>",
        section("Numbers", _number_table(labels, metrics, other.metrics), *_class_table(labels, metrics, other.metrics)),
        section("Curves", _curves(labels, metrics, other.metrics), _training(labels, history, other.history)),
        section("Configuration", _configuration(labels, metrics["config"], other.metrics["config"])),
        section("Images where they differ most", *compare_pictures(labels, metrics, outcome, source, other)),
    ]
    path = folder / f"compare_{file_names([other.name])[0].replace(' ', '_')}.html"
    write_text(path, page(title, parts))
    return path


def _labels(metrics: Mapping[str, Any], other: SavedEvaluation) -> tuple[str, str]:
    first, second = metrics["run"], other.name
    return (first, second) if first != second else (f"{first} (now)", f"{second} (before)")


def _headlines(metrics: Mapping[str, Any], other_metrics: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for title, keys in HEADLINES.items():
        yield title, functools.reduce(operator.getitem, keys, metrics), functools.reduce(operator.getitem, keys, other_metrics)


def _difference(a: float | None, b: float | None) -> float | None:
    a, b = finite(a), finite(b)
    return None if a is None or b is None else a - b


def _plain(value: float | None, sign: str = "") -> str:
    value = finite(value)
    return "-" if value is None else f"{value:{sign}z.3f}"


def _difference_cell(title: str, a: float | None, b: float | None) -> str:
    value = _difference(a, b)
    if value is None:
        return DASH
    kind = ""
    if title not in NEITHER_IS_BETTER and abs(value) >= 5e-4:
        kind = "better" if (value > 0) != (title in LESS_IS_BETTER) else "worse"
    return f'<td class="{kind}">{value:+z.3f}</td>'


def _number_table(labels: Sequence[str], metrics: Mapping[str, Any], other_metrics: Mapping[str, Any]) -> str:
    rows = [
        [escape(title), number(a), number(b), _difference_cell(title, a, b)]
        for title, a, b in _headlines(metrics, other_metrics)
    ]
    return table(["", *labels, "difference"], rows)


def _class_table(labels: Sequence[str], metrics: Mapping[str, Any], other_metrics: Mapping[str, Any]) -> Iterator[str]:
    titles = ["class", "boxes"]
    for title in CLASS_KEYS:
        titles += [f"{title}, {labels[0]}", f"{title}, {labels[1]}", "difference"]
    rows = []
    for place, (name, row) in enumerate(metrics["per_class"].items()):
        cells = [class_name(name, place), number(row["boxes"])]
        for title, key in CLASS_KEYS.items():
            a, b = row[key], other_metrics["per_class"][name][key]
            cells += [number(a), number(b), _difference_cell(title, a, b)]
        rows.append(cells)
    yield "<h3>Classes</h3>"
    yield table(titles, rows)


def _curves(labels: Sequence[str], metrics: Mapping[str, Any], other_metrics: Mapping[str, Any]) -> str:
    names = list(metrics["per_class"])
    figures = []
    for kind, x, x_label, y_label, caption in (
        ("precision", "recall", "recall", "precision", "Precision at each recall, mean over classes"),
        ("f1", "score", "score threshold", "F1", "F1 at each score threshold, all classes together"),
    ):
        lines, totals = [], []
        evaluations = zip(labels, COLORS, (metrics, other_metrics), ("", "dashed"), strict=True)
        for label, color, evaluation, look in evaluations:
            curves = evaluation["curves"]
            if len(names) <= NAMED:
                lines += [
                    Line(name, class_color(place), curves[x], curves[kind][name], f"faint {look}")
                    for place, name in enumerate(names)
                    if curves[kind].get(name)
                ]
            total = curves["f1_all"] if kind == "f1" else class_mean(curves["precision"])
            totals += [Line(label, color, curves[x], total, f"bold {look}")] if total else []
        thin = "; thin lines, each class in its colour." if lines else "."
        figure = line_figure(lines + totals, x_label=x_label, y_label=y_label)
        figures.append(plot(figure, f"{kind}-", f"{caption}: {labels[0]} solid, {labels[1]} dashed{thin}", totals))
    return columns(*figures)


def _training(labels: Sequence[str], *histories: History) -> str:
    figures = []
    for key, title in (("ap50", "AP50"), ("loss", "loss per image")):
        lines = [
            Line(label, color, history["val"]["step"], history["val"][key], "dots")
            for label, color, history in zip(labels, COLORS, histories, strict=True)
            if key in history["val"]
        ]
        if lines:
            figure = line_figure(lines, x_label="step", y_label=title, share=key == "ap50", log=key == "loss")
            figures.append(plot(figure, f"course-{key}-", f"Validation during training: {title}.", lines))
    return columns(*figures)


def _configuration(labels: Sequence[str], config: Mapping[str, Any], other_config: Mapping[str, Any]) -> str:
    both = dict(config_leaves(config)), dict(config_leaves(other_config))
    missing = object()
    rows = [
        [escape(name), *(escape(json.dumps(leaves[name], ensure_ascii=False)) if name in leaves else DASH for leaves in both)]
        for name in both[0] | both[1]
        if both[0].get(name, missing) != both[1].get(name, missing)
    ]
    return table(["field", *labels], rows, kind="config") if rows else note("The two configurations are the same.")
