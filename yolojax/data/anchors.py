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
from yolojax.targets import fits_by_ratio, overlaps_at_cells

_RESTARTS = 8
_LEAST_GAIN = 1e-4  # of mean IoU, for which another round is worth its time
_BLOCK = 1 << 16  # boxes: bounds the memory of the overlaps


class AnchorFit(NamedTuple):
    """How well anchors fit boxes; all are shares in [0, 1].

    Attributes:
        mean_iou: mean over boxes of the IoU with their best anchor, both centred on one point.
        recall: the best possible recall: boxes that some anchor at the centre of their cell overlaps by more than the
            threshold of the assignment, or by rule "ratio", whose sides are within the factor of some anchor's. (The others are
            assigned to their best anchor, but it fits them badly.)
        close: boxes whose best anchor, centred on them, has IoU > 0.5.
    """

    mean_iou: float
    recall: float
    close: float


def network_boxes(
    records: Sequence[Record], picture_sizes: Sequence[tuple[int, int]], size: tuple[int, int], *, stretch: bool = False
) -> np.ndarray:
    """Collect the boxes of all pictures as the network sees them without augmentation: clipped, then fitted to the input.

    Args:
        records: the pictures and their boxes.
        picture_sizes: (h, w) of each record's picture in pixels.
        size: (H, W) of the network's input in pixels.
        stretch: whether pictures are stretched to the input, not letterboxed.

    Returns:
        (n, 4) float32 xyxy in pixels of the input; boxes with less than a pixel inside their picture are left out.
    """
    boxes = [np.zeros((0, 4), np.float32)]
    for record, picture_size in zip(records, picture_sizes, strict=True):
        clipped, _, _ = clip_boxes(record.boxes, record.classes, *picture_size)
        if stretch:
            boxes.append(clipped * np.array([size[1] / picture_size[1], size[0] / picture_size[0]] * 2, np.float32))
        else:
            boxes.append(letterbox_boxes(clipped, letterbox_transform(picture_size, size)))
    return np.concatenate(boxes)


def find_anchors(boxes_xyxy: np.ndarray, grid: AnchorGrid, seed: int = 0) -> AnchorGrid:
    """Find anchors by k-means on the widths and heights of boxes, with the distance 1 - IoU.

    Redmon and Farhadi 2017, arXiv:1612.08242, section 2, with k-means++ starts (Arthur and Vassilvitskii 2007). The next
    anchor of a cluster is its median, which gave a higher mean IoU than its mean on every set tried. The result is the best
    of several starts.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input.
        grid: the number of scales and of anchors on each.
        seed: seed of the random starts.

    Returns:
        The grid with the new anchors, sorted by area and rounded to a tenth of a pixel.

    Raises:
        InputError: the boxes have fewer distinct sizes than there are anchors.
    """
    count = grid.num_scales * grid.anchors_per_scale
    sizes = _sizes(boxes_xyxy)
    distinct = len(np.unique(sizes.round(1), axis=0))
    if distinct < count:
        raise InputError(f"the boxes have {distinct} different sizes, too few for {count} anchors; add pictures with boxes")
    rng = np.random.default_rng(seed)
    anchors = max((_k_means(sizes, count, rng) for _ in range(_RESTARTS)), key=lambda result: result[0])[1]
    anchors = anchors[np.argsort(anchors.prod(axis=1), kind="stable")].round(1)
    return dataclasses.replace(grid, anchors=anchors.reshape(grid.num_scales, -1, 2).tolist())


def anchor_fit(boxes_xyxy: np.ndarray, grid: AnchorGrid, iou_threshold: float = 0.3, ratio: float | None = None) -> AnchorFit:
    """Measure how well a grid's anchors fit boxes.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input.
        grid: the anchors.
        iou_threshold: the IoU above which `assign` makes an anchor responsible for a box.
        ratio: for rule "ratio", its factor, which then takes the place of the threshold.

    Raises:
        InputError: there are no boxes.
    """
    if not len(boxes_xyxy):
        raise InputError("there are no boxes to measure anchors on; add pictures with boxes")
    best = _shape_iou(_sizes(boxes_xyxy), np.reshape(grid.anchors, (-1, 2))).max(axis=1)
    recalled = 0
    for first in range(0, len(boxes_xyxy), _BLOCK):
        boxes = xyxy_to_cxcywh(np.asarray(boxes_xyxy[first : first + _BLOCK], np.float64))
        if ratio is None:
            _, overlaps = overlaps_at_cells(boxes, grid)
            reached = overlaps > iou_threshold
        else:
            reached = fits_by_ratio(boxes, grid, ratio)
        recalled += int(reached.any(axis=(1, 2)).sum())
    return AnchorFit(float(best.mean()), recalled / len(boxes_xyxy), float((best > 0.5).mean()))


def _sizes(boxes_xyxy: np.ndarray) -> np.ndarray:
    return np.asarray(boxes_xyxy[:, 2:], np.float64) - boxes_xyxy[:, :2]


def _shape_iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """IoU of boxes (n, 2) with anchors (k, 2), width and height, on one centre: (n, k)."""
    intersection = np.minimum(sizes[:, :1], anchors[:, 0]) * np.minimum(sizes[:, 1:], anchors[:, 1])
    return intersection / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - intersection)


def _k_means(sizes: np.ndarray, count: int, rng: np.random.Generator) -> tuple[float, np.ndarray]:
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
