"""The confusion matrix of a detector: which class was taken for which, what was missed, what was made up."""

import numpy as np

from yolojax.evaluation.metrics.matching import Pairs, assign_greedily, overlapping_pairs


def confusion_matrix(found, outcome, expected, classes, *, score_threshold, iou_threshold=0.5):
    """Counts truths by their class (rows) and the class of the detection that found them (columns).

    Detections that found a truth of their own class (`match_as_coco`) stay with it, so that the diagonal holds the true
    positives. Of what is left on both sides, each detection, by falling score, takes the free truth of its picture that
    it overlaps most (the first of equals), whatever the classes. The last row counts detections that found nothing, the
    last column truths that nothing found. What is ignored is in no cell.

    Args:
        found: FlatDetections by falling score.
        outcome: their Outcome at `iou_threshold`.
        expected: FlatTruths.
        classes: number of classes C.
        score_threshold: of the detections that are accepted.
        iou_threshold: a detection finds a truth at this IoU or above.

    Returns:
        (C + 1, C + 1) int64.
    """
    accepted = (found.scores >= score_threshold) & ~outcome.ignored
    direct = accepted & (outcome.truths >= 0)
    taken = np.where(direct, outcome.truths, -1)
    held = np.zeros(len(expected.classes), bool)
    held[taken[direct]] = True

    # Counted truths and accepted detections that have not found each other; what a crowd forgives is in neither.
    pairs = overlapping_pairs(found, expected, iou_threshold, across_classes=True)
    open_pairs = (accepted & ~direct)[pairs.detections] & (outcome.counted & ~held)[pairs.truths]
    pairs = Pairs(*(column[open_pairs] for column in pairs))
    order = np.lexsort((pairs.truths, -pairs.overlaps, pairs.detections))
    pairs = Pairs(*(column[order] for column in pairs))
    confused = assign_greedily(pairs, len(taken), len(held), np.zeros(len(held), bool))
    taken = np.where(confused >= 0, confused, taken)

    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    rows = np.append(expected.classes, classes)[taken[accepted]]  # place -1, no truth, is the last: background
    np.add.at(matrix, (rows, found.classes[accepted]), 1)
    missed = outcome.counted.copy()
    missed[taken[taken >= 0]] = False
    matrix[:classes, classes] = np.bincount(expected.classes[missed], minlength=classes)
    return matrix
