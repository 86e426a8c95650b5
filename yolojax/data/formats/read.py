"""Any annotation format in: it is recognised by what lies there, and comes out as the same records."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from yolojax.data.annotations import Record, read_names, read_text_list
from yolojax.data.formats.coco import read_coco
from yolojax.data.formats.voc import read_voc, voc_splits
from yolojax.data.formats.yolo import read_yolo, yolo_splits
from yolojax.errors import InputError


class Annotations(NamedTuple):
    """What a data set says: names of the classes, records of the pictures, and a line for each box that was left out."""

    names: tuple[str, ...]
    records: list[Record]
    left_out: list[str]


def read_annotations(data: str | os.PathLike, split: str | None = None, names: Sequence[str] | None = None) -> Annotations:
    """Read annotations of whichever format.

    data: a text list; a folder with Annotations/ (VOC); a .json (COCO); a .yaml, or a folder with data.yaml (YOLO). With
        `:SPLIT` behind a VOC folder or a data.yaml it means that split, whatever `split` says.
    split: of a VOC folder or a data.yaml; None: all of it. A text list and a COCO file are one split, and this is ignored.
    names: the class names, class 0 first; None: those of the data, which a text list does not have.
    Returns: Annotations; boxes without area are left out and listed, but in a text list they are refused.
    Raises: InputError, with file and line, for whatever is missing, malformed or of no known format.
    """
    path, chosen = split_of(data)
    split = chosen or split
    names = tuple(names) if names else None
    form = recognise(path)
    if form == "voc":
        return Annotations(*read_voc(path, split, names))
    if form == "yolo":
        return Annotations(*read_yolo(_yaml(path), split, names))
    if chosen:
        raise InputError(f"{data}: {path} has no splits; leave out :{chosen}")
    if form == "coco":
        return Annotations(*read_coco(path, names))
    if names is None:
        raise InputError(f"{path}: a text list has no class names; give a file with one a line (--names, or config.data.names)")
    return Annotations(names, read_text_list(path, names), [])


def read_data(
    data: str | os.PathLike, names: str | os.PathLike | None, on_problem: Callable[[str, str], None]
) -> tuple[tuple[str, ...], list[Record]]:
    """Read annotations of whichever format for a report of all their problems: class names and records.

    data: as of `read_annotations`, all splits unless one is named; names: path of a file with one class name a line, or None.
    on_problem: called with (kind, message) for each box that is left out, and for each malformed line of a text list. Pictures
        of a text list need not exist.
    Raises: InputError for what keeps a format from being read at all: a malformed file of VOC, COCO or YOLO among them.
    """
    class_names = read_names(names) if names else None
    path, chosen = split_of(data)
    if class_names and not chosen and recognise(path) == "text":
        return class_names, read_text_list(path, class_names, check_files=False, on_problem=on_problem)
    annotations = read_annotations(data, names=class_names)
    for line in annotations.left_out:
        on_problem("box without area", line)
    return annotations.names, annotations.records


def split_of(data: str | os.PathLike) -> tuple[str, str | None]:
    """A path as it is given, and the split behind it: "bccd:train" -> ("bccd", "train"), "bccd" -> ("bccd", None).

    Raises: InputError, where there is neither such a file or folder nor one before the last colon.
    """
    data = os.fspath(data)
    before, _, split = data.rpartition(":")
    if os.path.exists(data):
        return data, None
    if before and split and os.path.exists(before):
        return before, split
    raise InputError(f"{data}: there is no such file or folder")


def recognise(path: str | os.PathLike) -> str:
    """The format of a file or folder: "text", "voc", "coco" or "yolo".

    Raises: InputError for a folder that is neither a VOC nor a YOLO data set.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "Annotations").is_dir():
            return "voc"
        if (path / "data.yaml").is_file():
            return "yolo"
        raise InputError(
            f"{path}: a folder with neither Annotations/ (VOC) nor data.yaml (YOLO); of COCO give the .json, else a text list"
        )
    return {".json": "coco", ".yaml": "yolo", ".yml": "yolo"}.get(path.suffix.lower(), "text")


def splits(path: str | os.PathLike) -> tuple[str, ...]:
    """The names of the splits of a VOC folder or a data.yaml; none for a text list and a COCO file."""
    form = recognise(path)
    if form == "voc":
        return voc_splits(path)
    return yolo_splits(_yaml(path)) if form == "yolo" else ()


def _yaml(path):
    return os.path.join(path, "data.yaml") if os.path.isdir(path) else path
