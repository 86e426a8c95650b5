"""FlatDetections and truths of many pictures as flat, checked arrays."""

from typing import NamedTuple

import numpy as np


class FlatDetections(NamedTuple):
    """All pictures' detections end to end: float64 boxes (d, 4) and scores (d,), int64 classes and pictures (d,)."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    pictures: np.ndarray


class FlatTruths(NamedTuple):
    """All pictures' truths end to end: float64 boxes (t, 4), int64 classes and pictures (t,), bool ignored (t,)."""

    boxes_xyxy: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    pictures: np.ndarray


def flatten(detections, truths):
    """Joins per-picture lists into one FlatDetections and one FlatTruths.

    Args:
        detections: a list over pictures of (boxes_xyxy (k, 4), scores (k,), classes (k,)).
        truths: a list over the same pictures of (boxes_xyxy (n, 4), classes (n,)) with, optionally, a third member,
            (n,) bool: VOC's "difficult", COCO's "crowd".

    Returns:
        FlatDetections and FlatTruths, in the order of the lists.

    Raises:
        ValueError: the lists differ in length, members disagree in shape, a number is NaN or infinite, or a class is
            not a whole number of at least 0.
    """
    if len(detections) != len(truths):
        raise ValueError(f"detections of {len(detections)} pictures, but truths of {len(truths)}: each needs both")
    found, expected = [], []
    for picture, (detection, truth) in enumerate(zip(detections, truths, strict=True)):
        where = f"detections[{picture}]"
        boxes, scores, classes = _members(detection, (3,), where)
        boxes = _boxes(boxes, where)
        found.append((boxes, _column(scores, np.float64, boxes, where), _column(classes, np.int64, boxes, where)))
        where = f"truths[{picture}]"
        boxes, classes, *ignored = _members(truth, (2, 3), where)
        boxes = _boxes(boxes, where)
        ignored = _column(ignored[0], bool, boxes, where) if ignored else np.zeros(len(boxes), bool)
        expected.append((boxes, _column(classes, np.int64, boxes, where), ignored))
    return (
        FlatDetections(*_join(found, (np.float64, np.float64, np.int64))),
        FlatTruths(*_join(expected, (np.float64, np.int64, bool))),
    )


def _members(entry, counts, where):
    if len(entry) not in counts:
        raise ValueError(f"{where} has {len(entry)} members, expected {' or '.join(map(str, counts))}")
    return entry


def _boxes(boxes, where):
    boxes = np.asarray(boxes, np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{where}: boxes of shape {boxes.shape}, expected (n, 4)")
    if not np.isfinite(boxes).all():
        raise ValueError(f"{where}: a box is NaN or infinite")
    return boxes


def _column(values, dtype, boxes, where):
    values = np.asarray(values)
    if values.shape != (len(boxes),) and values.size + len(boxes) > 0:
        raise ValueError(f"{where}: {len(boxes)} boxes, but a member of shape {values.shape}")
    if dtype == np.float64 and not np.isfinite(values).all():
        raise ValueError(f"{where}: a score is NaN or infinite")
    if dtype == np.int64 and not ((values >= 0) & (values == np.floor(values))).all():
        # Class -1 pads detections of a fixed size: counted as a class, padding would pass for false positives.
        raise ValueError(f"{where}: a class is not a whole number of at least 0 (leave padding rows out)")
    return values.astype(dtype).reshape(len(boxes))


def _join(entries, dtypes):
    columns = [np.concatenate(column) for column in zip(*entries, strict=True)]
    if not columns:
        columns = [np.zeros((0, 4)), *(np.zeros(0, dtype) for dtype in dtypes[1:])]
    pictures = np.repeat(np.arange(len(entries)), [len(entry[0]) for entry in entries])
    return *columns, pictures
