"""Precision by recall, F1 by score, and the score threshold of the best F1, from detections that have been matched."""

from typing import NamedTuple

import numpy as np

# As COCO computes them: i * 0.01 is not always i / 100, and a recall may fall just between the two.
RECALLS = np.linspace(0, 1, 101)


class Counts(NamedTuple):
    """What is known of some detections, those that count, by falling score.

    Attributes:
        scores: (k,) float64.
        true_positive: (k,) bool; the others are false positives.
        positives: number of truths that should be found.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    positives: int


def counts_by_class(found, outcome, truth_classes, classes):
    """The Counts of every class, and those of all classes together.

    Args:
        found: FlatDetections by falling score.
        outcome: their Outcome.
        truth_classes: (t,) int64, classes of the truths.
        classes: number of classes.

    Returns:
        A list over classes of Counts, Counts.
    """
    here = np.flatnonzero(~outcome.ignored)
    overall = Counts(found.scores[here], outcome.true_positive[here], int(outcome.counted.sum()))
    positives = np.bincount(truth_classes[outcome.counted], minlength=classes)
    split = split_by_class(found.classes[here], classes)
    return [Counts(overall.scores[k], overall.true_positive[k], int(n)) for k, n in zip(split, positives, strict=True)], overall


def split_by_class(values, classes):
    """Places of every class among (k,) class numbers, in their order: a list over classes of int64 arrays."""
    order = np.argsort(values, kind="stable")
    return np.split(order, np.searchsorted(values[order], np.arange(1, classes)))


def interpolated_precision(true_positive, positives):
    """The best precision at each of COCO's 101 recalls or above; its mean is COCO's average precision.

    Args:
        true_positive: (k,) bool by falling score.
        positives: number of truths that should be found, at least 1.

    Returns:
        (101,) float64, 0 at recalls that are not reached.
    """
    hits = np.cumsum(true_positive)
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.append(envelope, 0.0)[np.searchsorted(hits / positives, RECALLS, side="left")]


def f1_at(counts, scores):
    """F1, the harmonic mean of precision and recall, of the detections of at least these scores.

    Args:
        counts: Counts.
        scores: (s,) float64.

    Returns:
        (s,) float64: 2 TP / (detections + truths); NaN where there is no truth.
    """
    kept = np.searchsorted(-counts.scores, -scores, side="right")
    hits = np.append(0, np.cumsum(counts.true_positive))[kept]
    return 2 * hits / (kept + counts.positives) if counts.positives else np.full(len(scores), np.nan)


def best_f1(counts):
    """The score threshold of the largest F1 and what is reached there; of equals the highest.

    Returns:
        {"score_threshold", "precision", "recall", "f1"}: of the detections of at least that score. Without a truth all are
        NaN; without a detection recall and F1 are 0 and the others NaN.
    """
    nan = float("nan")
    if not counts.positives:
        return dict.fromkeys(("score_threshold", "precision", "recall", "f1"), nan)
    if not len(counts.scores):
        return {"score_threshold": nan, "precision": nan, "recall": 0.0, "f1": 0.0}
    # Only whole groups of equal scores can be accepted: a threshold cannot part them.
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
