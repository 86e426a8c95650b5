"""The report of an evaluation: one self-contained page, and its plots as PNG files."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths
from yolojax.evaluation.metrics.picture_scores import at_least
from yolojax.evaluation.report.configuration import config_table
from yolojax.evaluation.report.confusion import confusion
from yolojax.evaluation.report.curve_plots import curve_plots, training_plots
from yolojax.evaluation.report.history import History
from yolojax.evaluation.report.page import (
    bar,
    class_name,
    columns,
    drawn,
    escape,
    finite,
    folded,
    note,
    number,
    page,
    picture_row,
    section,
    table,
)
from yolojax.runtime.files import write_text

COLUMNS = {
    "AP50": "ap50", "AP": "ap", "boxes": "boxes", "F1": "f1", "precision": "precision", "recall": "recall",
    "at score": "score_threshold", "AP75": "ap75", "VOC AP": "voc_ap50", "images": "images", "detections": "detections",
}  # fmt: skip
ERRORS = {
    "classification": "right place, wrong class",
    "location": "right class, too little overlap with the object",
    "both": "wrong class and too little overlap",
    "duplicate": "another detection of an object that is already detected",
    "background": "no object there",
    "missed": "an object that no detection comes near",
}
STAGES = {"read": "reading and letterboxing", "forward": "network", "nms": "decoding and suppression"}
GROUPS = {"worst": "The worst", "best": "The best", "random": "Others, chosen at random"}


def write_report(
    folder: str | os.PathLike[str],
    metrics: Mapping[str, Any],
    examples: Mapping[int, tuple[np.ndarray, ImageDetections, ImageTruths]],
    history: History,
) -> Path:
    """Writes folder/report.html, which needs no other file and no network, and its plots as PNG files.

    The plots are precision_recall.png, f1.png and confusion.png, and the course of the training, if it is known, as
    loss.png and ap.png.

    Args:
        folder: created if missing.
        metrics: the contents of metrics.json; undefined numbers are None or NaN. Every number on the page comes from it.
        examples: by image id, the image (H, W, 3) uint8 RGB, its detections and its truths, for all images in
            metrics["pictures"].
        history: result of `read_history`.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        *_head(metrics),
        section("Classes", *_classes(metrics)),
        section("Sizes", *_sizes(metrics)),
        section("Precision, recall and F1", curve_plots(folder, metrics)),
        section("Confusion matrix", *confusion(folder, metrics["confusion"])),
        section("Errors and what they cost", *_errors(metrics["errors"])),
        section("Images", *_pictures(metrics, examples)),
        section("Speed", *_speed(metrics)),
    ]
    training = training_plots(folder, history, metrics["step"])
    if training:
        parts.append(section("Training", columns(*training)))
    parts.append(section("Configuration", folded("All fields as evaluated", config_table(metrics["config"]))))
    path = folder / "report.html"
    write_text(path, page(f"{metrics['run']} on {metrics['split']}", parts))
    return path


def _head(metrics: Mapping[str, Any]) -> Iterator[str]:
    best = metrics["best_f1"]
    unreadable = f" ({number(metrics['unreadable'])} unreadable left out)" if metrics["unreadable"] else ""
    tiles = (
        ("AP50", metrics["ap50"], "COCO"),
        ("AP", metrics["ap"], "COCO, mean over ten IoU thresholds"),
        ("AP75", metrics["ap75"], "COCO"),
        ("VOC AP", metrics["voc_ap50"], "area under the curve"),
        ("F1", best["f1"], f"best, at score {number(best['score_threshold'])}"),
        ("Precision", best["precision"], "at the best F1"),
        ("Recall", best["recall"], "at the best F1"),
        ("Loss", metrics["loss"], "per image"),
    )
    yield f"<h1>{escape(metrics['run'])}</h1>"
    yield (
        f'<p class="lead">Checkpoint of step {number(metrics["step"])} on the split {escape(metrics["split"])}: '
        f"{number(metrics['images'])} images{unreadable}, {number(metrics['boxes'])} boxes, "
        f"{number(metrics['images_per_second'], 1)} images per second.</p>"
    )
    yield (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{title}</dt><dd>{number(value, 2 if title == 'Loss' else 3)}<small>{comment}</small></dd></div>"
            for title, value, comment in tiles
        )
        + "</dl>"
    )


