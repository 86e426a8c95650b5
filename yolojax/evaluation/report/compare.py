"""Two evaluations on the same pictures side by side: a table, and a page."""

import io
import json
import re

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yolojax.draw import class_color
from yolojax.errors import InputError
from yolojax.evaluation.metrics.picture_scores import at_least, picture_scores
from yolojax.evaluation.report.curve_plots import class_mean
from yolojax.evaluation.report.html import config_leaves
from yolojax.evaluation.report.page import (
    DASH,
    class_name,
    columns,
    drawn,
    escape,
    finite,
    note,
    number,
    page,
    picture_row,
    plot,
    section,
    table,
)
from yolojax.evaluation.report.plots import NAMED, Line, line_figure
from yolojax.runtime.files import write_text

SHOWN = 6  # pictures
COLORS = ("#2a5d84", "#b7652b")
HEADLINES = {
    "AP50": ("ap50",), "AP": ("ap",), "AP75": ("ap75",), "VOC AP": ("voc_ap50",), "F1": ("best_f1", "f1"),
    "precision": ("best_f1", "precision"), "recall": ("best_f1", "recall"), "at score": ("best_f1", "score_threshold"),
    "AP, small": ("ap_small",), "AP, medium": ("ap_medium",), "AP, large": ("ap_large",), "loss": ("loss",),
    "pictures a second": ("images_per_second",),
}  # fmt: skip
CLASS_KEYS = {"AP50": "ap50", "AP": "ap"}
LESS_IS_BETTER = ("loss",)
NEITHER = ("at score",)
# Scores in detections.json are rounded to 6 digits, the threshold is not.
ROUNDING = 5e-7


def format_comparison(metrics, other):
    """The headline numbers and every class's AP50 of two evaluations, with the difference, as plain text.

    Args:
        metrics: the dict of metrics.json.
        other: SavedEvaluation.
    """
    first, second = _labels(metrics, other)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("", first, second, "difference"):
        grid.add_column(Text(title), justify="right" if title else "left", no_wrap=True, max_width=48)
    for title, a, b in _headlines(metrics, other.metrics):
        grid.add_row(title, *map(_plain, (a, b)), _plain(_difference(a, b), "+"))
    for name, row in metrics["per_class"].items():
        a, b = row["ap50"], other.metrics["per_class"][name]["ap50"]
        grid.add_row(Text(f"AP50, {name}"), *map(_plain, (a, b)), _plain(_difference(a, b), "+"))
    text = io.StringIO()
    Console(file=text, width=200, color_system=None).print(grid)
    return "\n".join(line.rstrip() for line in text.getvalue().rstrip("\n").split("\n"))


def write_comparison(folder, metrics, outcome, source, history, other):
    """Writes folder/compare_NAME.html: both evaluations' numbers, curves, and the pictures where they differ the most.

    Args:
        folder: of the first evaluation.
        metrics, outcome, source, history: of the first, as `write_report` and `write_evaluation` take them.
        other: SavedEvaluation, the second one.

    Returns:
        The path of the page.

    Raises:
        InputError: the other one had other boxes to find.
    """
    here, there = ({name: row["boxes"] for name, row in of["per_class"].items()} for of in (metrics, other.metrics))
    if here != there or metrics["images"] != other.metrics["images"]:
        raise InputError(
            f"{other.folder} has {other.metrics['images']} pictures with {other.metrics['boxes']} boxes of these classes, this "
            f"evaluation {metrics['images']} with {metrics['boxes']}: not the same data; {other.again}"
        )
    labels = _labels(metrics, other)
    steps = [f"{label}: step {of['step']}" for label, of in zip(labels, (metrics, other.metrics), strict=True)]
    parts = [
        f"<h1>{escape(labels[0])} beside {escape(labels[1])}</h1>",
        f'<p class="lead">On the split {escape(metrics["split"])}, {number(metrics["images"])} pictures and '
        f"{number(metrics['boxes'])} boxes. {escape('; '.join(steps))}. The difference is the first minus the second.</p>",
        section("Numbers", _number_table(labels, metrics, other.metrics), *_class_table(labels, metrics, other.metrics)),
        section("Curves", _curves(labels, metrics, other.metrics), _course(labels, history, other.history)),
        section("Configuration", _configuration(labels, metrics["config"], other.metrics["config"])),
        section("Pictures where they differ the most", *_pictures(labels, metrics, outcome, source, other)),
    ]
    path = folder / f"compare_{re.sub(r'[^A-Za-z0-9._-]', '_', other.name)}.html"
    write_text(path, page(f"{labels[0]} beside {labels[1]}", parts))
    return path


def _labels(metrics, other):
    first, second = metrics["run"], other.name
    return (first, second) if first != second else (f"{first}, now", f"{second}, before")


def _headlines(metrics, theirs):
    for title, keys in HEADLINES.items():
        a, b = metrics, theirs
        for key in keys:
            a, b = a[key], b[key]
        yield title, finite(a), finite(b)


def _difference(a, b):
    a, b = finite(a), finite(b)
    return None if a is None or b is None else a - b


def _plain(value, sign=""):
    return "-" if finite(value) is None else f"{value:{sign}z.3f}"


