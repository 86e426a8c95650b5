"""The report of an evaluation: one self-contained page, and its plots as PNG files."""

import json
from pathlib import Path

import numpy as np

from yolojax.evaluation.metrics.picture_scores import at_least
from yolojax.evaluation.report.curve_plots import curve_plots, training_plots
from yolojax.evaluation.report.page import (
    DASH,
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
    plot,
    section,
    table,
)
from yolojax.evaluation.report.plots import NAMED, confusion_figure, row_shares, save_png
from yolojax.runtime.files import write_text

MISTAKES = 15  # of a large confusion matrix, the pairs of classes that are listed
COLUMNS = {
    "AP50": "ap50", "AP": "ap", "boxes": "boxes", "F1": "f1", "precision": "precision", "recall": "recall",
    "at score": "score_threshold", "AP75": "ap75", "VOC AP": "voc_ap50", "pictures": "images", "detections": "detections",
}  # fmt: skip
ERRORS = {
    "classification": "right place, wrong class",
    "location": "right class, overlaps the truth too little",
    "both": "wrong class, and overlaps too little",
    "duplicate": "a truth found once more",
    "background": "nothing is there",
    "missed": "a truth that no detection comes near",
}
STAGES = {"read": "reading and letterboxing", "forward": "the network", "nms": "decoding and suppression"}
KINDS = {"worst": "The worst", "best": "The best", "random": "Others, drawn at random"}


