"""Any annotation format in: it is recognised by what lies there, and comes out as the same records."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from yolojax.data.annotations import Record, read_names, read_text_list, refuse
from yolojax.data.formats.coco import read_coco
from yolojax.data.formats.voc import check_splits, read_voc, voc_splits
from yolojax.data.formats.yolo import read_yolo, yolo_splits
from yolojax.errors import InputError


class Annotations(NamedTuple):
    """What a data set says: names of the classes, records of the pictures, and a line for each box that was left out."""

    names: tuple[str, ...]
    records: list[Record]
    left_out: list[str]


def read_annotations(
    data: str | os.PathLike,
    split: str | None = None,
    names: Sequence[str] | None = None,
    on_problem: Callable[[str, str], None] | None = None,
) -> Annotations:
    """Read annotations of whichever format.

    data: a text list; a folder with Annotations/ (VOC); a .json (COCO); a .yaml, or a folder with data.yaml (YOLO). With
        `:SPLIT` behind a VOC folder or a data.yaml it means that split, whatever `split` says.
    split: of a VOC folder or a data.yaml; None: all of it. A text list and a COCO file are one split, and this is ignored.
    names: the class names, class 0 first; None: those of the data, which a text list does not have.
    on_problem: called with (kind, message), a few words and a line with the place, for each file, line, entry and box that
        cannot be used; where it returns, that is left out. None: the first is an InputError, but boxes without area are left
        out and listed (in a text list they are refused).
    Raises: InputError, with file and line, for the above, and for what keeps the whole from being read.
    """
    path, chosen = split_of(data)
    split = chosen or split
    names = tuple(names) if names else None
    form = recognise(path)
    left_out = []

    def refuse_or_list(kind, message):
        if kind == "box without area":
            left_out.append(message)
        elif kind != "picture twice":
            refuse(kind, message)

    if form == "voc":
        return Annotations(*read_voc(path, split, names, on_problem or refuse_or_list), left_out)
    if form == "yolo":
        return Annotations(*read_yolo(_yaml(path), split, names, on_problem or refuse_or_list), left_out)
    if chosen:
        raise InputError(f"{data}: {path} has no splits; leave out :{chosen}")
    if form == "coco":
        return Annotations(*read_coco(path, names, on_problem or refuse_or_list), left_out)
    if names is None:
        raise InputError(f"{path}: a text list has no class names; give a file with one a line (--names, or config.data.names)")
    return Annotations(names, read_text_list(path, names, on_problem or refuse), left_out)


def read_data(
    data: str | os.PathLike, names: str | os.PathLike | None, on_problem: Callable[[str, str], None]
) -> tuple[tuple[str, ...], list[Record]]:
    """Read annotations of whichever format for a report of all their problems: class names and records.

    data: as of `read_annotations`, all splits unless one is named; names: path of a file with one class name a line, or None.
    on_problem: as of `read_annotations`, but what is read twice, as labels of two pictures, is told once. Pictures
        need not exist: who reads them will tell.
    Raises: InputError for what keeps the whole from being read, as a list of no pictures or a COCO file that is not JSON.
    """
    path, chosen = split_of(data)
    form = recognise(path)
    told = set()

    def tell(kind, message):
        # A line of a text list is read once, and may hold the same box twice.
        if kind != "missing picture" and (form == "text" or message not in told):
            told.add(message)
            on_problem(kind, message)

    annotations = read_annotations(data, names=read_names(names) if names else None, on_problem=tell)
    if form == "voc" and not chosen:
        check_splits(path, tell)
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


def outside(data: str | os.PathLike, records: Sequence[Record]) -> str | None:
    """Where a COCO file or a data.yaml leads out of its own folder, which both may: a line, or None.

    data: as of `read_annotations`; records: those read of it. Text lists hold paths of the user's choosing, and VOC folders
    that lead elsewhere are refused.
    """
    path = Path(os.path.abspath(split_of(data)[0]))
    if recognise(path) not in ("coco", "yolo"):
        return None
    folder = path if path.is_dir() else path.parent
    folder = folder.parent if folder.name == "annotations" else folder
    paths = (os.path.abspath(record.path) for record in records)
    elsewhere = [picture for picture in paths if not Path(picture).is_relative_to(folder)]
    return f"{len(elsewhere)} pictures lie outside of {folder}, the first at {elsewhere[0]}" if elsewhere else None


def splits(path: str | os.PathLike) -> tuple[str, ...]:
    """The names of the splits of a VOC folder or a data.yaml; none for a text list and a COCO file."""
    form = recognise(path)
    if form == "voc":
        return voc_splits(path)
    return yolo_splits(_yaml(path)) if form == "yolo" else ()


def _yaml(path):
    return os.path.join(path, "data.yaml") if os.path.isdir(path) else path
