"""COCO's precision and recall from flat arrays, for more detections than pycocotools has memory for.

pycocotools keeps some 5 kB of Python objects a detection; here it is some 100 bytes. tests/evaluation/metrics compares the two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths
from yolojax.evaluation.metrics.matching import (
    ALL_SIZES,
    MAX_DETECTIONS,
    SIZES,
    Pairs,
    area,
    assign_greedily,
    group_keys,
    overlapping_pairs,
)

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = (ALL_SIZES, *SIZES.values())
DETECTIONS = (1, 10, MAX_DETECTIONS)


class Accumulated(NamedTuple):
    """What pycocotools calls `eval`; -1 where no truth of a class and size counts.

    Attributes:
        precision: (10 IoU thresholds, 101 recalls, C classes, 4 sizes), at 100 detections per image.
        recall: (10 IoU thresholds, C classes, 4 sizes, 3 numbers of detections).
    """

    precision: np.ndarray
    recall: np.ndarray


def accumulate(detections: FlatDetections, truths: FlatTruths, classes: Sequence[int]) -> Accumulated:
    """Matches detections with truths at every IoU threshold and size, and accumulates precision over recall.

    The rules are those of `pycocotools.cocoeval.COCOeval` (`evaluateImg` and `accumulate`), for all images of a class at once.

    Args:
        detections: sorted by falling score (`by_score`) and limited to the strongest (`strongest`).
        truths: in any order.
        classes: the classes to report, ascending.
    """
    precision = -np.ones((len(IOU_THRESHOLDS), len(RECALLS), len(classes), len(AREAS)))
    recall = -np.ones((len(IOU_THRESHOLDS), len(classes), len(AREAS), len(DETECTIONS)))
    pairs = overlapping_pairs(detections, truths, IOU_THRESHOLDS[0], crowds=True)
    # Few detections overlap a truth: only these are matched, and the others keep their place as false positives.
    active, pair_rows = np.unique(pairs.detections, return_inverse=True)
    rows_of = [np.flatnonzero(detections.classes == class_id) for class_id in classes]
    ranks = _ranks_in_groups(detections, truths)
    areas, truth_areas = area(detections.boxes_xyxy), area(truths.boxes_xyxy)
    for place, (low, high) in enumerate(AREAS):
        ignored = truths.ignored | (truth_areas < low) | (truth_areas > high)
        positives = np.bincount(truths.classes[~ignored], minlength=max(classes) + 1)[list(classes)]
        # Preference: truths that count, then the largest overlap, then the last truth.
        preferred = np.lexsort((-pairs.truths, -pairs.overlaps, ignored[pairs.truths], pair_rows))
        ordered = Pairs(pair_rows[preferred], pairs.truths[preferred], pairs.overlaps[preferred])
        outside = (areas < low) | (areas > high)
        for number, threshold in enumerate(IOU_THRESHOLDS):
            near = ordered.take(ordered.overlaps >= threshold)
            matched = assign_greedily(near, len(active), len(ignored), truths.ignored)
            forgiven, correct = outside.copy(), np.zeros(len(outside), bool)
            found = matched >= 0
            forgiven[active[found]] = ignored[matched[found]]
            correct[active[found]] = ~ignored[matched[found]]
            for column, rows in enumerate(rows_of):
                if positives[column]:
                    counted = rows[~forgiven[rows]]
                    hits = correct[counted]
                    precision[number, :, column, place] = _precision_at_recalls(hits, positives[column])
                    for last, most in enumerate(DETECTIONS):
                        within = hits & (ranks[counted] < most)
                        recall[number, column, place, last] = within.sum() / positives[column]
    return Accumulated(precision, recall)


def summary(accumulated: Accumulated) -> list[float]:
    """The twelve numbers of COCO, in the order of `coco.METRICS`; -1 where nothing counts."""
    precision, recall = accumulated
    averages = [precision, precision[0], precision[5]]
    numbers = [_mean(values[..., 0]) for values in averages] + [_mean(precision[..., place]) for place in (1, 2, 3)]
    numbers += [_mean(recall[:, :, 0, last]) for last in range(len(DETECTIONS))]
    return numbers + [_mean(recall[:, :, place, -1]) for place in (1, 2, 3)]


def _mean(values: np.ndarray) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if len(defined) else -1.0


def _precision_at_recalls(correct: np.ndarray, positives: int) -> np.ndarray:
    """The best precision at or above each of `RECALLS`, 0 beyond the largest recall; `correct` by falling score."""
    places = np.flatnonzero(correct)
    found = np.arange(1, len(places) + 1)
    # The small number is COCO's: it keeps 0 / 0 defined.
    precision = found / (places + 1 - found + found + np.spacing(1))
    best = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(found / positives, RECALLS, side="left")
    return np.append(best, 0.0)[np.minimum(first, len(best))]


def _ranks_in_groups(detections: FlatDetections, truths: FlatTruths) -> np.ndarray:
    """How many detections of the same image and class score higher, (d,)."""
    keys, _ = group_keys(detections, truths)
    order = np.argsort(keys, kind="stable")
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.arange(len(keys)) - np.searchsorted(keys[order], keys[order], side="left")
    return ranks
