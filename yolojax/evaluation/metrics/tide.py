"""Why a detector is not perfect: Bolya et al. 2020, "TIDE", arXiv:2008.08115, section 2.2."""

from typing import Any

import numpy as np

from yolojax.evaluation.metrics.curves import interpolated_precision, split_by_class
from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths
from yolojax.evaluation.metrics.matching import Outcome, overlapping_pairs

KINDS = ("classification", "location", "both", "duplicate", "background", "missed")
FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1


def error_kinds(detections: FlatDetections, outcome: Outcome, truths: FlatTruths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assigns a kind of error to every false positive, and finds the missed truths.

    The kind of a false positive is the first that applies:

    - "location": its largest IoU with a truth of its own class is at least 0.1 and below 0.5;
    - "classification": its largest IoU with a truth of another class is at least 0.5;
    - "duplicate": its largest IoU with a truth of its own class is at least 0.5 (another detection has matched that truth);
    - "background": its IoU with every truth is at most 0.1;
    - "both": everything else.

    The truth of a location or classification error is the one with that largest IoU. A truth that no detection matched is
    "missed" unless it is the truth of such an error. Ignored truths and detections are left out.

    The order is that of the authors' program. The one difference is at an IoU of exactly 0.5: a second detection of a truth
    is a duplicate here, as for any larger IoU, but a location error in their program.

    Args:
        detections: sorted by falling score.
        outcome: how they were matched by `match_as_coco` at IoU 0.5.
        truths: the truths that they were matched with.

    Returns:
        A tuple (kinds, culprits, missed): (d,) int64, positions in KINDS, or -1 if not a false positive; (d,) int64, the
        truth of a location or classification error, or -1; and (t,) bool.
    """
    pairs = overlapping_pairs(detections, truths, BACKGROUND_IOU, across_classes=True)
    wrong = (outcome.truths < 0) & ~outcome.ignored
    pairs = pairs.take(wrong[pairs.detections] & outcome.counted[pairs.truths])
    same = detections.classes[pairs.detections] == truths.classes[pairs.truths]
    own_iou, own_truth = _largest(len(wrong), *pairs.take(same))
    other_iou, other_truth = _largest(len(wrong), *pairs.take(~same))

    conditions = [
        ~wrong,
        (own_iou >= BACKGROUND_IOU) & (own_iou < FOREGROUND_IOU),
        other_iou >= FOREGROUND_IOU,
        own_iou >= FOREGROUND_IOU,
        other_iou <= BACKGROUND_IOU,
    ]
    names = ("location", "classification", "duplicate", "background")
    kinds = np.select(conditions, [-1, *map(KINDS.index, names)], KINDS.index("both"))
    culprits = np.select(
        [kinds == KINDS.index("location"), kinds == KINDS.index("classification")], [own_truth, other_truth], -1
    )
    missed = outcome.counted.copy()
    missed[outcome.truths[outcome.truths >= 0]] = False
    missed[culprits[culprits >= 0]] = False
    return kinds, culprits, missed


def error_costs(detections: FlatDetections, outcome: Outcome, truths: FlatTruths, classes: int) -> dict[str, dict[str, Any]]:
    """Counts each kind of error, and computes the AP50 that it costs: the gain from correcting this kind alone.

    Section 2.3 of the paper. A classification error gets the class of its truth and a location error its box, which makes
    it a true positive if that truth has not been matched and no classification or location error with a higher score has
    the same truth. Other errors of these two kinds, and all duplicate, background and both errors, are removed. Missed
    truths are removed from the truths. AP50 is the mean over classes of COCO's; a class that has no truths left has an AP50
    of 1 if it has no false positives, else 0. Because recall has 101 steps, a correction may lose a little; that is
    reported as 0, as in the authors' program.

    Unlike the authors' program this counts as COCO's AP does: 100 detections per image and class instead of per image,
    classes without truths left out of the mean, and recalls 0.01 * i instead of i / 100.

    Args:
        detections: as for `error_kinds`.
        outcome: as for `error_kinds`.
        truths: as for `error_kinds`.
        classes: number of classes.

    Returns:
        {kind: {"count": int, "ap50_cost": float in [0, 1]}}; the cost is NaN if no truth counts.
    """
    kinds, culprits, missed = error_kinds(detections, outcome, truths)
    counts = {kind: int((kinds == place).sum()) for place, kind in enumerate(KINDS)} | {"missed": int(missed.sum())}
    positives = np.bincount(truths.classes[outcome.counted], minlength=classes)
    averaged = np.flatnonzero(positives)
    if not len(averaged):
        return {kind: {"count": count, "ap50_cost": float("nan")} for kind, count in counts.items()}

    def mean_ap(kept: np.ndarray, detected_classes: np.ndarray, correct: np.ndarray, positives: np.ndarray) -> float:
        rows = np.flatnonzero(kept & ~outcome.ignored)
        split = split_by_class(detected_classes[rows], classes)
        return float(np.mean([_ap(correct[rows[split[class_id]]], positives[class_id]) for class_id in averaged]))

    free = outcome.counted.copy()
    free[outcome.truths[outcome.truths >= 0]] = False
    # Positions rise as scores fall: the first error of each truth is the one with the highest score.
    candidates = np.flatnonzero((culprits >= 0) & free[culprits])
    corrected = np.zeros(len(kinds), bool)
    corrected[candidates[np.unique(culprits[candidates], return_index=True)[1]]] = True

    correct, everything = outcome.true_positive, np.ones(len(kinds), bool)
    before = mean_ap(everything, detections.classes, correct, positives)
    still_expected = positives - np.bincount(truths.classes[missed], minlength=classes)
    costs = {}
    for place, kind in enumerate(KINDS):
        if kind == "missed":
            after = mean_ap(everything, detections.classes, correct, still_expected)
        else:
            fixed = corrected & (kinds == place)
            fixed_classes = np.where(fixed, truths.classes[culprits], detections.classes)
            after = mean_ap((kinds != place) | fixed, fixed_classes, correct | fixed, positives)
        costs[kind] = {"count": counts[kind], "ap50_cost": max(0.0, after - before)}
    return costs


def _largest(
    num_detections: int, detections: np.ndarray, truths: np.ndarray, overlaps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The largest overlap of each detection and its truth, the first one of a tie; 0 and -1 if it has none."""
    order = np.lexsort((truths, -overlaps, detections))
    rows, first = np.unique(detections[order], return_index=True)
    largest, truth = np.zeros(num_detections), np.full(num_detections, -1)
    largest[rows], truth[rows] = overlaps[order][first], truths[order][first]
    return largest, truth


def _ap(true_positive: np.ndarray, positives: int) -> float:
    if positives:
        return float(interpolated_precision(true_positive, positives).mean())
    return float(len(true_positive) == 0)