def write_report(folder, metrics, examples, history):
    """Writes folder/report.html, one page that needs no other file and no network, and folder/*.png, its plots.

    precision_recall.png, f1.png and confusion.png; loss.png and ap.png, the course of the training, where there is one.

    Args:
        folder: made where it is missing.
        metrics: the dict of metrics.json; undefined numbers are None or NaN. Every number on the page is one of its.
        examples: {image_id: (image (H, W, 3) uint8 RGB, detection, truth)} of the pictures in metrics["pictures"].
        history: of `read_history`.

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
        section("Confusion matrix", *_confusion(folder, metrics["confusion"])),
        section("Errors and what they cost", *_errors(metrics["errors"])),
        section("Pictures", *_pictures(metrics, examples)),
        section("Speed", *_speed(metrics)),
    ]
    training = training_plots(folder, history, metrics["step"])
    if training:
        parts.append(section("Training", columns(*training)))
    parts.append(section("Configuration", folded("All fields, as evaluated", config_table(metrics["config"]))))
    path = folder / "report.html"
    write_text(path, page(f"{metrics['run']} on {metrics['split']}", parts))
    return path


def _head(metrics):
    best = metrics["best_f1"]
    left_out = f", {number(metrics['unreadable'])} unreadable left out" if metrics["unreadable"] else ""
    tiles = (
        ("AP50", metrics["ap50"], "COCO"),
        ("AP", metrics["ap"], "COCO, mean over ten IoUs"),
        ("AP75", metrics["ap75"], "COCO"),
        ("VOC AP", metrics["voc_ap50"], "area, at the IoU of AP50"),
        ("F1", best["f1"], f"best, at score {number(best['score_threshold'])}"),
        ("Precision", best["precision"], "there"),
        ("Recall", best["recall"], "there"),
        ("Loss", metrics["loss"], "a picture"),
    )
    return (
        f"<h1>{escape(metrics['run'])}</h1>",
        f'<p class="lead">Checkpoint of step {number(metrics["step"])} on the split {escape(metrics["split"])}: '
        f"{number(metrics['images'])} pictures{left_out}, {number(metrics['boxes'])} boxes, "
        f"{number(metrics['images_per_second'], 1)} pictures a second.</p>",
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{title}</dt><dd>{number(value, 2 if title == 'Loss' else 3)}<small>{of}</small></dd></div>"
            for title, value, of in tiles
        )
        + "</dl>",
    )


def _classes(metrics):
    names = list(metrics["per_class"])
    rows = [
        [class_name(name, place), *(number(metrics["per_class"][name][key]) for key in COLUMNS.values())]
        for place, name in enumerate(names)
    ]
    yield table(("class", *COLUMNS), rows)
    yield note(
        "Precision, recall and F1 are those at the class's own best F1, from the score beside them. "
        f"Detections count down to the lowest score that the evaluation keeps. {DASH} stands for a number that is not defined."
    )
    absent = metrics["absent"]
    for key, text in (
        ("without_truth", "No truth in this split, so that no average precision is defined and no mean counts them"),
        ("without_detections", "Never detected"),
    ):
        if absent[key]:
            yield note(f"{text}: {', '.join(map(str, absent[key]))}.")


def _sizes(metrics):
    keys = ("boxes", "ap50", "ap", "recall")
    rows = [[escape(size), *(number(row[key]) for key in keys)] for size, row in metrics["per_size"].items()]
    yield table(("size", "boxes", "AP50", "AP", "recall"), rows)
    yield note(
        "Sizes are COCO's, by the area of the box in pixels of the original picture; recall is that at the best F1 of all "
        "classes together."
    )


def _confusion(folder, confusion):
    names, counts = confusion["names"], np.asarray(confusion["matrix"], int)
    figure = confusion_figure(names, counts)
    save_png(figure, folder / "confusion.png")
    last = len(names) - 1
    titles = [class_name(name, place) if place < last else escape(name) for place, name in enumerate(names)]
    yield note("Rows are the truth, columns what it was detected as; the tint is the share of the row.")
    if last <= NAMED:
        yield _matrix(names, titles, counts, "matrix")
    else:
        wrong = counts * (1 - np.eye(len(names), dtype=int))
        wrong[last, :] = wrong[:, last] = 0
        order = np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES]
        rows = [
            [titles[row], f'<td class="text">{escape(names[column])}</td>', number(int(wrong[row, column]))]
            for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)
            if wrong[row, column]
        ]
        listed = table(("truth", "detected as", "times"), rows) if rows else note("No class was taken for another one.")
        yield columns(plot(figure, "confusion-", f"All {number(last)} classes in their order; the background is last."), listed)
        yield folded("The whole matrix in numbers", _matrix(names, titles, counts, "matrix large"))
    yield (
        f'<p class="note">A detection of at least score {number(confusion["score_threshold"])} and a truth are a pair from an '
        f"IoU of {number(confusion['iou_threshold'], 2)}; what stays alone is paired with the background.</p>"
    )


def _matrix(names, titles, counts, kind):
    def cell(count, share):
        ink = ";color:#fff" if share > 0.55 else ""
        style = f' style="background:rgb(42 93 132 / {share:.2f}){ink}"' if count else ""
        return f"<td{style}>{count if count else '·'}</td>"

    rows = [
        [titles[place], *(cell(count, share) for count, share in zip(row.tolist(), shares.tolist(), strict=True))]
        for place, (row, shares) in enumerate(zip(counts, row_shares(counts), strict=True))
    ]
    return table(["truth \\ detected", *names], rows, kind=kind)


def _errors(errors):
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
    yield table(("error", "count", "AP50 lost", "", "what it is"), rows)
    yield note(
        "The AP50 that would be won if all errors of the kind, and only these, were put right (Bolya et al., TIDE); errors are "
        "counted over detections of any score. "
        "The wins do not add up: what one repair wins depends on the others."
    )


def _pictures(metrics, examples):
    pictures, names = metrics["pictures"], list(metrics["per_class"])
    threshold = pictures["score_threshold"]
    yield (
        '<p class="note">Chosen by the F1 of each picture by itself, twice the matched boxes over truths and detections, of '
        f"detections from score {number(threshold)} and matches from an IoU of {number(pictures['iou_threshold'], 2)}. Of "
        "equal F1 the picture with more boxes goes first; one with neither truths nor detections has no F1.</p>"
    )
    for kind, title in KINDS.items():
        if pictures[kind]:
            yield f"<h3>{title}</h3>"
        for entry in pictures[kind]:
            image, detection, truth = examples[entry["image_id"]]
            boxes, scores, classes = at_least(detection, threshold)
            summary = (
                f"F1 {number(entry['f1'])}: {number(entry['matched'])} matched of {number(entry['truths'])} truths and "
                f"{number(entry['detections'])} detections"
            )
            panels = (
                ("truth", drawn(image, truth[0], truth[1], names)),
                ("detections", drawn(image, boxes, classes, names, scores)),
            )
            yield picture_row(f"{escape(entry['title'])} <small>{summary}</small>", panels)


def _speed(metrics):
    yield f"<p>{number(metrics['images_per_second'], 1)} pictures a second in the whole evaluation, compilation included.</p>"
    if "stage_seconds" not in metrics:
        yield note("The stages are measured by eval.py, not at the end of a training.")
        return
    known = {stage: finite(metrics["stage_seconds"][stage]) for stage in STAGES}
    total = max(sum(value or 0 for value in known.values()), 1e-9)
    rows = [
        [escape(STAGES[stage]), f"{number(value, 5)} s" if value is not None else number(value), bar((value or 0) / total)]
        for stage, value in known.items()
    ]
    yield table(("stage", "a picture", ""), rows)
    yield note("Measured one after the other, reading on one thread; in the evaluation the stages overlap.")


def config_table(config):
    """A configuration, nested dicts, as a table of its leaves."""
    rows = [[escape(name), escape(json.dumps(value, ensure_ascii=False))] for name, value in config_leaves(config)]
    return table(("field", "value"), rows, kind="config")


def config_leaves(config, prefix=""):
    """Yields (dotted name, value) of nested dicts."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from config_leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
