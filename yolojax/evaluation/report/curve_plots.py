"""The curves of a report: precision, recall and F1 of an evaluation, and the course of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolojax.draw import class_color
from yolojax.evaluation.report.history import History
from yolojax.evaluation.report.page import columns, finite, plot
from yolojax.evaluation.report.plots import INK, NAMED, Line, line_figure, save_png

TERMS = {"loss": INK, "box": "#2a5d84", "objectness": "#b7652b", "classification": "#4c8a52"}
OTHER_TERMS = ("#7b5ea7", "#8a7a3c", "#3c8a86", "#a0527a")
"""Colours of the terms of a loss of the user's own, in turn."""


def curve_plots(folder: Path, metrics: Mapping[str, Any]) -> str:
    """The curves of metrics.json as HTML, also written to folder/precision_recall.png and folder/f1.png."""
    curves, names = metrics["curves"], list(metrics["per_class"])
    figures = []
    for file, kind, x, x_label, y_label, total, caption in (
        ("precision_recall", "precision", "recall", "recall", "precision", class_mean(curves["precision"]),
         "Precision at each recall, per class and averaged."),
        ("f1", "f1", "score", "score threshold", "F1", curves["f1_all"],
         "F1 at each score threshold, per class and overall."),
    ):  # fmt: skip
        known = [(place, name) for place, name in enumerate(names) if curves[kind].get(name)]
        look = "" if len(known) <= NAMED else "faint"
        lines = [Line(name, class_color(place), curves[x], curves[kind][name], look) for place, name in known]
        mean = [Line("all", INK, curves[x], total, "bold")] if total else []
        if len(known) == 1 and mean and _alike(lines[0], mean[0]):
            # The curve of all classes would cover that of the only one.
            lines, mean = [], [lines[0]._replace(look="bold")]
        mark = finite(metrics["best_f1"]["score_threshold"]) if kind == "f1" else None
        if mark is not None and mean:
            mean = [_with_point(mean[0], mark, metrics["best_f1"]["f1"])]
        figure = line_figure(lines + mean, x_label=x_label, y_label=y_label, mark=mark)
        named = mean if look else lines + mean
        marked = " The dotted line marks the best F1 of all classes together." if mark is not None else ""
        figures.append(plot(figure, f"{file}-", caption + marked, named))
        save_png(figure, folder / f"{file}.png", named)
    return columns(*figures)


def _alike(one: Line, other: Line) -> bool:
    return np.allclose(np.array(one.y, float), np.array(other.y, float), equal_nan=True)


def _with_point(line: Line, x: float, y: float) -> Line:
    """A line with one more point: the exact maximum of a curve lies between the points at which it was computed."""
    place = int(np.searchsorted(line.x, x))
    return line._replace(x=np.insert(np.array(line.x, float), place, x), y=np.insert(np.array(line.y, float), place, y))


def class_mean(curves: Mapping[str, Sequence[float | None] | None]) -> list[float] | None:
    """The mean over classes at each point, of the classes that have a number there.

    Args:
        curves: by name, n numbers, or None for a class without a curve.

    Returns:
        n numbers, NaN where no class has one; None if no class has any.
    """
    values = np.array([curve for curve in curves.values() if curve], float)
    known = np.isfinite(values)
    if not known.any():
        return None
    return (np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)).tolist()


def training_plots(folder: Path, history: History, step: int | None) -> list[str]:
    """The course of a training run as HTML figures, also written to folder/loss.png and folder/ap.png.

    Args:
        folder: an existing folder.
        history: result of `read_history`.
        step: marked by a vertical line, unless None.
    """
    train, val = history["train"], history["val"]
    groups = {
        "loss": (
            [Line(f"{name}, training", color, train["step"], train[name]) for name, color in _terms(train, val).items()]
            + ([Line("loss, validation", "#a3271f", val["step"], val["loss"], "dots")] if "loss" in val else []),
            "loss per image",
            "Loss and its terms during training.",
        ),
        "ap": (
            [
                Line(title, color, val["step"], val[name], "dots")
                for name, title, color in (("ap50", "AP50", "#2a5d84"), ("ap", "AP", "#b7652b"))
                if name in val
            ],
            "AP on the validation split",
            "COCO average precision during training.",
        ),
    }
    figures = []
    for name, (lines, y_label, caption) in groups.items():
        if not lines:
            continue
        figure = line_figure(lines, x_label="step", y_label=y_label, share=name == "ap", log=name == "loss", mark=step)
        marked = " The dotted line marks the checkpoint of this report." if step is not None else ""
        figures.append(plot(figure, f"{name}-", caption + marked, lines))
        save_png(figure, folder / f"{name}.png", lines)
    return figures


def _terms(train: Mapping[str, np.ndarray], val: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The loss and its terms with their colours: what both a step and a validation measure."""
    others = (*TERMS, "step", "images_per_second", "unreadable")
    own = [name for name in train if name in val and name not in others]
    known = {name: color for name, color in TERMS.items() if name in train}
    return known | {name: OTHER_TERMS[place % len(OTHER_TERMS)] for place, name in enumerate(own)}
