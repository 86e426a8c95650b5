"""Average precision as the PASCAL VOC development kit computes it, without its extra pixel of box size."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from yolojax.evaluation.metrics.inputs import ImageDetections, ImageTruths, flatten
from yolojax.evaluation.metrics.matching import assign_greedily, by_score, overlapping_pairs


class Matches(NamedTuple):
    """How the detections of one class, sorted by falling score, were matched.

    Attributes:
        scores: (k,) float64.
        true_positive: (k,) bool, the first detection of a truth that counts.
        ignored: (k,) bool, detections of a difficult truth: neither true nor false positives. The rest are false positives.
        detections: (k,) int64, positions among the detections of all images, concatenated.
        truths: (k,) int64, positions among the truths of all images, concatenated: the truth of the same class and image
            with the largest IoU, or -1 if that IoU does not reach the threshold.
        positives: number of truths that count: those that are not difficult.
    """

    scores: np.ndarray
    true_positive: np.ndarray
    ignored: np.ndarray
    detections: np.ndarray
    truths: np.ndarray
    positives: int


def average_precision(
    detections: Sequence[ImageDetections],
    truths: Sequence[ImageTruths],
    *,
    iou_threshold: float = 0.5,
    method: Literal["area", "11point"] = "area",
) -> dict[int, float]:
    """Average precision of every class that has truths, by the rules of the PASCAL VOC development kit.

    Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", section 4.2, for the matching and
    "11point"; "area" is the challenge's measure since 2010. No pixel is added to the width or height of a box.

    Args:
        detections: one (boxes (k, 4) xyxy in pixels, scores (k,), class ids (k,)) per image.
        truths: one (boxes (n, 4) xyxy in pixels, class ids (n,)) or (..., difficult (n,) bool) per image, for the same
            images in the same order.
        iou_threshold: the smallest IoU of a match, in (0, 1].
        method: "area", the area under the envelope of precision (at each recall, the best precision at or above that
            recall), or "11point", the mean of the envelope at recalls 0, 0.1 ... 1.

    Returns:
        {class id: average precision in [0, 1]}, in rising order, for the classes with at least one truth that is not
        difficult (0.0 if it was never detected). Other classes are left out, as their recall is undefined; so the mean of
        the values is the mAP.

    Raises:
        ValueError: unknown method, threshold out of range, or inputs that `flatten` refuses.
    """
    return precision_of_matches(match(detections, truths, iou_threshold=iou_threshold), method)


def precision_of_matches(by_class: Mapping[int, Matches], method: Literal["area", "11point"]) -> dict[int, float]:
    """`average_precision` of detections that `match` has matched already.

    Args:
        by_class: result of `match`.
        method: as for `average_precision`.

    Returns:
        {class id: average precision}, as `average_precision`.

    Raises:
        ValueError: unknown method.
    """
    if method not in ("area", "11point"):
        raise ValueError(f'method is {method!r}, expected "area" or "11point"')
    measure = _area_under_envelope if method == "area" else _eleven_point_mean
    return {class_id: measure(*precision_recall(matches)[:2]) for class_id, matches in by_class.items() if matches.positives}


def match(
    detections: Sequence[ImageDetections], truths: Sequence[ImageTruths], *, iou_threshold: float = 0.5
) -> dict[int, Matches]:
    """Compares each detection with the truth of its class and image that it overlaps most (the first one of a tie).

    The detection of a truth with the highest score is a true positive. Later detections of the same truth are false
    positives, and so are detections that do not overlap any truth enough. Equal scores keep the order of the lists.

    Args:
        detections: as for `average_precision`.
        truths: as for `average_precision`.
        iou_threshold: the smallest IoU of a match, in (0, 1].

    Returns:
        {class id: Matches}, in rising order, for every class of a detection or truth.

    Raises:
        ValueError: threshold out of range, or inputs that `flatten` refuses.
    """
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold is {iou_threshold}, expected a number above 0 and at most 1")
    flat_detections, flat_truths = flatten(detections, truths)
    flat_detections, order = by_score(flat_detections)
    pairs = overlapping_pairs(flat_detections, flat_truths, iou_threshold)
    pairs = pairs.take(np.lexsort((pairs.truths, -pairs.overlaps, pairs.detections)))
    best_truth = np.full(len(order), -1)
    overlapping, first = np.unique(pairs.detections, return_index=True)
    best_truth[overlapping] = pairs.truths[first]
    # A detection claims its best truth even if another has claimed it: it never settles for the second best.
    claimed = assign_greedily(pairs, len(order), len(flat_truths.ignored), flat_truths.ignored, settle=False)
    ignored = np.zeros(len(order), bool)
    ignored[overlapping] = flat_truths.ignored[best_truth[overlapping]]
    true_positive = (claimed >= 0) & ~ignored

    by_class = {}
    for class_id in np.union1d(flat_detections.classes, flat_truths.classes).tolist():
        rows = flat_detections.classes == class_id
        by_class[class_id] = Matches(
            scores=flat_detections.scores[rows],
            true_positive=true_positive[rows],
            ignored=ignored[rows],
            detections=order[rows],
            truths=best_truth[rows],
            positives=int(np.count_nonzero((flat_truths.classes == class_id) & ~flat_truths.ignored)),
        )
    return by_class


def precision_recall(matches: Matches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall of one class as detections are accepted down to each score.

    Args:
        matches: the matches of one class.

    Returns:
        Precision, recall and scores, (k,) float64 each, by falling score, one entry for every detection that is not
        ignored; recall is NaN if the class has no truth that counts.
    """
    counted = ~matches.ignored
    true_positives = np.cumsum(matches.true_positive[counted])
    precision = true_positives / np.arange(1, len(true_positives) + 1)
    recall = true_positives / matches.positives if matches.positives else np.full(len(true_positives), np.nan)
    return precision, recall, matches.scores[counted]


def _envelope(precision: np.ndarray) -> np.ndarray:
    # Precision at a recall is the best that any larger recall still reaches.
    return np.maximum.accumulate(precision[::-1])[::-1]


def _area_under_envelope(precision: np.ndarray, recall: np.ndarray) -> float:
    return float(np.sum(np.diff(recall, prepend=0.0) * _envelope(precision)))


def _eleven_point_mean(precision: np.ndarray, recall: np.ndarray) -> float:
    # Divided, not multiplied: 3 * 0.1 is above the recall 3/10, and would miss it.
    first_reaching = np.searchsorted(recall, np.arange(11) / 10, side="left")
    return float(np.append(_envelope(precision), 0.0)[first_reaching].mean())
