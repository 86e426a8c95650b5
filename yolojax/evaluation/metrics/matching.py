"""Which detection matches which truth: one greedy assignment, for all images at once, under the rules of VOC and of COCO."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolojax.boxes import iou
from yolojax.evaluation.metrics.inputs import FlatDetections, FlatTruths, ImageDetections, ImageTruths, flatten

IOU_THRESHOLD = 0.5  # of every number other than VOC's and COCO's average precision and recall
# Area in square pixels of the original image; both ends belong to the range, as in COCO.
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
ALL_SIZES = (0, 1e10)
MAX_DETECTIONS = 100  # per image and class

_PAIRS_AT_ONCE = 1 << 20


class Pairs(NamedTuple):
    """Detections and truths that overlap, sorted by detection, then by truth.

    Attributes:
        detections: (p,) int64, positions among the detections.
        truths: (p,) int64, positions among the truths.
        overlaps: (p,) float64, IoU, or the share of the detection inside a crowd.
    """

    detections: np.ndarray
    truths: np.ndarray
    overlaps: np.ndarray

    def take(self, rows: np.ndarray) -> "Pairs":
        """Selects pairs by their positions or by a boolean mask."""
        return Pairs(self.detections[rows], self.truths[rows], self.overlaps[rows])


class Outcome(NamedTuple):
    """How detections, sorted by falling score, were matched.

    Attributes:
        truths: (d,) int64, the position of the truth that each detection matched, or -1.
        ignored: (d,) bool, detections that count neither for nor against. The others are true positives if they matched a
            truth, and false positives if not.
        counted: (t,) bool, truths that should be detected.
    """

    truths: np.ndarray
    ignored: np.ndarray
    counted: np.ndarray

    @property
    def true_positive(self) -> np.ndarray:
        """(d,) bool, detections that matched a truth that counts."""
        return (self.truths >= 0) & ~self.ignored


def area(boxes_xyxy: np.ndarray) -> np.ndarray:
    """Area of boxes, 0 for inverted ones; (n, 4) -> (n,)."""
    return np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0).prod(axis=1)


def by_score(detections: FlatDetections) -> tuple[FlatDetections, np.ndarray]:
    """Sorts detections by falling score; equal scores keep their order.

    Returns:
        The sorted detections, and their positions before sorting, (d,) int64.
    """
    order = np.argsort(-detections.scores, kind="stable")
    return detections.take(order), order


def group_keys(detections: FlatDetections, truths: FlatTruths) -> tuple[np.ndarray, np.ndarray]:
    """Numbers every combination of image and class; returns that number for each detection (d,) and truth (t,)."""
    classes = max(detections.classes.max(initial=0), truths.classes.max(initial=0)) + 1
    return detections.pictures * classes + detections.classes, truths.pictures * classes + truths.classes


def strongest(detections: FlatDetections, max_detections: int = MAX_DETECTIONS) -> FlatDetections:
    """Keeps the first `max_detections` per image and class of detections sorted by falling score."""
    key = detections.pictures * (detections.classes.max(initial=0) + 1) + detections.classes
    return detections.take(rank_in_group(key) < max_detections)


def rank_in_group(keys: np.ndarray) -> np.ndarray:
    """The place of each entry among those with the same key, from 0, in their order; (n,) -> (n,) int64."""
    order = np.argsort(keys, kind="stable")
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = np.arange(len(keys)) - np.searchsorted(keys[order], keys[order], side="left")
    return ranks


def overlapping_pairs(
    detections: FlatDetections,
    truths: FlatTruths,
    minimum: float,
    *,
    across_classes: bool = False,
    crowds: bool = False,
) -> Pairs:
    """All pairs of a detection and a truth of the same image and class with an IoU of at least `minimum`.

    Args:
        detections: in any order.
        truths: in any order.
        minimum: above 0.
        across_classes: also pair different classes.
        crowds: for ignored truths, use the share of the detection that lies inside in place of IoU, as COCO does.
    """
    keys, truth_keys = (detections.pictures, truths.pictures) if across_classes else group_keys(detections, truths)
    by_key = np.argsort(truth_keys, kind="stable")
    start = np.searchsorted(truth_keys[by_key], keys, side="left")
    count = np.searchsorted(truth_keys[by_key], keys, side="right") - start

    parts = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    active = np.flatnonzero(count)
    # In portions: an image with thousands of detections and of truths has tens of millions of pairs, few of which overlap.
    portion = np.cumsum(count[active]) // _PAIRS_AT_ONCE
    for group in np.split(active, np.flatnonzero(np.diff(portion)) + 1):
        ends = np.cumsum(count[group])
        detection_rows = np.repeat(group, count[group])
        offsets = np.repeat(start[group] - ends + count[group], count[group])
        truth_rows = by_key[np.arange(len(detection_rows)) + offsets]
        boxes, truth_boxes = detections.boxes_xyxy[detection_rows], truths.boxes_xyxy[truth_rows]
        overlaps = iou(boxes, truth_boxes)
        if crowds:
            crowd = truths.ignored[truth_rows]
            overlaps[crowd] = _share_inside(boxes[crowd], truth_boxes[crowd])
        parts.append(Pairs(detection_rows, truth_rows, overlaps).take(overlaps >= minimum))
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def assign_greedily(
    pairs: Pairs, num_detections: int, num_truths: int, shared: np.ndarray, *, settle: bool = True
) -> np.ndarray:
    """Gives each detection, by falling score, the first truth of its list that is still free.

    All detections propose at once; a truth keeps the one with the highest score, and the others propose to their next
    truth. Every truth prefers the same detections, so the result of this deferred acceptance (Gale and Shapley 1962) is
    the same as if one detection after another chose.

    Args:
        pairs: sorted by detection; the truths of one detection are in its order of preference.
        num_detections: d, the number of detections, which are sorted by falling score.
        num_truths: t, the number of truths.
        shared: (t,) bool, truths that any number of detections can have.
        settle: whether a detection takes another truth when its first choice is gone.

    Returns:
        (d,) int64, the position of each detection's truth, or -1.
    """
    turn = np.searchsorted(pairs.detections, np.arange(num_detections), side="left")
    end = np.searchsorted(pairs.detections, np.arange(num_detections), side="right")
    taken = np.full(num_detections, -1)
    holder = np.full(num_truths, num_detections)  # this number stands for "no detection"
    asking = np.flatnonzero(turn < end)
    while len(asking):
        wanted = pairs.truths[turn[asking]]
        taken[asking] = wanted
        contested = ~shared[wanted]
        wanted, rivals = wanted[contested], asking[contested]
        rivals = np.union1d(rivals, holder[wanted])
        rivals = rivals[rivals < num_detections]
        np.minimum.at(holder, taken[rivals], rivals)
        refused = rivals[holder[taken[rivals]] != rivals]
        taken[refused] = -1
        if not settle:
            break
        turn[refused] += 1
        asking = refused[turn[refused] < end[refused]]
    return taken


def match_as_coco(
    detections: FlatDetections,
    truths: FlatTruths,
    *,
    iou_threshold: float = IOU_THRESHOLD,
    area_range: tuple[float, float] = ALL_SIZES,
) -> Outcome:
    """Matches by the rules of the COCO evaluation, as implemented in `pycocotools.cocoeval`.

    By falling score, each detection takes the free truth of its image and class that it overlaps most (the last one of a
    tie), or, only if none is free, an ignored one. Crowds and truths whose area is out of range are ignored: detections
    that match them count neither for nor against, nor do detections out of range that match nothing. Any number of
    detections can match one crowd.

    Args:
        detections: sorted by falling score (`by_score`) and limited to the strongest (`strongest`).
        truths: in any order.
        iou_threshold: the smallest IoU of a match, in (0, 1).
        area_range: smallest and largest area in square pixels.
    """

    def out_of_range(boxes: np.ndarray) -> np.ndarray:
        return (area(boxes) < area_range[0]) | (area(boxes) > area_range[1])

    ignored = truths.ignored | out_of_range(truths.boxes_xyxy)
    pairs = overlapping_pairs(detections, truths, iou_threshold, crowds=True)
    pairs = pairs.take(np.lexsort((-pairs.truths, -pairs.overlaps, ignored[pairs.truths], pairs.detections)))
    matched = assign_greedily(pairs, len(detections.scores), len(ignored), truths.ignored)
    forgiven = np.where(matched >= 0, np.append(ignored, False)[matched], out_of_range(detections.boxes_xyxy))
    return Outcome(matched, forgiven, ~ignored)


def flatten_and_match(
    detections: Sequence[ImageDetections], truths: Sequence[ImageTruths], *, iou_threshold: float = IOU_THRESHOLD
) -> tuple[FlatDetections, FlatTruths, Outcome]:
    """Matches lists over images as `match_as_coco` does.

    Args:
        detections: one entry per image.
        truths: one entry per image, for the same images in the same order.
        iou_threshold: the smallest IoU of a match, in (0, 1).

    Returns:
        The detections, sorted by falling score and limited to the strongest, the truths, and how they were matched.

    Raises:
        ValueError: inputs that `flatten` refuses.
    """
    flat_detections, flat_truths = flatten(detections, truths)
    flat_detections = strongest(by_score(flat_detections)[0])
    return flat_detections, flat_truths, match_as_coco(flat_detections, flat_truths, iou_threshold=iou_threshold)


def _share_inside(boxes: np.ndarray, containers: np.ndarray) -> np.ndarray:
    inside = np.concatenate([np.maximum(boxes[:, :2], containers[:, :2]), np.minimum(boxes[:, 2:], containers[:, 2:])], axis=1)
    whole = area(boxes)
    return area(inside) / np.where(whole > 0, whole, 1)
