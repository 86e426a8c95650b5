"""Boxes as the readers of VOC, COCO and YOLO find them, one at a time, and their way into a `Record`."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from yolojax.data.annotations import Record, check_boxes
from yolojax.data.problems import OnProblem


class Row(NamedTuple):
    """One box as it was read.

    Attributes:
        corners: x1, y1, x2, y2 in pixels.
        class_id: from 0.
        where: where it was read, as "a.xml:12".
        difficult: whether VOC marks it so.
        crowd: whether it surrounds a group of objects (COCO).
    """

    corners: tuple[float, ...]
    class_id: int
    where: str
    difficult: bool = False
    crowd: bool = False


def make_record(path: str, source: str, rows: Iterable[Row], on_problem: OnProblem) -> Record:
    """Check the boxes of a picture and make its record.

    Args:
        path: path of the picture.
        source: where the record was read.
        rows: its boxes.
        on_problem: called for each box that `check_boxes` finds fault with; if it returns, that box is left out.

    Returns:
        The record, with the boxes in their order.
    """
    rows = list(rows)
    corners = np.array([row.corners for row in rows], np.float64).reshape(-1, 4)
    kept = check_boxes(corners, lambda row: rows[row].where, on_problem)
    return Record(
        path,
        corners[kept].astype(np.float32),
        np.array([row.class_id for row in rows], np.int32)[kept],
        source,
        np.array([row.difficult for row in rows], bool)[kept],
        np.array([row.crowd for row in rows], bool)[kept],
    )
