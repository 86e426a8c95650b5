"""Annotation files: each format becomes a list of `Record`, and each mistake an error with its file and line."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_BOX = rf"{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},\d+"
_BOXES = re.compile(rf"{_BOX}(?: {_BOX})*", re.ASCII)
_FILE_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]*$")
_LONGEST_PATH = 4096  # characters; bounds the search of a line of very many words
_FORM = "x1,y1,x2,y2,class"


@dataclasses.dataclass(frozen=True)
class Record:
    """One picture and its boxes as its annotation file gives them.

    path: of the picture, as to be opened; boxes: (n, 4) float32 xyxy, pixels of the original picture;
    classes: (n,) int32, from 0; source: where the record was read, as "list.txt:12";
    difficult: (n,) bool, boxes that may be found or missed (VOC); crowd: (n,) bool, boxes round a group (COCO); where
    left out, all False.
    """

    path: str
    boxes: np.ndarray
    classes: np.ndarray
    source: str
    difficult: np.ndarray | None = None
    crowd: np.ndarray | None = None

    def __post_init__(self):
        for name in ("difficult", "crowd"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(len(self.boxes), bool))


def refuse(kind: str, message: str) -> None:
    """What a reader does with a mistake unless it is told otherwise: raise InputError with the message."""
    raise InputError(message)


def read_names(path: str | os.PathLike) -> tuple[str, ...]:
    """Read class names, one a line; class i is named on line i + 1.

    Raises: InputError for a file that cannot be read or has no names, for an empty line between names (blank lines at
    the end are fine) and for a name given twice.
    """
    names = [line.strip() for line in read_lines(path)]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InputError(f"{path}: no class names; write one a line")
    first_line = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"{path}:{number}: an empty line between class names; remove it")
        if name in first_line:
            raise InputError(f"{path}:{number}: {name!r} is already the name on line {first_line[name]}; rename one")
        first_line[name] = number
    return tuple(names)


def read_text_list(path: str | os.PathLike, names: Sequence[str], on_problem: Callable = refuse) -> list[Record]:
    """Read a text list, one picture a line: `path x1,y1,x2,y2,class x1,y1,x2,y2,class ...`.

    Paths may hold spaces and commas; relative ones start from the list's folder. Corners are in pixels of the original
    picture, classes count from 0. A line without boxes is a picture without objects; blank lines are skipped.

    names: the class names, which bound the class numbers.
    on_problem: called with (kind, message), a word or two and a line with file and line number, for each malformed, inverted
    or empty box, class without a name, missing picture and line that is not UTF-8; where it returns, the box or the line is
    left out and the picture kept.
    Raises: InputError for a list that cannot be read or has no pictures, and for the above where `on_problem` is `refuse`.
    """
    folder = os.path.dirname(path)
    paths, sources, counts, values = [], [], [], []
    for number, line in enumerate(read_lines(path, on_problem), 1):
        if line := line.strip():
            source = f"{path}:{number}"
            picture, boxes = _split_line(line, folder, source, on_problem)
            paths.append(picture)
            sources.append(source)
            counts.append(len(boxes))
            values.extend(map(float, ",".join(boxes).split(",") if boxes else ()))
    if not paths:
        raise InputError(f"{path}: no pictures in the list; write one a line: path {_FORM} {_FORM} ...")
    table = np.array(values).reshape(-1, 5)
    ends = np.cumsum(counts)
    kept = _check_boxes(table, names, lambda row: sources[np.searchsorted(ends, row, side="right")], on_problem)
    table, ends = table[kept], np.concatenate([[0], np.cumsum(kept)])[ends]
    boxes, classes = table[:, :4].astype(np.float32), table[:, 4].astype(np.int32)
    starts = np.concatenate([[0], ends[:-1]])
    return [
        Record(picture, boxes[start:end], classes[start:end], source)
        for picture, start, end, source in zip(paths, starts.tolist(), ends.tolist(), sources, strict=True)
    ]


def check_boxes_in_picture(record: Record, height: int, width: int) -> None:
    """Refuse boxes that cannot belong to their picture, as labels made at another resolution do.

    height, width: of the picture, pixels.
    Raises: InputError, with the record's source, when more than half of a box's area lies outside the picture.
    """
    outside = mostly_outside(record.boxes, height, width)
    if outside.any():
        box = show_box(record.boxes[np.argmax(outside)])
        raise InputError(
            f"{record.source}: box {box} lies mostly outside {record.path}, which is {width} pixels wide and {height} "
            "high; boxes must be in pixels of that very picture"
        )


def show_box(box: np.ndarray) -> str:
    """A box (4,) as messages show it: four numbers with commas."""
    return ",".join(f"{side:g}" for side in box)


def mostly_outside(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Which boxes (n, 4) xyxy have more than half of their area outside a picture of this size in pixels; (n,) bool."""
    boxes = boxes.astype(np.float64)
    inside = np.clip(boxes, 0, [[width, height, width, height]])
    return 2 * np.prod(inside[:, 2:] - inside[:, :2], axis=1) < np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


