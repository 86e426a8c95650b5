"""What an evaluation reports beyond average precision: working points, curves, confusions, errors and their costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from yolojax.evaluation.metrics.confusion import confusion_matrix
from yolojax.evaluation.metrics.curves import RECALLS, Counts, best_f1, counts_by_class, f1_at, interpolated_precision
from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths, ImageDetections, ImageTruths
from yolojax.evaluation.metrics.matching import IOU_THRESHOLD, SIZES, Outcome, area, flatten_and_match
from yolojax.evaluation.metrics.tide import error_costs


def analyse(
    summary: Mapping[str, Any],
    detections: Sequence[ImageDetections],
    truths: Sequence[ImageTruths],
    names: Sequence[str],
) -> dict[str, Any]:
    """Completes the numbers of `summarize`; everything added is at IoU 0.5, matched as COCO does.

    Args:
        summary: result of `summarize` for the same detections, truths and names; it is not changed.
        detections: one entry per image.
        truths: one entry per image, for the same images in the same order.
        names: the name of every class, all different.

    Returns:
        The summary with these additions, in which undefined numbers are NaN:

        - "best_f1" {"score_threshold", "precision", "recall", "f1"}: of all classes together, at the score threshold with
          the largest F1 (`best_f1`); "per_class" gets the same four for every class, each at its own threshold.
        - "per_size" gets "recall": the share of the boxes of that size that are detected at the threshold of "best_f1".
        - "confusion" {"names", "iou_threshold", "score_threshold", "matrix"}: `confusion_matrix` at the threshold of
          "best_f1", or of all detections if that is undefined.
        - "errors" {kind: {"count", "ap50_cost"}}: `error_costs`, over detections of any score.
        - "curves" {"recall": 101 values, "precision": {name: 101 values}, "score": 101 values, "f1": {name: 101 values},
          "f1_all": 101 values}: the best precision at or above each recall, whose mean is "ap50" of the class, and F1 at
          each score threshold. None for a class without truths.
        - "absent" {"without_truth", "without_detections"}: names of classes.
    """
    flat_detections, flat_truths, outcome = flatten_and_match(detections, truths)
    counts, overall = counts_by_class(flat_detections, outcome, flat_truths.classes, len(names))
    by_name = dict(zip(names, counts, strict=True))
    best = best_f1(overall)
    threshold = best["score_threshold"]
    recalls = _recall_by_size(flat_detections, flat_truths, outcome, threshold)
    matrix = confusion_matrix(
        flat_detections,
        outcome,
        flat_truths,
        len(names),
        score_threshold=-np.inf if np.isnan(threshold) else threshold,
    )
    return {
        **summary,
        "per_class": {name: {**summary["per_class"][name], **best_f1(by_name[name])} for name in names},
        "per_size": {size: {**summary["per_size"][size], "recall": recalls[size]} for size in SIZES},
        "best_f1": best,
        "confusion": {
            "names": [*names, "background"],
            "iou_threshold": IOU_THRESHOLD,
            "score_threshold": threshold,
            "matrix": matrix.tolist(),
        },
        "errors": error_costs(flat_detections, outcome, flat_truths, len(names)),
        "curves": _curves(by_name, overall),
        "absent": {
            "without_truth": [name for name in names if not by_name[name].positives],
            "without_detections": [name for name, row in summary["per_class"].items() if not row["detections"]],
        },
    }


def largest_f1(detections: Sequence[ImageDetections], truths: Sequence[ImageTruths]) -> float:
    """The F1 in "best_f1" of `analyse`, without the rest; NaN if undefined."""
    flat_detections, flat_truths, outcome = flatten_and_match(detections, truths)
    classes = 1 + max(flat_detections.classes.max(initial=0), flat_truths.classes.max(initial=0))
    return best_f1(counts_by_class(flat_detections, outcome, flat_truths.classes, classes)[1])["f1"]


def _recall_by_size(
    detections: FlatDetections, truths: FlatTruths, outcome: Outcome, score_threshold: float
) -> dict[str, float]:
    detected = outcome.truths[outcome.true_positive & (detections.scores >= score_threshold)]
    areas = area(truths.boxes_xyxy)
    recalls = {}
    for size, (low, high) in SIZES.items():
        of_size = outcome.counted & (areas >= low) & (areas <= high)
        recalls[size] = float(of_size[detected].sum() / of_size.sum()) if of_size.any() else float("nan")
    return recalls


def _curves(by_name: Mapping[str, Counts], overall: Counts) -> dict[str, Any]:
    precision, f1 = {}, {}
    for name, counts in by_name.items():
        known = counts.positives > 0
        precision[name] = interpolated_precision(counts.true_positive, counts.positives).tolist() if known else None
        f1[name] = f1_at(counts, RECALLS).tolist() if known else None
    return {
        "recall": RECALLS.tolist(),
        "precision": precision,
        "score": RECALLS.tolist(),
        "f1": f1,
        "f1_all": f1_at(overall, RECALLS).tolist() if overall.positives else None,
    }
