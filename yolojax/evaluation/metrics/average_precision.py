"""Average precision as the PASCAL VOC development kit computes it, without its extra pixel of box size."""

from typing import NamedTuple

import numpy as np

from yolojax.evaluation.metrics.inputs import flatten
from yolojax.evaluation.metrics.matching import Pairs, assign_greedily, by_score, overlapping_pairs


class Matches(NamedTuple):
    """What became of one class's detections, by falling score.

    Attributes:
        scores: (k,) float64.
        true_positive: (k,) bool, the first detection of a truth that counts.
        ignored: (k,) bool, detections of a difficult truth: neither true nor false positives. All others are false.
        detections: (k,) int64, places in the detections of all pictures laid end to end.
        truths: (k,) int64, places in the truths of all pictures laid end to end: the truth of the same class and
            picture of largest IoU, or -1 where that IoU does not reach the threshold.
        positives: number of truths that count, those not difficult.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray
    detections: np.ndarray
    truths: np.ndarray
    positives: int


def average_precision(detections, truths, *, iou_threshold=0.5, method="area"):
    """Average precision of every class that has a truth, by the rules of the PASCAL VOC development kit.

    Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", section 4.2, for the matching and
    "11point"; "area" is the challenge's measure since 2010. No pixel is added to a box's width or height.

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)), boxes in pixels.
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) or (..., difficult (n,) bool).
        iou_threshold: a detection finds a truth at this IoU or above, in (0, 1].
        method: "area", the area under the envelope of precision (at each recall, the best precision at that recall or
            above), or "11point", the mean of the envelope at recalls 0, 0.1 ... 1.

    Returns:
        {class: average precision in [0, 1]}, by rising class, for the classes with at least one truth that is not
        difficult (0.0 where it was never detected); for any other class recall has no meaning, and it is left out, so
        that the mean of the values is the mAP.

    Raises:
        ValueError: unknown method, threshold out of range, or inputs that `flatten` refuses.
    """
    if method not in ("area", "11point"):
        raise ValueError(f'method is {method!r}, expected "area" or "11point"')
    measure = _area_under_envelope if method == "area" else _eleven_point_mean
    matches = match(detections, truths, iou_threshold=iou_threshold)
    return {name: measure(*precision_recall(found)[:2]) for name, found in matches.items() if found.positives}


def match(detections, truths, *, iou_threshold=0.5):
    """Compares each detection with the truth of its class and picture that it overlaps most (the first of equals).

    The detection of highest score is a true positive, later ones of the same truth are false positives, as are
    detections that overlap no truth enough; equal scores keep the order of the lists. Arguments and errors are those of
    `average_precision`.

    Returns:
        {class: Matches}, by rising class, for every class among the detections or truths.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold is {iou_threshold}, expected a number above 0 and at most 1")
    found, expected = flatten(detections, truths)
    found, order = by_score(found)
    pairs = overlapping_pairs(found, expected, iou_threshold)
    preferred = np.lexsort((pairs.truths, -pairs.overlaps, pairs.detections))
    pairs = Pairs(*(column[preferred] for column in pairs))
    truth = np.full(len(order), -1)
    asking, first = np.unique(pairs.detections, return_index=True)
    truth[asking] = pairs.truths[first]
    # A detection claims its best truth even if another has claimed it: it never settles for the second best.
    claimed = assign_greedily(pairs, len(order), len(expected.ignored), expected.ignored, settle=False)
    ignored = np.zeros(len(order), bool)
    ignored[asking] = expected.ignored[truth[asking]]
    true_positive = (claimed >= 0) & ~ignored

    matches = {}
    for name in np.union1d(found.classes, expected.classes).tolist():
        here = found.classes == name
        positives = int(np.count_nonzero((expected.classes == name) & ~expected.ignored))
        columns = (column[here] for column in (found.scores, true_positive, ignored, order, truth))
        matches[name] = Matches(*columns, positives)
    return matches


def precision_recall(matches):
    """Precision and recall of one class when detections are accepted down to each score.

    Args:
        matches: the Matches of one class.

    Returns:
        precision, recall, scores: (k,) float64 each, by falling score, one entry for every detection that is not
        ignored; recall is NaN where the class has no truth that counts.
    """
    counted = ~matches.ignored
    true_positives = np.cumsum(matches.true_positive[counted])
    precision = true_positives / np.arange(1, len(true_positives) + 1)
    recall = true_positives / matches.positives if matches.positives else np.full(len(true_positives), np.nan)
    return precision, recall, matches.scores[counted]


def _envelope(precision):
    # Precision at a recall is the best that any larger recall still reaches.
    return np.maximum.accumulate(precision[::-1])[::-1]


def _area_under_envelope(precision, recall):
    return float(np.sum(np.diff(recall, prepend=0.0) * _envelope(precision)))


def _eleven_point_mean(precision, recall):
    # Divided, not multiplied: 3 * 0.1 is above the recall 3/10, and would miss it.
    first_reaching = np.searchsorted(recall, np.arange(11) / 10, side="left")
    return float(np.append(_envelope(precision), 0.0)[first_reaching].mean())
