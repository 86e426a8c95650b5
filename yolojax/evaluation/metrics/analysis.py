"""What an evaluation says beyond average precision: working points, curves, confusions, errors and their costs."""

import numpy as np

from yolojax.evaluation.metrics.confusion import confusion_matrix
from yolojax.evaluation.metrics.curves import RECALLS, best_f1, counts_by_class, f1_at, interpolated_precision
from yolojax.evaluation.metrics.inputs import flatten
from yolojax.evaluation.metrics.matching import SIZES, area, by_score, match_as_coco, strongest
from yolojax.evaluation.metrics.tide import error_costs

IOU_THRESHOLD = 0.5


def analyse(summary, detections, truths, names):
    """Completes the numbers of `summarize`; all of what is added is at IoU 0.5, matched as COCO does.

    Args:
        summary: of `summarize` for the same detections, truths and names; it is not changed.
        detections, truths, names: as `summarize` takes them.

    Returns:
        The summary with
        "best_f1" {"score_threshold", "precision", "recall", "f1"}: of all classes together, where F1 is largest
            (`best_f1`); the same four of every class, at its own best F1, in "per_class".
        "per_size" with "recall": the share of boxes of that size that are found at the best F1's threshold.
        "confusion" {"names", "iou_threshold", "score_threshold", "matrix"}: `confusion_matrix` at the best F1's threshold;
            of all detections where there is no best F1.
        "errors" {kind: {"count", "ap50_cost"}}: `error_costs`, over detections of any score.
        "curves" {"recall": 101 values, "precision": {name: 101 values}, "score": 101 values, "f1": {name: 101 values},
            "f1_all": 101 values}: the best precision at each recall or above, whose mean is the class's "ap50"; F1 of the
            detections of each score or above. None for a class without a truth.
        "absent" {"without_truth", "without_detections"}: names of classes.
        Numbers that are not defined are NaN.
    """
    found, expected, outcome = _matched(detections, truths)
    counts, overall = counts_by_class(found, outcome, expected.classes, len(names))
    counts = dict(zip(names, counts, strict=True))
    best = best_f1(overall)

    found_truths = outcome.truths[outcome.true_positive & (found.scores >= best["score_threshold"])]
    sizes = area(expected.boxes_xyxy)
    per_size = {}
    for name, (low, high) in SIZES.items():
        there = outcome.counted & (sizes >= low) & (sizes <= high)
        recall = there[found_truths].sum() / there.sum() if there.any() else float("nan")
        per_size[name] = {**summary["per_size"][name], "recall": float(recall)}

    threshold = best["score_threshold"]
    matrix = confusion_matrix(
        found,
        outcome,
        expected,
        len(names),
        score_threshold=-np.inf if np.isnan(threshold) else threshold,
        iou_threshold=IOU_THRESHOLD,
    )
    with_truth = [name for name in names if counts[name].positives]
    return {
        **summary,
        "per_class": {name: {**summary["per_class"][name], **best_f1(counts[name])} for name in names},
        "per_size": per_size,
        "best_f1": best,
        "confusion": {
            "names": [*names, "background"],
            "iou_threshold": IOU_THRESHOLD,
            "score_threshold": threshold,
            "matrix": matrix.tolist(),
        },
        "errors": error_costs(found, outcome, expected, len(names)),
        "curves": {
            "recall": RECALLS.tolist(),
            "precision": {
                name: interpolated_precision(counts[name].true_positive, counts[name].positives).tolist()
                if counts[name].positives
                else None
                for name in names
            },
            "score": RECALLS.tolist(),
            "f1": {name: f1_at(counts[name], RECALLS).tolist() if counts[name].positives else None for name in names},
            "f1_all": f1_at(overall, RECALLS).tolist() if overall.positives else None,
        },
        "absent": {
            "without_truth": [name for name in names if name not in with_truth],
            "without_detections": [name for name, row in summary["per_class"].items() if not row["detections"]],
        },
    }


def largest_f1(detections, truths):
    """The F1 of "best_f1" of `analyse` alone; NaN where it is not defined."""
    found, expected, outcome = _matched(detections, truths)
    classes = 1 + max(found.classes.max(initial=0), expected.classes.max(initial=0))
    return best_f1(counts_by_class(found, outcome, expected.classes, classes)[1])["f1"]


def _matched(detections, truths):
    found, expected = flatten(detections, truths)
    found = strongest(by_score(found)[0])
    return found, expected, match_as_coco(found, expected, iou_threshold=IOU_THRESHOLD)
