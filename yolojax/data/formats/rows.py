"""What the formats share: the checks of one box and of class names, and the making of a `Record`."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from yolojax.data.annotations import Record
from yolojax.errors import InputError

# float32 holds these exactly enough; beyond, a box could lose its area on the way.
LARGEST = 2.0**20


class Row(NamedTuple):
    """One box as it was read: corners (x1, y1, x2, y2) in pixels, and where it stood, as "a.xml:12"."""

    corners: tuple
    class_id: int
    where: str
    difficult: bool = False
    crowd: bool = False


def make_record(path: str, source: str, rows: Iterable[Row], on_problem: Callable[[str, str], None]) -> Record:
    """Check the boxes of a picture and make its record.

    on_problem: called with (kind, message) for each box that is not finite, larger than any picture, inverted or without
    area; where it returns, that box is no part of the record.
    """
    kept = []
    for row in rows:
        x1, y1, x2, y2 = row.corners
        if not all(abs(side) < LARGEST for side in row.corners):
            on_problem("box too large", f"{row.where}: box {_show(row)} is larger than any picture; write pixels")
        elif x2 < x1 or y2 < y1:
            message = f"{row.where}: box {_show(row)} is inverted: its right or lower edge comes before the other"
            on_problem("inverted box", message)
        elif np.float32(x1) == np.float32(x2) or np.float32(y1) == np.float32(y2):
            # Labelling tools write them by mistake.
            on_problem("box without area", f"{row.where}: box {_show(row)} has no area")
        else:
            kept.append(row)
    return Record(
        path,
        np.array([row.corners for row in kept], np.float32).reshape(-1, 4),
        np.array([row.class_id for row in kept], np.int32),
        source,
        np.array([row.difficult for row in kept], bool),
        np.array([row.crowd for row in kept], bool),
    )


def _show(row):
    return ",".join(f"{side:g}" for side in row.corners)


def check_names(names: Sequence[str], where: str | os.PathLike) -> tuple[str, ...]:
    """Class names without the blanks around them.

    Raises: InputError, with `where`, for no names, an empty one, one given twice or one that is not a line of text.
    """
    names = tuple(name.strip() for name in names)
    if not names:
        raise InputError(f"{where}: no class names; every class needs one")
    for place, name in enumerate(names):
        if not name or not name.isprintable():
            raise InputError(f"{where}: class {place} has the name {name!r}; a name is one line of text")
        if name in names[:place]:
            raise InputError(f"{where}: {name!r} is the name of two classes; rename one")
    return names
