"""LabelMe: a .json of shapes for each picture, as AnyLabeling and X-AnyLabeling write it too.

github.com/wkentaro/labelme: imagePath starts from the file's folder; points are pixels.
"""

import dataclasses
import json
import os
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from yolojax.data.annotations import Record, no_such_class
from yolojax.data.formats.find import find_file, folders_in, standard_split, walk
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.locate import files_in
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.formats.shapes import Corners, around_ellipse, around_points
from yolojax.data.images import ENDINGS
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_HEAD = _TAIL = 1 << 16  # bytes that are read to tell what a file is
_SAMPLE = 20  # of a folder, so many files are looked at to tell what it is
_NO_AREAS = ("line", "point", "linestrip", "points")
# How many points a shape has at least.
_POINTS = {"rectangle": 2, "polygon": 1, "rotation": 3, "mask": 2, "circle": 2}


@dataclasses.dataclass(frozen=True)
class _File:
    """A file that was read, and its shapes, each with its place in the list."""

    path: Path
    content: Mapping[str, Any]
    shapes: list[tuple[int, dict[str, Any]]]


def read_labelme(path: Path, split: str | None, names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read LabelMe's files.

    Args:
        path: a folder of them, or one file.
        split: reads those in the folder of that split, as train/ or valid/; None: all. It is ignored where there is no such.
        names: the class names; None: the sorted labels of all files, so that every split has the same classes.
        on_problem: called, with file and place, for a file that is malformed or not LabelMe's, a shape that is not an area, is
            not a rectangle, lacks a number or is without area, a label that is not in `names`, a picture that is missing, only
            inside the file, or has two files. If it returns, that is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: there is no such split.
    """
    known = _splits(path)
    if split is not None and known and split not in known:
        raise InputError(f"{path}: there is no split {split!r} (there are: {', '.join(known)})")
    paths = _paths(path, on_problem)
    wanted = {file for file in paths if split is None or not known or _split(file, path) == split}
    loaded = [_load(file, on_problem if file in wanted else _pass_over) for file in paths if names is None or file in wanted]
    files = [file for file in loaded if file is not None]
    if names is None:
        labels = {label for file in files for _, shape in file.shapes if _is_area(shape) and (label := _label(shape))}
        names = sorted(labels)
    numbers = {name: number for number, name in enumerate(names)}
    records: dict[str, Record] = {}
    for file in files:
        record = _record(file, numbers, on_problem) if file.path in wanted else None
        if record is not None and (other := records.setdefault(os.path.abspath(record.path), record)) is not record:
            on_problem("malformed image", f"{file.path}: {record.path} is already the picture of {other.source}; keep one")
    return tuple(names), list(records.values())


def _recognises(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() == ".json" and _is_labelme(path)
    splits = [folder for folder in folders_in(path) if standard_split(folder.name)]
    folders = [path, *folders_in(path), *(inner for folder in splits for inner in folders_in(folder))]
    return any(_is_labelme(file) for folder in folders for file in files_in(folder, (".json",))[:_SAMPLE])


def _is_labelme(file: Path) -> bool:
    """Whether a .json has LabelMe's keys near its beginning or end; between them there may be a picture of any size."""
    try:
        with open_regular(file) as opened:
            text = opened.read(_HEAD)
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(len(text), size - _TAIL))
            text += opened.read(_TAIL)
    except (OSError, ValueError):
        return False
    return b'"shapes"' in text and (b'"imagePath"' in text or b'"imageHeight"' in text) and b'"annotations"' not in text


def _paths(path: Path, on_problem: OnProblem) -> list[Path]:
    if not path.is_dir():
        return [path]
    return [file for file in walk(path, on_problem) if file.suffix.lower() == ".json"]


def _split(file: Path, folder: Path) -> str | None:
    """The split that the outermost folder that names one stands for."""
    parts = file.relative_to(folder).parts[:-1]
    return next((split for part in parts if (split := standard_split(part))), None)


def _splits(path: Path) -> tuple[str, ...]:
    if not path.is_dir():
        return ()
    found = {_split(file, path) for file in _paths(path, _pass_over)}
    return tuple(split for split in ("train", "val", "test") if split in found)


def _load(path: Path, on_problem: OnProblem) -> _File | None:
    try:
        with open_regular(path) as file:
            content = json.loads(file.read())
    except json.JSONDecodeError as error:
        return on_problem("malformed file", f"{path}:{error.lineno}: malformed JSON: {error.msg}")
    except (OSError, ValueError, RecursionError) as error:
        return on_problem("malformed file", f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}")
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        return on_problem("other file", f"{path}: no list 'shapes', so not a file of LabelMe")
    shapes = []
    for place, shape in enumerate(content["shapes"]):
        if isinstance(shape, dict):
            shapes.append((place, shape))
        else:
            on_problem("malformed box", f"{path}: shapes[{place}] is {reprlib.repr(shape)}, not an object")
    return _File(path, content, shapes)


def _record(file: _File, numbers: Mapping[str, int], on_problem: OnProblem) -> Record | None:
    picture = _picture(file, on_problem)
    rows = [_row(shape, f"{file.path}: shapes[{place}]", numbers, on_problem) for place, shape in file.shapes]
    if picture is None:
        return None
    record = make_record(picture, str(file.path), filter(None, rows), on_problem)
    return dataclasses.replace(record, stated_size=_stated_size(file.content))


