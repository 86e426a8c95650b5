"""What the columns of a .csv of boxes mean: told by its header, or by the form of its first row where it has none."""

import csv
import dataclasses
import enum
import math
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from yolojax.data.images import ENDINGS
from yolojax.data.lines import NUMBER

_PICTURE = ("filename", "imagefilename", "imagename", "imagepath", "filepath", "image", "img", "file", "path", "imageid")
_CLASS = ("class", "classname", "label", "labelname", "name", "category", "categoryname", "object", "classid", "labelid")
_WIDTH, _HEIGHT = ("width", "imagewidth", "imgwidth"), ("height", "imageheight", "imgheight")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
)
_SIZED = (("bboxx", "bboxy", "bboxwidth", "bboxheight"), ("bboxx", "bboxy", "bboxw", "bboxh"))
_SEPARATORS = ",;\t|"
_NUMBER = re.compile(NUMBER, re.ASCII)
LOOKED_FOR = (
    "looked for were a header with a picture (filename, image, path, image_id), a class (class, label, name) and corners "
    "(xmin, ymin, xmax, ymax; x1, y1, x2, y2; or bbox), and rows path,x1,y1,x2,y2,class without a header"
)
"""The columns that a .csv may have, as words for a message."""


class Boxes(enum.Enum):
    """How a table writes its boxes."""

    CORNERS = enum.auto()
    """Four columns: x1, y1, x2, y2 in pixels."""
    FRACTIONS = enum.auto()
    """The same as fractions of the picture's width and height (Open Images)."""
    SIZED = enum.auto()
    """Four columns: x1, y1, width, height in pixels."""
    LIST = enum.auto()
    """One column with [x1, y1, width, height] in pixels."""
    VIA = enum.auto()
    """A column of shapes and one of attributes, both JSON (VGG Image Annotator)."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """Which column of a table holds what, by their places from 0.

    Attributes:
        picture: the picture's file name.
        box: the columns of the box.
        boxes: how these write it.
        label: the class name; None where there is one class only.
        size: width and height of the picture, or None.
        crowd: 1 in this column marks a box around a group, or None.
        count: how many columns there are.
        has_header: whether the first row names the columns.
    """

    picture: int
    box: tuple[int, ...]
    boxes: Boxes
    label: int | None
    size: tuple[int, int] | None
    crowd: int | None
    count: int
    has_header: bool


class Cells(NamedTuple):
    """A row of a table.

    Attributes:
        line: the line of the file on which it begins, from 1.
        values: its cells without the blanks around them.
    """

    line: int
    values: list[str]


def split_cells(lines: Sequence[str]) -> tuple[str, list[Cells]]:
    """Divide the lines of a file into cells.

    The separator is the one of comma, semicolon, tab and bar that divides the first row into the most cells.

    Args:
        lines: the lines of the file.

    Returns:
        The separator, and the rows that are not empty.
    """
    first = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign, skipinitialspace=True), [])))
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, skipinitialspace=True)
    rows, line = [], 1
    for values in reader:
        values = [value.strip() for value in values]
        if any(values):
            rows.append(Cells(line, values))
        line = reader.line_num + 1
    return separator, rows


def understand(first: Sequence[str]) -> Columns | None:
    """Tell from a table's first row what its columns mean.

    Args:
        first: the cells of the first row.

    Returns:
        The columns, or None if the table is of no known form.
    """
    header = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in first]
    if len(set(header)) == len(header) or header.count("") > 1:
        columns = _of_header(header)
        if columns is not None:
            return columns
    return _of_row(first)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number, written with a point."""
    return bool(_NUMBER.fullmatch(cell)) and math.isfinite(float(cell))


def is_whole(cell: str) -> bool:
    """Whether a cell is a whole number from 0, of a usual length."""
    return cell.isascii() and cell.isdecimal() and len(cell) < 10


def is_picture(cell: str) -> bool:
    """Whether a cell is the name of a picture."""
    return os.path.splitext(cell)[1].lower() in ENDINGS


def _of_header(header: Sequence[str]) -> Columns | None:
    places = {name: place for place, name in reversed(list(enumerate(header))) if name}

    def place_of(names: Sequence[str]) -> int | None:
        return next((places[name] for name in names if name in places), None)

    def all_of(names: Sequence[str]) -> tuple[int, ...] | None:
        return tuple(places[name] for name in names) if all(name in places for name in names) else None

    picture, label = place_of(_PICTURE), place_of(_CLASS)
    if picture is None:
        return None
    width, height = place_of(_WIDTH), place_of(_HEIGHT)
    size = None if width is None or height is None else (width, height)
    crowd, count = places.get("isgroupof"), len(header)
    if box := all_of(("regionshapeattributes", "regionattributes")):
        return Columns(picture, box, Boxes.VIA, None, None, None, count, True)
    if box := next(filter(None, map(all_of, _CORNERS)), None):
        fractions = "imageid" in places and "labelname" in places
        return Columns(picture, box, Boxes.FRACTIONS if fractions else Boxes.CORNERS, label, size, crowd, count, True)
    if box := next(filter(None, map(all_of, _SIZED)), None):
        return Columns(picture, box, Boxes.SIZED, label, size, crowd, count, True)
    if box := all_of(("bbox",)):
        return Columns(picture, box, Boxes.LIST, label, size, crowd, count, True)
    return None


def _of_row(cells: Sequence[str]) -> Columns | None:
    """The columns of a table without header: RetinaNet's path,x1,y1,x2,y2,class, or class,x,y,w,h,picture,width,height."""
    if len(cells) == 6 and is_picture(cells[0]) and (all(map(is_number, cells[1:5])) or not any(cells[1:])):
        return Columns(0, (1, 2, 3, 4), Boxes.CORNERS, 5, None, None, 6, False)
    numbers = (*cells[1:5], *cells[6:8])
    if len(cells) == 8 and is_picture(cells[5]) and all(map(is_number, numbers)):
        return Columns(5, (1, 2, 3, 4), Boxes.SIZED, 0, (6, 7), None, 8, False)
    return None
