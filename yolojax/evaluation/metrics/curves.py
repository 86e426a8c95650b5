"""Precision over recall, F1 over score, and the score threshold with the best F1, from detections that have been matched."""

from typing import NamedTuple

import numpy as np

from yolojax.evaluation.metrics.inputs import FlatDetections
from yolojax.evaluation.metrics.matching import Outcome

# As COCO computes them: i * 0.01 is not always i / 100, and a recall may fall just between the two.
RECALLS = np.linspace(0, 1, 101)


class Counts(NamedTuple):
    """The detections that count, by falling score, and the number of truths.

    Attributes:
        scores: (k,) float64.
        true_positive: (k,) bool; the others are false positives.
        positives: number of truths that should be detected.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    positives: int


def counts_by_class(
    detections: FlatDetections, outcome: Outcome, truth_classes: np.ndarray, classes: int
) -> tuple[list[Counts], Counts]:
    """Separates matched detections by class.

    Args:
        detections: sorted by falling score.
        outcome: how they were matched.
        truth_classes: (t,) int64, the classes of the truths.
        classes: number of classes.

    Returns:
        The Counts of each class, and those of all classes together.
    """
    counted = np.flatnonzero(~outcome.ignored)
    overall = Counts(detections.scores[counted], outcome.true_positive[counted], int(outcome.counted.sum()))
    positives = np.bincount(truth_classes[outcome.counted], minlength=classes).tolist()
    per_class = [
        Counts(overall.scores[rows], overall.true_positive[rows], count)
        for rows, count in zip(split_by_class(detections.classes[counted], classes), positives, strict=True)
    ]
    return per_class, overall


def split_by_class(values: np.ndarray, classes: int) -> list[np.ndarray]:
    """The positions of each class in a (k,) array of class ids, in rising order: one int64 array per class."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], np.arange(1, classes)))


def interpolated_precision(true_positive: np.ndarray, positives: int) -> np.ndarray:
    """The best precision at or above each of COCO's 101 recalls; its mean is COCO's average precision.

    Args:
        true_positive: (k,) bool, by falling score.
        positives: number of truths that should be detected, at least 1.

    Returns:
        (101,) float64, 0 at recalls that are not reached.
    """
    hits = np.cumsum(true_positive)
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.append(envelope, 0.0)[np.searchsorted(hits / positives, RECALLS, side="left")]


def f1_at(counts: Counts, scores: np.ndarray) -> np.ndarray:
    """F1, the harmonic mean of precision and recall, at each score threshold.

    Args:
        counts: the counts of one class, or of all together.
        scores: (s,) float64, thresholds; detections with exactly that score count.

    Returns:
        (s,) float64, 2 TP / (detections + truths), or NaN if there are no truths.
    """
    kept = np.searchsorted(-counts.scores, -scores, side="right")
    hits = np.append(0, np.cumsum(counts.true_positive))[kept]
    return 2 * hits / (kept + counts.positives) if counts.positives else np.full(len(scores), np.nan)


def best_f1(counts: Counts) -> dict[str, float]:
    """The score threshold with the largest F1, and precision and recall at it; the highest threshold of a tie.

    Returns:
        "score_threshold", "precision", "recall" and "f1". All are NaN if there are no truths; if there are truths but no
        detections, recall and F1 are 0 and the others NaN.
    """
    nan = float("nan")
    if not counts.positives:
        return dict.fromkeys(("score_threshold", "precision", "recall", "f1"), nan)
    if not len(counts.scores):
        return {"score_threshold": nan, "precision": nan, "recall": 0.0, "f1": 0.0}
    # A threshold cannot separate equal scores: f1_at always counts all of them.
    f1 = f1_at(counts, counts.scores)
    best = int(f1.argmax())
    threshold = counts.scores[best]
    kept = int(np.searchsorted(-counts.scores, -threshold, side="right"))
    hits = int(counts.true_positive[:kept].sum())
    return {
        "score_threshold": float(threshold),
        "precision": hits / kept,
        "recall": hits / counts.positives,
        "f1": float(f1[best]),
    }
