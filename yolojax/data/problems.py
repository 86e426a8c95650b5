"""How readers of data sets report what they do not use as it stands: each problem to a function that stops or continues.

What a kind of problem means for training is decided in one place, `KINDS`.
"""

import enum
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

from yolojax.errors import InputError

OnProblem = Callable[[str, str], None]
"""Called with (kind, message) for each problem: a few words that group problems, and one line with the place. If it returns,
the reader leaves out what is wrong and continues."""


class Effect(enum.Enum):
    """What a kind of problem means where a data set is used."""

    STOP = enum.auto()
    """The data set is refused until it is mended."""
    LEAVE_OUT = enum.auto()
    """What is wrong is left out, counted and reported."""
    REMARK = enum.auto()
    """Everything is used; that it was read in another way is counted and reported."""


class Kind(NamedTuple):
    """A kind of problem that does not stop a training.

    Attributes:
        effect: LEAVE_OUT or REMARK.
        summary: what happened to N of them, as it follows their number: "boxes without area were left out".
    """

    effect: Effect
    summary: str


KINDS = {
    "box without area": Kind(Effect.LEAVE_OUT, "boxes without area were left out"),
    "picture twice": Kind(Effect.LEAVE_OUT, "pictures that are listed twice were used once"),
    "label without picture": Kind(Effect.LEAVE_OUT, "label files that belong to no picture were left out"),
    "label beside list": Kind(Effect.LEAVE_OUT, "label files were left out, as their list has boxes for other pictures"),
    "second label": Kind(Effect.LEAVE_OUT, "label files beside pictures were left out, as their labels are elsewhere"),
    "unknown picture format": Kind(Effect.LEAVE_OUT, "pictures in formats that are not read were left out"),
    "shape without box": Kind(Effect.LEAVE_OUT, "annotations that are not areas (points, lines, tags) were left out"),
    "box under a pixel": Kind(Effect.LEAVE_OUT, "boxes narrower or lower than a pixel of their picture were left out"),
    "fewer bits": Kind(Effect.REMARK, "16-bit pictures use only 12 bits or fewer and were read as such"),
    "similar class names": Kind(Effect.REMARK, "groups of class names may be one class each"),
    "picture without label": Kind(Effect.REMARK, "pictures have no annotation file and were not used"),
    "hidden file": Kind(Effect.REMARK, "hidden files of other systems were passed over"),
    "other form of name": Kind(Effect.REMARK, "pictures were found under another form of their name"),
    "boxes in label files": Kind(Effect.REMARK, "text lists name pictures only: their boxes are in label files"),
    "other file": Kind(Effect.REMARK, "files that are not annotations were passed over"),
    "polygon": Kind(Effect.REMARK, "polygons became the boxes around them"),
    "mask": Kind(Effect.REMARK, "masks became the boxes around them"),
    "rotated box": Kind(Effect.REMARK, "rotated boxes became the upright boxes around them"),
    "unused category": Kind(Effect.REMARK, "categories without annotations are not classes"),
    "category twice": Kind(Effect.REMARK, "categories have the name of another one and became the same class"),
    "other categories": Kind(Effect.REMARK, "splits have other classes than the first; they are numbered together"),
    "background": Kind(Effect.REMARK, "pictures have no label file and count as background"),
    "class without boxes": Kind(Effect.REMARK, "classes have no box"),
}
"""The kinds that do not stop a training; every other kind does."""


class Problem(NamedTuple):
    """Something in a data set that is wrong, left out, or read in another way than it stands.

    Attributes:
        kind: a few words that group problems, such as "box without area".
        message: one line with the file, the line and what to do.
    """

    kind: str
    message: str


def effect_of(kind: str) -> Effect:
    """What a kind of problem means for training: STOP unless `KINDS` has it."""
    return KINDS[kind].effect if kind in KINDS else Effect.STOP


def refuse(kind: str, message: str) -> NoReturn:
    """Raise InputError with the message: the `OnProblem` that stops at the first mistake."""
    raise InputError(message)


def summarise(problems: Iterable[Problem]) -> list[str]:
    """Write one line for each kind of problem that does not stop a training: how many there are and where the first is.

    Args:
        problems: problems of kinds in `KINDS`; the same message counts once.

    Returns:
        Lines such as "2 boxes without area were left out, the first at a.xml:8: box 1,2,1,4 has no area".
    """
    by_kind: dict[str, dict[str, None]] = {}
    for kind, message in problems:
        by_kind.setdefault(kind, {})[message] = None
    return [f"{len(found)} {KINDS[kind].summary}, the first at {next(iter(found))}" for kind, found in by_kind.items()]