def _difference_cell(title, a, b):
    value = _difference(a, b)
    if value is None:
        return DASH
    kind = "" if title in NEITHER or abs(value) < 5e-4 else "better" if (value > 0) != (title in LESS_IS_BETTER) else "worse"
    return f'<td class="{kind}">{value:+z.3f}</td>'


def _number_table(labels, metrics, theirs):
    rows = [[escape(title), number(a), number(b), _difference_cell(title, a, b)] for title, a, b in _headlines(metrics, theirs)]
    return table(["", *labels, "difference"], rows)


def _class_table(labels, metrics, theirs):
    titles = ["class", "boxes"]
    for title in CLASS_KEYS:
        titles += [f"{title}, {labels[0]}", f"{title}, {labels[1]}", "difference"]
    rows = []
    for place, (name, row) in enumerate(metrics["per_class"].items()):
        cells = [class_name(name, place), number(row["boxes"])]
        for title, key in CLASS_KEYS.items():
            a, b = row[key], theirs["per_class"][name][key]
            cells += [number(a), number(b), _difference_cell(title, a, b)]
        rows.append(cells)
    yield "<h3>Classes</h3>"
    yield table(titles, rows)


def _curves(labels, metrics, theirs):
    names = list(metrics["per_class"])
    figures = []
    for kind, x, axes, caption in (
        ("precision", "recall", ("recall", "precision"), "Precision at each recall, mean of the classes"),
        ("f1", "score", ("score threshold", "F1"), "F1 at each score threshold, all classes together"),
    ):
        lines, totals = [], []
        for label, color, of, look in zip(labels, COLORS, (metrics, theirs), ("", "dashed"), strict=True):
            curves = of["curves"]
            if len(names) <= NAMED:
                lines += [
                    Line(name, class_color(place), curves[x], curves[kind][name], f"faint {look}")
                    for place, name in enumerate(names)
                    if curves[kind].get(name)
                ]
            total = curves["f1_all"] if kind == "f1" else class_mean(curves["precision"])
            totals += [Line(label, color, curves[x], total, f"bold {look}")] if total else []
        more = "; thin, each class in its colour." if lines else "."
        figure = line_figure(lines + totals, x_label=axes[0], y_label=axes[1])
        figures.append(plot(figure, f"{kind}-", f"{caption}: {labels[0]} solid, {labels[1]} dashed{more}", totals))
    return columns(*figures)


def _course(labels, *histories):
    figures = []
    for key, title in (("ap50", "AP50"), ("loss", "loss a picture")):
        lines = [
            Line(label, color, history["val"]["step"], history["val"][key], "dots")
            for label, color, history in zip(labels, COLORS, histories, strict=True)
            if key in history["val"]
        ]
        if lines:
            figure = line_figure(lines, x_label="step", y_label=title, share=key == "ap50", log=key == "loss")
            figures.append(plot(figure, f"course-{key}-", f"Validation over the training steps: {title}.", lines))
    return columns(*figures)


def _configuration(labels, ours, theirs):
    ours, theirs = dict(config_leaves(ours)), dict(config_leaves(theirs))
    rows = [
        [escape(name), *(escape(json.dumps(of[name], ensure_ascii=False)) if name in of else DASH for of in (ours, theirs))]
        for name in {**ours, **theirs}
        if name not in ours or name not in theirs or ours[name] != theirs[name]
    ]
    return table(["field", *labels], rows, kind="config") if rows else note("The two configurations are the same.")


def _pictures(labels, metrics, outcome, source, other):
    names = list(metrics["per_class"])
    # Classes are numbers in detections.json, in the order of that run's names.
    number_of = np.array([names.index(name) for name in other.metrics["per_class"]], np.int64)
    nothing = np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)
    theirs = []
    for image_id in outcome.indices:
        boxes, scores, classes = other.detections.get(image_id, nothing)
        theirs.append((boxes, scores, number_of[classes]))
    thresholds = metrics["pictures"]["score_threshold"], other.metrics["pictures"]["score_threshold"] - ROUNDING
    scores = [
        picture_scores(found, outcome.truths, score_threshold=threshold)
        for found, threshold in zip((outcome.detections, theirs), thresholds, strict=True)
    ]
    # Nothing found where nothing is: as right as can be.
    first, second = ([1.0 if row["f1"] is None else row["f1"] for row in rows] for rows in scores)
    gaps = np.abs(np.subtract(first, second))
    order = np.argsort(-gaps, kind="stable")[:SHOWN]
    shown = [int(place) for place in order if gaps[place] > 0]
    if not shown:
        yield note("In every picture both have the same F1.")
        return
    yield (
        '<p class="note">By the difference of the F1 of each picture, either run at the score of its own best F1: '
        f"{number(thresholds[0])} and {number(thresholds[1])}.</p>"
    )
    for place in shown:
        image_id = outcome.indices[place]
        image = source.example(0, image_id).image
        truth = outcome.truths[place]
        panels = [("truth", drawn(image, truth[0], truth[1], names))]
        for label, found, threshold, rows in zip(labels, (outcome.detections, theirs), thresholds, scores, strict=True):
            boxes, confidences, classes = at_least(found[place], threshold)
            row = rows[place]
            caption = f"{label}: F1 {number(row['f1'])}, {row['matched']} matched, {row['detections']} detections"
            panels.append((caption, drawn(image, boxes, classes, names, confidences)))
        yield picture_row(escape(source.title(image_id)), panels)