def _classes(metrics: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [class_name(name, place), *(number(row[key]) for key in COLUMNS.values())]
        for place, (name, row) in enumerate(metrics["per_class"].items())
    ]
    yield table(("class", *COLUMNS), rows)
    yield note(
        'F1 is the best of the class; precision and recall are at the score threshold where it is reached, "at score". '
        "Detections of every score that the evaluation keeps are counted. A dash marks an undefined number."
    )
    absent = metrics["absent"]
    for key, text in (
        ("without_truth", "No ground truth in this split, so average precision is undefined and the means leave them out"),
        ("without_detections", "Never detected"),
    ):
        if absent[key]:
            yield note(f"{text}: {', '.join(map(str, absent[key]))}.")


def _sizes(metrics: Mapping[str, Any]) -> Iterator[str]:
    keys = ("boxes", "ap50", "ap", "recall")
    rows = [[escape(size), *(number(row[key]) for key in keys)] for size, row in metrics["per_size"].items()]
    yield table(("size", "boxes", "AP50", "AP", "recall"), rows)
    yield note(
        "Sizes are COCO's, by the area of the box in pixels of the original image. Recall is at the best F1 of all classes "
        "together."
    )


def _errors(errors: Mapping[str, Any]) -> Iterator[str]:
    largest = max([row["ap50_cost"] for row in errors.values() if finite(row["ap50_cost"]) is not None] + [1e-9])
    rows = [
        [
            escape(kind),
            number(errors[kind]["count"]),
            number(errors[kind]["ap50_cost"]),
            bar((finite(errors[kind]["ap50_cost"]) or 0) / largest),
            f'<td class="text">{escape(text)}</td>',
        ]
        for kind, text in ERRORS.items()
    ]
    yield table(("error", "count", "AP50 lost", "", "meaning"), rows)
    yield note(
        "AP50 lost is the gain from correcting all errors of this kind and nothing else (Bolya et al., TIDE). Errors are "
        "counted over detections of any score. The gains do not add up, as each depends on the other errors."
    )


def _pictures(
    metrics: Mapping[str, Any], examples: Mapping[int, tuple[np.ndarray, ImageDetections, ImageTruths]]
) -> Iterator[str]:
    pictures, names = metrics["pictures"], list(metrics["per_class"])
    threshold = pictures["score_threshold"]
    yield note(
        "Chosen by the F1 of each image: twice the number of matches divided by ground-truth boxes plus detections. "
        f"Detections have a score of at least {number(threshold)}, matches an IoU of at least "
        f"{number(pictures['iou_threshold'], 2)}. Among images with equal F1, those with more boxes come first; images with "
        "neither ground truth nor detections have no F1."
    )
    for kind, title in GROUPS.items():
        if pictures[kind]:
            yield f"<h3>{title}</h3>"
        for entry in pictures[kind]:
            image, detection, truth = examples[entry["image_id"]]
            boxes, scores, classes = at_least(detection, threshold)
            true_boxes, true_classes = (np.asarray(member) for member in truth[:2])
            summary = (
                f"F1 {number(entry['f1'])}: {number(entry['matched'])} of {number(entry['truths'])} boxes detected, "
                f"{number(entry['detections'])} detections"
            )
            panels = (
                ("ground truth", drawn(image, true_boxes, true_classes, names)),
                ("detections", drawn(image, boxes, classes, names, scores)),
            )
            yield picture_row(f"{escape(entry['title'])} <small>{summary}</small>", panels)


def _speed(metrics: Mapping[str, Any]) -> Iterator[str]:
    rate = number(metrics["images_per_second"], 1)
    yield f"<p>{rate} images per second over the whole evaluation, including compilation.</p>"
    if "stage_seconds" not in metrics:
        yield note("The stages are measured by `yolojax eval`, not at the end of a training run.")
        return
    known = {stage: finite(metrics["stage_seconds"][stage]) for stage in STAGES}
    total = max(sum(value or 0 for value in known.values()), 1e-9)
    rows = [
        [escape(STAGES[stage]), f"{number(value, 5)} s" if value is not None else number(value), bar((value or 0) / total)]
        for stage, value in known.items()
    ]
    yield table(("stage", "per image", ""), rows)
    yield note("Each stage was measured on its own, reading on one thread; during an evaluation the stages overlap.")
