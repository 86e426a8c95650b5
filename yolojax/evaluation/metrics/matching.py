"""Which detection finds which truth: one greedy assignment, for all pictures at once, under the rules of VOC and of COCO."""

from typing import NamedTuple

import numpy as np

from yolojax.boxes import iou
from yolojax.evaluation.metrics.inputs import FlatDetections

# Area in square pixels of the original picture, both ends included, as COCO has them.
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
ALL_SIZES = (0, 1e10)
MAX_DETECTIONS = 100

_PAIRS_AT_ONCE = 1 << 20


class Pairs(NamedTuple):
    """FlatDetections and truths that overlap: places (p,) int64 each, by rising detection and truth, and overlaps (p,)."""

    detections: np.ndarray
    truths: np.ndarray
    overlaps: np.ndarray


class Outcome(NamedTuple):
    """What became of detections that were sorted by falling score.

    Attributes:
        truths: (d,) int64, the place of the truth that a detection found, or -1.
        ignored: (d,) bool, detections that count neither for nor against. The others are true positives where they found
            a truth, and false positives where they did not.
        counted: (t,) bool, the truths that should be found.
    """

    truths: np.ndarray
    ignored: np.ndarray
    counted: np.ndarray

    @property
    def true_positive(self):
        """(d,) bool, detections that found a truth that counts."""
        return (self.truths >= 0) & ~self.ignored


def area(boxes_xyxy):
    """Area of boxes, 0 for inverted ones; (n, 4) -> (n,)."""
    return np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 0).prod(axis=1)


def by_score(found):
    """Sorts FlatDetections by falling score, equals in the order given; returns them and their former places (d,)."""
    order = np.argsort(-found.scores, kind="stable")
    return FlatDetections(*(column[order] for column in found)), order


def group_keys(found, expected):
    """A number for each picture and class, the same for both; FlatDetections, Truths -> (d,) int64, (t,) int64."""
    classes = max(found.classes.max(initial=0), expected.classes.max(initial=0)) + 1
    return found.pictures * classes + found.classes, expected.pictures * classes + expected.classes


def strongest(found, max_detections=MAX_DETECTIONS):
    """Leaves out what exceeds so many detections of a class in a picture; FlatDetections by falling score -> the same."""
    key, _ = group_keys(found, found)
    order = np.argsort(key, kind="stable")
    place = np.arange(len(key)) - np.searchsorted(key[order], key[order], side="left")
    kept = np.sort(order[place < max_detections])
    return FlatDetections(*(column[kept] for column in found))


def overlapping_pairs(found, expected, minimum, *, across_classes=False, crowds=False):
    """All pairs of a detection and a truth of one picture whose IoU is at least `minimum`.

    Args:
        found: FlatDetections.
        expected: FlatTruths.
        minimum: above 0.
        across_classes: pairs of different classes too.
        crowds: for ignored truths, the share of the detection that lies inside takes the place of IoU, as in COCO.

    Returns:
        Pairs.
    """
    keys, truth_keys = (found.pictures, expected.pictures) if across_classes else group_keys(found, expected)
    by_key = np.argsort(truth_keys, kind="stable")
    start = np.searchsorted(truth_keys[by_key], keys, side="left")
    count = np.searchsorted(truth_keys[by_key], keys, side="right") - start

    parts = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    active = np.flatnonzero(count)
    # In portions: a picture with thousands of boxes on either side has tens of millions of pairs, of which few overlap.
    portion = np.cumsum(count[active]) // _PAIRS_AT_ONCE
    for group in np.split(active, np.flatnonzero(np.diff(portion)) + 1):
        ends = np.cumsum(count[group])
        detections = np.repeat(group, count[group])
        truths = by_key[np.arange(len(detections)) + np.repeat(start[group] - ends + count[group], count[group])]
        boxes, others = found.boxes_xyxy[detections], expected.boxes_xyxy[truths]
        overlaps = iou(boxes, others)
        if crowds:
            crowd = expected.ignored[truths]
            overlaps[crowd] = _share_inside(boxes[crowd], others[crowd])
        kept = overlaps >= minimum
        parts.append(Pairs(detections[kept], truths[kept], overlaps[kept]))
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


def assign_greedily(pairs, detections, truths, shared, *, settle=True):
    """Gives every detection, by falling score, the first truth of its list that is still free.

    All detections ask at once; a truth keeps the one of highest score, and the others ask for their next. As every truth
    prefers the same detections, what this ends at (Gale and Shapley 1962, deferred acceptance) is what one detection after
    the other would get.

    Args:
        pairs: Pairs by rising detection, each one's truths in the order in which it wants them.
        detections: their number; they are sorted by falling score.
        truths: their number.
        shared: (truths,) bool, truths that are free for any number of detections.
        settle: a detection takes another truth when its first choice is gone.

    Returns:
        (detections,) int64, places of truths, or -1.
    """
    turn = np.searchsorted(pairs.detections, np.arange(detections), side="left")
    end = np.searchsorted(pairs.detections, np.arange(detections), side="right")
    taken = np.full(detections, -1)
    holder = np.full(truths, detections)  # that number stands for nobody
    asking = np.flatnonzero(turn < end)
    while len(asking):
        wanted = pairs.truths[turn[asking]]
        taken[asking] = wanted
        contested = ~shared[wanted]
        wanted, rivals = wanted[contested], asking[contested]
        rivals = np.union1d(rivals, holder[wanted])
        rivals = rivals[rivals < detections]
        np.minimum.at(holder, taken[rivals], rivals)
        refused = rivals[holder[taken[rivals]] != rivals]
        taken[refused] = -1
        if not settle:
            break
        turn[refused] += 1
        asking = refused[turn[refused] < end[refused]]
    return taken


def match_as_coco(found, expected, *, iou_threshold=0.5, area_range=ALL_SIZES):
    """Matches by the rules of the COCO evaluation, as `pycocotools.cocoeval` has them.

    By falling score, a detection takes the free truth of its class and picture that it overlaps most (the last of equals),
    and only if there is none an ignored one. Crowds, and truths whose area is out of range, are ignored: what finds them
    counts neither way, nor do detections out of range that find nothing. A crowd can be found many times.

    Args:
        found: FlatDetections by falling score (`by_score`), cut to the strongest ones (`strongest`).
        expected: FlatTruths.
        iou_threshold: a detection finds a truth at this IoU or above, in (0, 1).
        area_range: (smallest, largest) area in square pixels.

    Returns:
        Outcome.
    """

    def outside(boxes):
        return (area(boxes) < area_range[0]) | (area(boxes) > area_range[1])

    ignored = expected.ignored | outside(expected.boxes_xyxy)
    pairs = overlapping_pairs(found, expected, iou_threshold, crowds=True)
    order = np.lexsort((-pairs.truths, -pairs.overlaps, ignored[pairs.truths], pairs.detections))
    pairs = Pairs(*(column[order] for column in pairs))
    truths = assign_greedily(pairs, len(found.scores), len(ignored), expected.ignored)
    forgiven = np.where(truths >= 0, np.append(ignored, False)[truths], outside(found.boxes_xyxy))
    return Outcome(truths, forgiven, ~ignored)


def _share_inside(boxes, containers):
    inside = np.concatenate([np.maximum(boxes[:, :2], containers[:, :2]), np.minimum(boxes[:, 2:], containers[:, 2:])], axis=1)
    whole = area(boxes)
    return area(inside) / np.where(whole > 0, whole, 1)
