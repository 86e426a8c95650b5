"""Detections and ground truths of many images: how callers pass them, and the same as flat, checked arrays."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

ImageDetections: TypeAlias = tuple[ArrayLike, ArrayLike, ArrayLike]
"""The detections of one image: boxes (k, 4) xyxy in pixels, scores (k,) and class ids (k,)."""

ImageTruths: TypeAlias = tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike]
"""The ground truths of one image: boxes (n, 4) xyxy in pixels, class ids (n,) and, optionally, a mark (n,) bool.

Marked boxes are "difficult" to VOC and "crowd" to COCO: detecting them counts neither for nor against a detector.
"""


class FlatDetections(NamedTuple):
    """The detections of all images, concatenated.

    Attributes:
        boxes_xyxy: (d, 4) float64, pixels.
        scores: (d,) float64.
        classes: (d,) int64, counted from 0.
        pictures: (d,) int64, the position of each detection's image in the list.
    """

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    pictures: np.ndarray

    def take(self, rows: np.ndarray) -> "FlatDetections":
        """Selects detections by their positions or by a boolean mask."""
        return FlatDetections(self.boxes_xyxy[rows], self.scores[rows], self.classes[rows], self.pictures[rows])


class FlatTruths(NamedTuple):
    """The ground truths of all images, concatenated.

    Attributes:
        boxes_xyxy: (t, 4) float64, pixels.
        classes: (t,) int64, counted from 0.
        ignored: (t,) bool, marked as difficult or crowd.
        pictures: (t,) int64, the position of each truth's image in the list.
    """

    boxes_xyxy: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    pictures: np.ndarray


def flatten(detections: Sequence[ImageDetections], truths: Sequence[ImageTruths]) -> tuple[FlatDetections, FlatTruths]:
    """Concatenates the lists over images, keeping their order, and checks every number.

    Args:
        detections: one entry per image.
        truths: one entry per image, for the same images in the same order.

    Returns:
        All detections and all truths.

    Raises:
        ValueError: the lists differ in length, the arrays of an image differ in length, a box or score is NaN or infinite,
            or a class is not a whole number of at least 0.
    """
    if len(detections) != len(truths):
        raise ValueError(f"detections of {len(detections)} images, but truths of {len(truths)}: each image needs both")
    detected, expected = [], []
    for picture, (detection, truth) in enumerate(zip(detections, truths, strict=True)):
        where = f"detections[{picture}]"
        boxes, scores, classes = _members(detection, (3,), where)
        boxes = _boxes(boxes, where)
        detected.append((boxes, _column(scores, np.float64, boxes, where), _column(classes, np.int64, boxes, where)))
        where = f"truths[{picture}]"
        boxes, classes, *marks = _members(truth, (2, 3), where)
        boxes = _boxes(boxes, where)
        ignored = _column(marks[0], bool, boxes, where) if marks else np.zeros(len(boxes), bool)
        expected.append((boxes, _column(classes, np.int64, boxes, where), ignored))
    return (
        FlatDetections(*_concatenate(detected, (np.float64, np.float64, np.int64)), _picture_of_each(detected)),
        FlatTruths(*_concatenate(expected, (np.float64, np.int64, bool)), _picture_of_each(expected)),
    )


def _members(entry: Sequence[ArrayLike], counts: tuple[int, ...], where: str) -> Sequence[ArrayLike]:
    if len(entry) not in counts:
        raise ValueError(f"{where} has {len(entry)} members, expected {' or '.join(map(str, counts))}")
    return entry


def _boxes(boxes: ArrayLike, where: str) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{where}: boxes of shape {boxes.shape}, expected (n, 4)")
    if not np.isfinite(boxes).all():
        raise ValueError(f"{where}: a box is NaN or infinite")
    return boxes


def _column(values: ArrayLike, dtype: DTypeLike, boxes: np.ndarray, where: str) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (len(boxes),) and values.size + len(boxes) > 0:
        raise ValueError(f"{where}: {len(boxes)} boxes, but a member of shape {values.shape}")
    if dtype == np.float64 and not np.isfinite(values).all():
        raise ValueError(f"{where}: a score is NaN or infinite")
    if dtype == np.int64 and not ((values >= 0) & (values == np.floor(values))).all():
        # Class -1 pads detections to a fixed number: taken for a class, padding would count as false positives.
        raise ValueError(f"{where}: a class is not a whole number of at least 0 (leave padding rows out)")
    return values.astype(dtype).reshape(len(boxes))


def _concatenate(
    entries: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], dtypes: Iterable[DTypeLike]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    empty = np.zeros((0, 4)), *(np.zeros(0, dtype) for dtype in list(dtypes)[1:])
    first, second, third = zip(*entries, strict=True) if entries else ((column,) for column in empty)
    return np.concatenate(first), np.concatenate(second), np.concatenate(third)


def _picture_of_each(entries: Sequence[tuple[np.ndarray, ...]]) -> np.ndarray:
    return np.repeat(np.arange(len(entries)), [len(boxes) for boxes, *_ in entries])
