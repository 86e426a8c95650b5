"""Annotated pictures, whatever their format: the `Record` and the rules that every box must meet."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable

import numpy as np

from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

LARGEST = 2.0**20
"""Pixels. Coordinates must be smaller: float32 holds these exactly enough, but beyond them a box could lose its area."""


_NAMED = 20  # class names in a message, at most


@dataclasses.dataclass(frozen=True)
class Record:
    """One picture and its boxes as its annotation file gives them.

    Attributes:
        path: path of the picture, ready to be opened.
        boxes: (n, 4) float32 xyxy in pixels of the original picture.
        classes: (n,) int32, from 0.
        source: where the record was read, as "list.txt:12".
        difficult: (n,) bool, boxes that count neither as found nor as missed (VOC); all False by default.
        crowd: (n,) bool, boxes around a group of objects (COCO); all False by default.
        stated_size: (height, width) of the picture in pixels as its annotations state it, or None.
    """

    path: str
    boxes: np.ndarray
    classes: np.ndarray
    source: str
    difficult: np.ndarray = None  # pyright: ignore[reportAssignmentType]  # set in __post_init__
    crowd: np.ndarray = None  # pyright: ignore[reportAssignmentType]  # set in __post_init__
    stated_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("difficult", "crowd"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(len(self.boxes), bool))


def check_boxes(corners: np.ndarray, where: Callable[[int], str], on_problem: OnProblem, *, advice: str = "") -> np.ndarray:
    """Report the boxes that no picture can have: too large, inverted, without area, or in fractions of the picture.

    Args:
        corners: (n, 4) float64 xyxy in pixels, as read; NaN and infinities count as too large.
        where: returns the place where a row of `corners` was read, as "a.xml:12".
        on_problem: called for each such box, in order; a box has one problem at most.
        advice: how to write a box that has an area, for formats in which an inverted box is reported as one without area.

    Returns:
        (n,) bool, which boxes are fine.
    """
    too_large = ~np.all(np.abs(corners) < LARGEST, axis=1)
    # In float32, as the record will hold them. An inverted box has no area either.
    rounded = corners.clip(-LARGEST, LARGEST).astype(np.float32)
    without_area = ~((rounded[:, 2] > rounded[:, 0]) & (rounded[:, 3] > rounded[:, 1]))
    normalised = np.all((rounded >= 0) & (rounded <= 1), axis=1) & np.all(rounded[:, 2:] - rounded[:, :2] < 1, axis=1)
    faulty = too_large | without_area | normalised
    for row in np.flatnonzero(faulty).tolist():
        box = f"{where(row)}: box {show_box(corners[row])}"
        if too_large[row]:
            on_problem("box too large", f"{box} is larger than any picture; write pixels")
        elif not advice and np.any(corners[row, 2:] < corners[row, :2]):
            on_problem("inverted box", f"{box} is inverted: its right or lower edge comes before its left or upper edge")
        elif not without_area[row]:
            on_problem("normalised box", f"{box} looks like fractions of the picture (0 to 1); write pixels")
        else:
            on_problem("box without area", f"{box} has no area" + (advice and f"; {advice}"))
    return ~faulty


def has_name(class_number: float | np.ndarray, num_names: int) -> bool | np.ndarray:
    """Whether there is a name for a class number, or for each of an array of them."""
    return (class_number >= 0) & (class_number < num_names)


def no_such_class(where: str, name: str, names: Iterable[str]) -> str:
    """The message on a box of a class that is none of the names; of very many names it has the first."""
    first = list(itertools.islice(names, _NAMED + 1))
    return f"{where}: there is no class {name!r}; the names are {', '.join(first[:_NAMED])}{', ...' * (len(first) > _NAMED)}"


def class_without_name(class_number: str, num_names: int) -> str:
    """The message about a class number without a name (see `has_name`), as it was written."""
    return f"class {class_number} has no name: there are {num_names} names, for classes 0 to {num_names - 1}"


def check_boxes_in_picture(record: Record, height: int, width: int) -> None:
    """Refuse boxes that cannot belong to their picture, such as labels made at another resolution.

    Args:
        record: the picture and its boxes.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Raises:
        InputError: more than half of a box's area lies outside the picture; the message names the record's source.
    """
    outside = mostly_outside(record.boxes, height, width)
    if outside.any():
        raise InputError(box_outside(record, int(np.argmax(outside)), height, width))


def mostly_outside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Find the boxes with more than half of their area outside their picture.

    Args:
        boxes: (n, 4) xyxy in pixels.
        height: height of the picture in pixels.
        width: width of the picture in pixels.

    Returns:
        (n,) bool.
    """
    boxes = boxes.astype(np.float64)
    inside = np.clip(boxes, 0, [[width, height, width, height]])
    return 2 * np.prod(inside[:, 2:] - inside[:, :2], axis=1) < np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def box_outside(record: Record, row: int, height: int, width: int, *, where: str = "mostly outside") -> str:
    """The message about a box that lies (mostly) outside its picture.

    Args:
        record: the picture and its boxes.
        row: which of the boxes.
        height: height of the picture in pixels.
        width: width of the picture in pixels.
        where: "mostly outside" or "outside".
    """
    return (
        f"{record.source}: box {show_box(record.boxes[row])} lies {where} {record.path}, which is {width} pixels wide and "
        f"{height} high; boxes must be in pixels of this picture"
    )


def show_box(box: np.ndarray) -> str:
    """Format a box (4,) for messages: four numbers with commas."""
    return ",".join(f"{side:g}" for side in box)