def read_lines(path: str | os.PathLike, on_problem: Callable = refuse) -> list[str]:
    """Read the lines of a UTF-8 text file, with or without byte order mark and carriage returns.

    on_problem: called with (kind, message) for each line that is not UTF-8; where it returns, that line is empty.
    Raises: InputError, with the path, for a file that cannot be read, and for the above where `on_problem` is `refuse`.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    lines = []
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", data.removeprefix(b"\xef\xbb\xbf")), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            on_problem("not text", f"{path}:{number}: not UTF-8 text; save the file as UTF-8")
            lines.append("")
    return lines


def _split_line(line, folder, source, on_problem):
    """The picture's path, joined to the list's folder, and those tokens of its boxes that are well-formed.

    A path may look like anything, so boxes are taken from the right. Only where that fails do the files on disk decide.
    """
    tokens = line.split()
    first_box = len(tokens)
    while first_box > 1 and "," in tokens[first_box - 1]:
        first_box -= 1
    boxes = tokens[first_box:]
    picture = os.path.join(folder, line.rsplit(None, len(boxes))[0])
    if (not boxes or _BOXES.fullmatch(" ".join(boxes))) and os.path.isfile(picture):
        return picture, boxes

    for first, token in enumerate(re.finditer(r"\S+", line), 1):
        if token.end() > _LONGEST_PATH:
            break
        longer = os.path.join(folder, line[: token.end()])
        if first >= first_box and os.path.isfile(longer):
            boxes = tokens[first:]
            if not boxes or _BOXES.fullmatch(" ".join(boxes)):
                return longer, boxes
    # No such file: the path ends at the last token that ends as file names do, and what follows is meant to be boxes.
    last = max((i for i, token in enumerate(tokens) if _FILE_ENDING.search(token)), default=first_box - 1)
    boxes = []
    for token in tokens[last + 1 :]:
        if _BOXES.fullmatch(token):
            boxes.append(token)
        else:
            on_problem("malformed box", f"{source}: {token!r} is not a box: {_explain(token)}; write {_FORM}")
    picture = os.path.join(folder, line.rsplit(None, len(tokens) - 1 - last)[0])
    if not os.path.isfile(picture):
        on_problem("missing picture", f"{source}: there is no picture {picture}; relative paths start from the list's folder")
    return picture, boxes


def _explain(token):
    """What is wrong with a token that should be a box."""
    fields = token.split(",")
    if len(fields) != 5:
        return f"it has {len(fields)} value{'s' * (len(fields) > 1)}, not 5"
    for field in fields[:4]:
        if not re.fullmatch(_NUMBER, field, re.ASCII):
            return f"{field!r} is not a number"
    return f"class {fields[4]!r} is not a whole number from 0"


def _check_boxes(table, names, source, on_problem):
    """Which rows (x1, y1, x2, y2, class) of all records a picture can have; source(row) says where one stood."""
    corners = table[:, :4]
    # float32 holds these exactly enough; beyond, a box could lose its area on the way.
    too_large = ~np.all(np.abs(corners) < 2**20, axis=1)
    for row in np.flatnonzero(too_large):
        on_problem("box too large", f"{source(row)}: box {show_box(corners[row])} is larger than any picture; write pixels")
    sides = corners.clip(-(2**20), 2**20).astype(np.float32)
    flat = ~too_large & ~np.all(sides[:, 2:] > sides[:, :2], axis=1)
    for row in np.flatnonzero(flat):
        on_problem(
            "box without area",
            f"{source(row)}: box {show_box(corners[row])} has no area; write {_FORM} with x1 < x2 and y1 < y2",
        )
    unnamed = ~too_large & ~flat & (table[:, 4] >= len(names))
    for row in np.flatnonzero(unnamed):
        on_problem(
            "class without a name",
            f"{source(row)}: class {table[row, 4]:.0f} has no name: there are {len(names)} names, for classes 0 to "
            f"{len(names) - 1}",
        )
    return ~(too_large | flat | unnamed)