def _stated_size(content: Mapping[str, Any]) -> tuple[int, int] | None:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    return (int(height), int(width)) if _is_number(height) and _is_number(width) else None


def _picture(file: _File, on_problem: OnProblem) -> str | None:
    """The picture of a file: the one that imagePath names, or one of the file's own name.

    None: there is no such, or one of each, and it is not known which is meant.
    """
    path, stated = file.path, file.content.get("imagePath")
    stated = stated if isinstance(stated, str) and stated.isprintable() else ""
    named = _existing([path.parent / stated], str(path), on_problem) if stated else None
    alike = (f"{folder / path.stem}{ending}" for folder in _picture_folders(path) for ending in _endings(stated))
    own = next(filter(os.path.isfile, alike), None)
    if named and own and Path(named).stem != path.stem:
        message = f"{path}: imagePath is {stated}, but there is {own} of the file's own name; remove or rename one of the two"
        return on_problem("malformed image", message)
    if found := named or own:
        return found
    last = re.split(r"[\\/]", stated)[-1]
    if last and (found := _existing([folder / last for folder in _picture_folders(path)], str(path), on_problem)):
        on_problem("other form of name", f"{path}: imagePath {stated} is {found} on disk")
        return found
    if file.content.get("imageData"):
        message = f"{path}: the picture {last} is only inside the file (imageData); write it beside the file"
        return on_problem("picture inside a file", message)
    missing = str(path.parent / (stated or f"{path.stem}.jpg"))
    on_problem("missing picture", f"{path}: there is no picture {missing}, nor one of the file's name beside it")
    return missing


def _picture_folders(path: Path) -> list[Path]:
    return [path.parent, path.parent / "images", path.parent.parent / "images"]


def _endings(stated: str) -> list[str]:
    """The endings of pictures, that of imagePath first."""
    first = os.path.splitext(stated)[1]
    return ([first] if first.lower() in ENDINGS else []) + sorted({*ENDINGS, *(ending.upper() for ending in ENDINGS)})


def _existing(paths: Iterable[Path], where: str, on_problem: OnProblem) -> str | None:
    for path in paths:
        if os.path.isfile(found := find_file(path, where, on_problem)):
            return os.path.normpath(found)
    return None


def _row(shape: Mapping[str, Any], where: str, numbers: Mapping[str, int], on_problem: OnProblem) -> Row | None:
    """The box of a shape, or None."""
    kind = shape.get("shape_type") or "polygon"
    if kind in _NO_AREAS:
        return on_problem("shape without box", f"{where}: a {kind} has no box")
    if not isinstance(kind, str) or kind not in _POINTS:
        return on_problem("malformed box", f"{where}: shape_type {reprlib.repr(kind)} is not read; draw a rectangle")
    label = _label(shape)
    if not label:
        return on_problem("malformed box", f"{where}: label {reprlib.repr(shape.get('label'))} is not a line of text")
    if label not in numbers:
        message = no_such_class(where, label, numbers)
        return on_problem("class without a name", message)
    corners = _corners(kind, shape.get("points"), where, on_problem)
    difficult = shape.get("difficult") is True  # X-AnyLabeling
    return Row(corners, numbers[label], where, difficult=difficult) if corners else None


def _corners(kind: str, points: Any, where: str, on_problem: OnProblem) -> Corners | None:
    """The upright box around a shape; None: its points are not points."""
    fine = isinstance(points, list) and len(points) >= _POINTS[kind] and all(map(_is_point, points))
    if not fine or (kind == "circle" and len(points) != 2):
        return on_problem("malformed box", f"{where}: the points of the {kind} are {reprlib.repr(points)}, not pairs of pixels")
    if kind == "circle":
        (x, y), (edge_x, edge_y) = points
        radius = ((x - edge_x) ** 2 + (y - edge_y) ** 2) ** 0.5
        on_problem("polygon", f"{where}: a circle became the box around it")
        return around_ellipse((x, y), (radius, radius))
    x1, y1, x2, y2 = map(float, around_points(points))
    if kind == "mask":
        on_problem("mask", f"{where}: a mask became the box around it")
        return x1, y1, x2 + 1, y2 + 1  # the second point is the last pixel
    if kind == "rotation":
        on_problem("rotated box", f"{where}: a rotated box became the upright box around it")
    elif kind == "polygon":
        on_problem("polygon", f"{where}: a polygon became the box around it")
    return x1, y1, x2, y2


def _is_area(shape: Mapping[str, Any]) -> bool:
    return (shape.get("shape_type") or "polygon") not in _NO_AREAS


def _label(shape: Mapping[str, Any]) -> str:
    """The class name of a shape; "" if it has none that is a line of text."""
    label = shape.get("label")
    label = label.strip() if isinstance(label, str) else ""
    return label if label.isprintable() else ""


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(map(_is_number, point))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _pass_over(kind: str, message: str) -> None:
    """Says nothing: of the files of other splits only the class names are wanted."""


LABELME = Format(
    name="labelme",
    recognises=_recognises,
    read=lambda path, split, names, on_problem: read_labelme(Path(path), split, names, on_problem),
    splits=_splits,
    may_refer_outside=True,
)
