"""The curves of a report: precision, recall and F1 of an evaluation, and the course of a training."""

from pathlib import Path

import numpy as np

from yolojax.draw import class_color
from yolojax.evaluation.report.page import columns, finite, plot
from yolojax.evaluation.report.plots import INK, NAMED, Line, line_figure, save_png

TERMS = {"loss": INK, "box": "#2a5d84", "objectness": "#b7652b", "classification": "#4c8a52"}


def curve_plots(folder, metrics):
    """The curves of metrics.json as HTML, also written to folder/precision_recall.png and folder/f1.png."""
    curves, names = metrics["curves"], list(metrics["per_class"])
    figures = []
    for file, kind, x, labels, total, caption in (
        ("precision_recall", "precision", "recall", ("recall", "precision"), class_mean(curves["precision"]),
         "Precision at each recall, class by class, and their mean."),
        ("f1", "f1", "score", ("score threshold", "F1"), curves["f1_all"],
         "F1 at each score threshold, class by class, and of all classes together."),
    ):  # fmt: skip
        known = [(place, name) for place, name in enumerate(names) if curves[kind].get(name)]
        look = "" if len(known) <= NAMED else "faint"
        lines = [Line(name, class_color(place), curves[x], curves[kind][name], look) for place, name in known]
        mean = [Line("all", INK, curves[x], total, "bold")] if total else []
        mark = finite(metrics["best_f1"]["score_threshold"]) if kind == "f1" else None
        figure = line_figure(lines + mean, x_label=labels[0], y_label=labels[1], mark=mark)
        named = lines + mean if not look else mean
        figures.append(plot(figure, f"{file}-", caption + (" The dotted line is the best." if mark is not None else ""), named))
        save_png(figure, folder / f"{file}.png", named)
    return columns(*figures)


def class_mean(curves):
    """The mean over classes at each point, of those that have a number there; None where no class has a curve.

    Args:
        curves: {name: (n,) numbers, or None}.
    """
    known = np.array([curve for curve in curves.values() if curve], float)
    if not np.isfinite(known).any():
        return None
    there = np.isfinite(known)
    return (np.where(there, known, 0).sum(0) / np.where(there.any(0), there.sum(0), np.nan)).tolist()


def training_plots(folder, history, step):
    """The course of a training as HTML figures, also written to folder/loss.png and folder/ap.png.

    Args:
        folder: a folder that is there.
        history: of `read_history`.
        step: what the vertical line marks, or None.
    """
    train, val = history["train"], history["val"]
    groups = {
        "loss": (
            [Line(f"{name}, training", color, train["step"], train[name]) for name, color in TERMS.items() if name in train]
            + ([Line("loss, validation", "#a3271f", val["step"], val["loss"], "dots")] if "loss" in val else []),
            "loss a picture",
            "Loss and its terms over the training steps.",
        ),
        "ap": (
            [
                Line(title, color, val["step"], val[name], "dots")
                for name, title, color in (("ap50", "AP50", "#2a5d84"), ("ap", "AP", "#b7652b"))
                if name in val
            ],
            "on the validation split",
            "COCO's average precision over the training steps.",
        ),
    }
    figures = []
    for name, (lines, y_label, caption) in groups.items():
        if not lines:
            continue
        figure = line_figure(lines, x_label="step", y_label=y_label, share=name == "ap", log=name == "loss", mark=step)
        figures.append(plot(figure, f"{name}-", caption + " The dotted line is the checkpoint of this report.", lines))
        save_png(figure, Path(folder) / f"{name}.png", lines)
    return figures
