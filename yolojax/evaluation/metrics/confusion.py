"""The confusion matrix of a detector: classes taken for each other, missed truths and false detections."""

import numpy as np

from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths
from yolojax.evaluation.metrics.matching import IOU_THRESHOLD, Outcome, assign_greedily, overlapping_pairs


def confusion_matrix(
    detections: FlatDetections,
    outcome: Outcome,
    truths: FlatTruths,
    classes: int,
    *,
    score_threshold: float,
    iou_threshold: float = IOU_THRESHOLD,
) -> np.ndarray:
    """Counts truths by their class (rows) and by the class of the detection that matched them (columns).

    Detections that matched a truth of their own class (`match_as_coco`) keep it, so the diagonal holds the true positives.
    Each remaining detection, by falling score, takes the free truth of its image that it overlaps most (the first one of a
    tie), whatever its class. The last row counts detections without a truth, the last column truths without a detection.
    Ignored detections and truths are not counted.

    Args:
        detections: sorted by falling score.
        outcome: how they were matched at `iou_threshold`.
        truths: the truths that they were matched with.
        classes: C, the number of classes.
        score_threshold: detections below it are left out.
        iou_threshold: the smallest IoU of a match.

    Returns:
        (C + 1, C + 1) int64.
    """
    accepted = (detections.scores >= score_threshold) & ~outcome.ignored
    direct = accepted & (outcome.truths >= 0)
    taken = np.where(direct, outcome.truths, -1)
    held = np.zeros(len(truths.classes), bool)
    held[taken[direct]] = True

    # Only what is still unmatched on both sides; detections that a crowd forgives are not in `accepted`.
    pairs = overlapping_pairs(detections, truths, iou_threshold, across_classes=True)
    pairs = pairs.take((accepted & ~direct)[pairs.detections] & (outcome.counted & ~held)[pairs.truths])
    pairs = pairs.take(np.lexsort((pairs.truths, -pairs.overlaps, pairs.detections)))
    confused = assign_greedily(pairs, len(taken), len(held), np.zeros(len(held), bool))
    taken = np.where(confused >= 0, confused, taken)

    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    rows = np.append(truths.classes, classes)[taken[accepted]]  # position -1, no truth, is the last entry: background
    np.add.at(matrix, (rows, detections.classes[accepted]), 1)
    missed = outcome.counted.copy()
    missed[taken[taken >= 0]] = False
    matrix[:classes, classes] = np.bincount(truths.classes[missed], minlength=classes)
    return matrix
