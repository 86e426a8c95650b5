"""Anchors for a data set: k-means with IoU distance, and how well anchors fit its boxes."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolojax.boxes import xyxy_to_cxcywh
from yolojax.data.annotations import Record
from yolojax.data.augment import clip_boxes
from yolojax.data.images import letterbox_boxes, letterbox_transform
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.targets import overlaps_at_cells

_RESTARTS = 8
_LEAST_GAIN = 1e-4  # of mean IoU, for which another round is worth its time
_BLOCK = 1 << 16  # boxes: bounds the memory of the overlaps


class AnchorFit(NamedTuple):
    """How well anchors fit boxes; all are shares in [0, 1].

    Attributes:
        mean_iou: mean over boxes of the IoU with their best anchor, both centred on one point.
        recall: the best possible recall: boxes that an anchor at their cell's centre overlaps enough to answer for, rather
            than only because every box gets one.
        close: boxes whose best anchor, centred on them, has IoU > 0.5.
    """

    mean_iou: float
    recall: float
    close: float


def network_boxes(records: Sequence[Record], picture_sizes: Sequence[tuple[int, int]], size: tuple[int, int]) -> np.ndarray:
    """The boxes of all pictures as the network meets them without augmentation: clipped, then letterboxed.

    picture_sizes: (h, w) of each record's picture; size: (H, W) of the network's input; pixels.
    Returns: (n, 4) float32 xyxy in pixels of the input, without the boxes of which under a pixel is in their picture.
    """
    boxes = [np.zeros((0, 4), np.float32)]
    for record, picture_size in zip(records, picture_sizes, strict=True):
        clipped, _, _ = clip_boxes(record.boxes, record.classes, *picture_size)
        boxes.append(letterbox_boxes(clipped, letterbox_transform(picture_size, size)))
    return np.concatenate(boxes)


def find_anchors(boxes_xyxy: np.ndarray, grid: AnchorGrid, seed: int = 0) -> AnchorGrid:
    """The grid with the anchors of k-means on the boxes' widths and heights, by the distance 1 - IoU.

    Redmon and Farhadi 2017, arXiv:1612.08242, section 2, with k-means++ starts (Arthur and Vassilvitskii 2007) and the
    median of a cluster for its next anchor: it gave a higher mean IoU than their mean on every set tried. The best of
    several starts, a function of `seed`.

    boxes_xyxy: (n, 4) in pixels of the network's input.
    Returns: the grid with as many anchors on as many scales, by area, to a tenth of a pixel.
    Raises: InputError for fewer distinct widths and heights than anchors.
    """
    count = grid.num_scales * grid.anchors_per_scale
    sizes = _sizes(boxes_xyxy)
    distinct = len(np.unique(sizes.round(1), axis=0))
    if distinct < count:
        raise InputError(f"the boxes have {distinct} different sizes, too few for {count} anchors; add pictures with boxes")
    rng = np.random.default_rng(seed)
    anchors = max((_k_means(sizes, count, rng) for _ in range(_RESTARTS)), key=lambda found: found[0])[1]
    anchors = anchors[np.argsort(anchors.prod(axis=1), kind="stable")].round(1)
    return dataclasses.replace(grid, anchors=anchors.reshape(grid.num_scales, -1, 2).tolist())


def anchor_fit(boxes_xyxy: np.ndarray, grid: AnchorGrid, iou_threshold: float = 0.3) -> AnchorFit:
    """Measure how well a grid's anchors fit boxes.

    boxes_xyxy: (n, 4) in pixels of the network's input; iou_threshold: over which an anchor answers for a box (`assign`).
    Raises: InputError where there are no boxes.
    """
    if not len(boxes_xyxy):
        raise InputError("there are no boxes to measure anchors on; add pictures with boxes")
    best = _shape_iou(_sizes(boxes_xyxy), np.reshape(grid.anchors, (-1, 2))).max(axis=1)
    reached = 0
    for first in range(0, len(boxes_xyxy), _BLOCK):
        boxes = xyxy_to_cxcywh(np.asarray(boxes_xyxy[first : first + _BLOCK], np.float64))
        _, overlaps = overlaps_at_cells(boxes, grid)
        reached += int((overlaps > iou_threshold).any(axis=(1, 2)).sum())
    return AnchorFit(float(best.mean()), reached / len(boxes_xyxy), float((best > 0.5).mean()))


def _sizes(boxes_xyxy):
    return np.asarray(boxes_xyxy[:, 2:], np.float64) - boxes_xyxy[:, :2]


def _shape_iou(sizes, anchors):
    """IoU of boxes (n, 2) with anchors (k, 2), width and height, on one centre: (n, k)."""
    intersection = np.minimum(sizes[:, :1], anchors[:, 0]) * np.minimum(sizes[:, 1:], anchors[:, 1])
    return intersection / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - intersection)


def _k_means(sizes, count, rng):
    """Mean IoU and anchors (count, 2) from one start."""
    anchors = sizes[[rng.integers(len(sizes))]]
    while len(anchors) < count:
        # As in k-means++ the next start is a box far from all before it; boxes like one of them are at distance 0.
        weight = (1 - _shape_iou(sizes, anchors).max(axis=1)).clip(0) ** 2
        anchors = np.vstack([anchors, sizes[rng.choice(len(sizes), p=weight / weight.sum())]])
    best_iou, best_anchors = 0.0, anchors
    while True:
        overlaps = _shape_iou(sizes, anchors)
        gain = overlaps.max(axis=1).mean() - best_iou
        # A median need not raise the mean IoU, so the better anchors may be those before it.
        if gain > 0:
            best_iou, best_anchors = best_iou + gain, anchors
        if gain < _LEAST_GAIN:
            return best_iou, best_anchors
        nearest = overlaps.argmax(axis=1)
        clusters = [sizes[nearest == anchor] for anchor in range(count)]
        anchors = np.array([np.median(c, axis=0) if len(c) else a for c, a in zip(clusters, anchors, strict=True)])
