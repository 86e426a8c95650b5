"""Boxes around the shapes of a COCO annotation: polygons, masks (run-length encoded) and rotated boxes."""

from typing import Any, NamedTuple

import numpy as np

from yolojax.data.formats.coco_values import is_number

_BITS = 5  # of a count in each character of a compressed mask
_LONGEST = 8  # characters of a count: enough for any picture, and sums stay within 64 bits


class Shape(NamedTuple):
    """The box around a shape.

    Attributes:
        kind: "polygon" or "mask".
        corners: x1, y1, x2, y2 in pixels.
        size: (height, width) of the picture that a mask covers; None for polygons.
        rectangle: whether it is a polygon whose points are all corners of the box, up to a pixel.
    """

    kind: str
    corners: tuple[float, float, float, float]
    size: tuple[int, int] | None = None
    rectangle: bool = False


def box_around(segmentation: Any) -> Shape | None:
    """Find the box around a segmentation.

    Args:
        segmentation: a list of polygons [x1, y1, x2, y2, ...], one such polygon, or a list of points [x, y]; or a mask
            {"size": [height, width], "counts": runs}, in which the runs are numbers or COCO's compressed text.

    Returns:
        The box, or None if the segmentation is empty: no polygons, or a mask without pixels.

    Raises:
        ValueError: it is none of these; the message says what is wrong.
    """
    if isinstance(segmentation, dict) and segmentation:
        counts, (height, width) = _runs(segmentation)
        corners = mask_box(counts, height, width)
        return Shape("mask", corners, (height, width)) if corners else None
    if not segmentation:
        return None
    points = _points(segmentation)
    if not len(points):
        return None
    x1, y1 = points.min(axis=0).tolist()
    x2, y2 = points.max(axis=0).tolist()
    at_edges = np.minimum(points - [x1, y1], [x2, y2] - points) <= 1
    return Shape("polygon", (x1, y1, x2, y2), rectangle=bool(at_edges.all()))


def decode_counts(text: str) -> np.ndarray:
    """Decode the runs of a compressed mask.

    Each character holds five bits of a count, the lowest first; the sixth bit says that more follow, and the highest bit of
    the last five is the sign. From the fourth count on, what stands there is the difference to the count two before
    (`rleFrString` of the COCO API).

    Args:
        text: the value of "counts".

    Returns:
        The counts, (n,) int64.

    Raises:
        ValueError: the text is not such a sequence.
    """
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not len(codes):
        return codes
    ends = np.flatnonzero(codes & 32 == 0)
    if codes.min() < 0 or codes.max() > 63 or not len(ends) or ends[-1] != len(codes) - 1:
        raise ValueError("its counts are not a compressed mask")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST:
        raise ValueError("its counts are not a compressed mask")
    shifts = _BITS * (np.arange(len(codes)) - np.repeat(starts, lengths))
    counts = np.add.reduceat((codes & 31) << shifts, starts)
    counts -= np.where(codes[ends] & 16, np.int64(1) << (_BITS * lengths), 0)
    for first in (1, 2):
        counts[first::2] = np.cumsum(counts[first::2])
    return counts


def mask_box(counts: np.ndarray, height: int, width: int) -> tuple[float, float, float, float] | None:
    """Find the box around the pixels of a run-length encoded mask.

    Args:
        counts: (n,) int64, lengths of the runs in turn outside and inside the mask, beginning outside; the pixels are counted
            down the columns, from left to right.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        x1, y1, x2, y2 in pixels, or None for a mask without pixels.

    Raises:
        ValueError: a run is negative, or together they do not fill the picture.
    """
    if (counts < 0).any() or counts.sum() != height * width:
        raise ValueError(f"the runs of its mask do not fill {width} x {height} pixels")
    ends = np.cumsum(counts)
    inside = np.zeros(len(counts), bool)
    inside[1::2] = True
    inside &= counts > 0
    if not inside.any():
        return None
    first, last = (ends - counts)[inside], ends[inside] - 1
    left, right = first // height, last // height
    whole = left != right  # A run over the end of a column touches both the lower and the upper edge.
    top = np.where(whole, 0, first % height)
    bottom = np.where(whole, height - 1, last % height)
    return float(left.min()), float(top.min()), float(right.max() + 1), float(bottom.max() + 1)


def _points(segmentation: Any) -> np.ndarray:
    """The points of polygons, (n, 2) float64."""
    if not isinstance(segmentation, list):
        raise ValueError("its segmentation is neither polygons nor a mask")
    polygons = segmentation if any(isinstance(part, list) for part in segmentation) else [segmentation]
    if len(polygons) > 2 and all(isinstance(part, list) and len(part) == 2 for part in polygons):
        polygons = [[side for point in polygons for side in point]]
    sides: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or not all(map(is_number, polygon)):
            raise ValueError("its segmentation is not a list of polygons [x1, y1, x2, y2, ...]")
        if polygon and (len(polygon) < 6 or len(polygon) % 2):
            raise ValueError(f"a polygon of its segmentation has {len(polygon)} numbers; write three points or more")
        sides += polygon
    try:
        points = np.array(sides, np.float64).reshape(-1, 2)
    except OverflowError:
        raise ValueError("a polygon of its segmentation is larger than any picture; write pixels") from None
    if not np.isfinite(points).all():
        raise ValueError("a polygon of its segmentation is larger than any picture; write pixels")
    return points


def _runs(mask: dict[str, Any]) -> tuple[np.ndarray, tuple[int, int]]:
    """The counts of a mask, and its (height, width)."""
    size, counts = mask.get("size"), mask.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and 0 < side < 2**20 for side in size)):
        raise ValueError("its mask has no size [height, width]")
    height, width = size
    if isinstance(counts, str):
        return decode_counts(counts), (height, width)
    if not isinstance(counts, list) or not all(type(count) is int and 0 <= count <= height * width for count in counts):
        raise ValueError("its mask has no counts: a list of numbers, or the compressed text of COCO")
    return np.array(counts, np.int64), (height, width)
