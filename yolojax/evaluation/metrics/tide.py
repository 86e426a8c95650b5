"""Why a detector is not perfect: Bolya et al. 2020, "TIDE", arXiv:2008.08115, section 2.2."""

import numpy as np

from yolojax.evaluation.metrics.curves import interpolated_precision, split_by_class
from yolojax.evaluation.metrics.matching import overlapping_pairs

KINDS = ("classification", "location", "both", "duplicate", "background", "missed")
FOREGROUND_IOU = 0.5
BACKGROUND_IOU = 0.1


def error_kinds(found, outcome, expected):
    """Gives every false positive and every truth that was not found its kind of error.

    A false positive is, in this order, "location" if its largest IoU with a truth of its class is at least 0.1 but below
    0.5, "classification" if that with a truth of another class is at least 0.5, "duplicate" if that with a truth of its
    class is at least 0.5 (which then has been found), "background" if no truth reaches more than 0.1, else "both". The
    truth of a location or classification error is the one of that largest IoU. A truth that was not found is "missed"
    unless it is the truth of such an error. Ignored truths and detections take no part.

    The order is that of the authors' program. It differs where IoU is 0.5 exactly: a second detection of a truth is a
    duplicate here as from any larger IoU, a location error there.

    Args:
        found: FlatDetections by falling score.
        outcome: their Outcome of `match_as_coco` at IoU 0.5.
        expected: FlatTruths.

    Returns:
        kinds: (d,) int64, places in KINDS, or -1 for what is no false positive.
        culprits: (d,) int64, the truth of a location or classification error, or -1.
        missed: (t,) bool.
    """
    pairs = overlapping_pairs(found, expected, BACKGROUND_IOU, across_classes=True)
    wrong = (outcome.truths < 0) & ~outcome.ignored
    relevant = wrong[pairs.detections] & outcome.counted[pairs.truths]
    detections, truths, overlaps = (column[relevant] for column in pairs)
    same = found.classes[detections] == expected.classes[truths]
    own_iou, own_truth = _largest(len(wrong), detections[same], truths[same], overlaps[same])
    other_iou, other_truth = _largest(len(wrong), detections[~same], truths[~same], overlaps[~same])

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


def error_costs(found, outcome, expected, classes):
    """How often each kind of error occurs, and how much AP50 it costs: what is gained if it alone is put right.

    Section 2.3 of the paper. A classification error gets the class of its truth, a location error its box, and so becomes
    a true positive, if that truth has not been found and no better classification or location error is for the same one;
    those that are not corrected so, duplicate, background and both errors are taken away. Missed truths are no longer
    asked for. AP50 is the mean over classes of COCO's, which for a class without any truth left is 1 if it has no false
    positive, else 0. The 101 steps of recall may make a fix lose a little; that is reported as 0, as by the authors.

    Unlike the authors' program this counts as COCO's AP does: 100 detections of a class and picture, not of a picture,
    classes without truth left out of the mean, and recalls 0.01 i, not i / 100.

    Args:
        found, outcome, expected: as for `error_kinds`.
        classes: number of classes.

    Returns:
        {kind: {"count": int, "ap50_cost": float in [0, 1]}}; the cost is NaN where no truth counts.
    """
    kinds, culprits, missed = error_kinds(found, outcome, expected)
    counts = {kind: int((kinds == place).sum()) for place, kind in enumerate(KINDS)} | {"missed": int(missed.sum())}
    positives = np.bincount(expected.classes[outcome.counted], minlength=classes)
    averaged = np.flatnonzero(positives)
    if not len(averaged):
        return {kind: {"count": count, "ap50_cost": float("nan")} for kind, count in counts.items()}

    def mean_ap(kept, detected_classes, correct, positives):
        kept = np.flatnonzero(kept & ~outcome.ignored)
        split = split_by_class(detected_classes[kept], classes)
        return float(np.mean([_ap(correct[kept[split[name]]], positives[name]) for name in averaged]))

    free = outcome.counted.copy()
    free[outcome.truths[outcome.truths >= 0]] = False
    # Places rise as scores fall: the first error of each truth is its best one.
    candidates = np.flatnonzero((culprits >= 0) & free[culprits])
    corrected = np.zeros(len(kinds), bool)
    corrected[candidates[np.unique(culprits[candidates], return_index=True)[1]]] = True

    correct, everything = outcome.true_positive, np.ones(len(kinds), bool)
    before = mean_ap(everything, found.classes, correct, positives)
    left = positives - np.bincount(expected.classes[missed], minlength=classes)
    costs = {}
    for place, kind in enumerate(KINDS):
        right = corrected & (kinds == place)
        if kind == "missed":
            after = mean_ap(everything, found.classes, correct, left)
        else:
            fixed_classes = np.where(right, expected.classes[culprits], found.classes)
            after = mean_ap((kinds != place) | right, fixed_classes, correct | right, positives)
        costs[kind] = {"count": counts[kind], "ap50_cost": max(0.0, after - before)}
    return costs


def _largest(detections, of, truths, overlaps):
    """The largest overlap of every detection and its truth, the first of equals; 0 and -1 where it has none."""
    order = np.lexsort((truths, -overlaps, of))
    which, first = np.unique(of[order], return_index=True)
    largest, truth = np.zeros(detections), np.full(detections, -1)
    largest[which], truth[which] = overlaps[order][first], truths[order][first]
    return largest, truth


def _ap(true_positive, positives):
    if positives:
        return interpolated_precision(true_positive, positives).mean()
    return float(len(true_positive) == 0)
