"""Reading annotations: the format is recognised, and all formats give the same kind of records."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yolojax.data.annotations import Record
from yolojax.data.formats.coco import COCO, COCO_FOLDER
from yolojax.data.formats.cvat import CVAT
from yolojax.data.formats.darknet_data import DARKNET
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.labelme import LABELME
from yolojax.data.formats.looks_like import file_looks_like, folder_looks_like
from yolojax.data.formats.names import read_names
from yolojax.data.formats.table import CSV
from yolojax.data.formats.text import TEXT
from yolojax.data.formats.text_folder import TEXT_FOLDER
from yolojax.data.formats.voc import VOC
from yolojax.data.formats.yolo import YOLO
from yolojax.data.problems import Effect, OnProblem, Problem, effect_of, refuse
from yolojax.errors import InputError
from yolojax.runtime.paths import absolute

# The first that recognises a file or folder reads it. The text list is last: many files could be one.
FORMATS: dict[str, Format] = {
    form.name: form for form in (CVAT, VOC, DARKNET, YOLO, LABELME, COCO_FOLDER, COCO, CSV, TEXT_FOLDER, TEXT)
}

_KNOWN = (
    "VOC (.xml files, as in Annotations/), YOLO (data.yaml, or labels with classes.txt), Darknet (one .data file), "
    "COCO (.json, or a folder), CSV, LabelMe (.json files), CVAT (.xml) and text lists (path x1,y1,x2,y2,class ...)"
)


class Annotations(NamedTuple):
    """What a data set says.

    Attributes:
        names: the class names, class 0 first.
        records: one for each picture.
        problems: what was left out, or read in another way than it stands; see `problems.summarise`.
    """

    names: tuple[str, ...]
    records: list[Record]
    problems: list[Problem]


def read_annotations(
    data: str | os.PathLike[str],
    split: str | None = None,
    names: Sequence[str] | None = None,
    on_problem: OnProblem | None = None,
) -> Annotations:
    """Read annotations of any format.

    Args:
        data: a file or folder of one of these formats, which is recognised:

            - VOC: a folder with Annotations/;
            - YOLO: a data.yaml, or a folder with one;
            - Darknet: a .data file, or a folder with one, as CVAT's YOLO export;
            - COCO: a .json;
            - a text list of pictures with their boxes, or of pictures beside which the label files of YOLO lie.

            With `:SPLIT` behind a data set that has splits it means that split, whatever `split` says.
        split: a split of the data set; None: all of it. It is ignored for formats without splits, such as text lists.
        names: the class names, class 0 first; None: those of the data, which a text list does not have.
        on_problem: called for each file, line, entry and box that cannot be used; if it returns, that is left out. None: the
            first one is an InputError, unless `problems.KINDS` lets its kind pass and the format does not stop at it; those are
            listed.

    Returns:
        The class names, the records, and the problems that did not stop the reading.

    Raises:
        InputError: the data set as a whole cannot be read; the message names file and line.
    """
    path, chosen = split_of(data)
    form = FORMATS[recognise(path)]
    if chosen and not has_splits(path):
        raise InputError(f"{data}: {path} has no splits; leave out :{chosen}")
    problems: list[Problem] = []

    def refuse_or_list(kind: str, message: str) -> None:
        if kind in form.stops or effect_of(kind) is Effect.STOP:
            refuse(kind, message)
        problems.append(Problem(kind, message))

    class_names, records = form.read(path, chosen or split, tuple(names) if names else None, on_problem or refuse_or_list)
    return Annotations(class_names, records, problems)


def read_data(data: str | os.PathLike[str], names: str | os.PathLike[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read annotations of any format for a report of all their problems.

    Args:
        data: as for `read_annotations`; all splits unless one is named.
        names: a file with one class name per line, or None.
        on_problem: as for `read_annotations`, but called once for what is read twice, such as a label file of two pictures, and
            not for missing pictures: they are reported when they are opened.

    Returns:
        The class names and the records.

    Raises:
        InputError: the data set as a whole cannot be read, such as a list without pictures or a COCO file that is not JSON.
    """
    path, chosen = split_of(data)
    form = FORMATS[recognise(path)]
    reported = set()

    def report(kind, message):
        if kind != "missing picture" and not (form.repeats and message in reported):
            reported.add(message)
            on_problem(kind, message)

    annotations = read_annotations(data, names=read_names(names) if names else None, on_problem=report)
    if form.check_splits and not chosen:
        form.check_splits(Path(path), report)
    return annotations.names, annotations.records


def split_of(data: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Separate a path from the split after it: "bccd:train" -> ("bccd", "train"), "bccd" -> ("bccd", None).

    Raises:
        InputError: there is no such file or folder, nor one before the last colon.
    """
    data = os.fspath(data)
    before, _, split = data.rpartition(":")
    if os.path.exists(data):
        return data, None
    if before and split and os.path.exists(before):
        return before, split
    raise InputError(f"{data}: there is no such file or folder")


def recognise(path: str | os.PathLike[str]) -> str:
    """The name of the format of a file or folder, a key of `FORMATS`.

    Raises:
        InputError: no format recognises it; the message says what it looks like.
    """
    path = Path(path)
    if form := _form_of(path):
        return form.name
    looks = folder_looks_like(path, lambda inside: _form_of(inside) is not None) if path.is_dir() else file_looks_like(path)
    raise InputError(f"{path}: no data set is recognised; it looks like {looks or 'no other file either'}. Known are {_KNOWN}")


def _form_of(path: Path) -> Format | None:
    return next((form for form in FORMATS.values() if form.recognises(path)), None)


def has_splits(path: str | os.PathLike[str]) -> bool:
    """Whether a file or folder holds several splits, as a VOC folder, a data.yaml or a .data file may."""
    return bool(splits(path))


def splits(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The names of the splits of a data set; none for a text list and a COCO file."""
    list_splits = FORMATS[recognise(path)].splits
    return list_splits(Path(path)) if list_splits else ()


def outside(data: str | os.PathLike[str], records: Sequence[Record]) -> str | None:
    """Tell if a COCO file, a data.yaml or a .data file refers to pictures outside its own folder.

    Text lists hold paths of the user's choosing, and VOC folders that lead elsewhere are refused.

    Args:
        data: as for `read_annotations`.
        records: those read from it.

    Returns:
        A line, or None.
    """
    path = Path(absolute(split_of(data)[0]))
    if not FORMATS[recognise(path)].may_refer_outside:
        return None
    folder = path if path.is_dir() else path.parent
    folder = folder.parent if folder.name == "annotations" else folder
    paths = (absolute(record.path) for record in records)
    elsewhere = [picture for picture in paths if not Path(picture).is_relative_to(folder)]
    return f"{len(elsewhere)} pictures lie outside {folder}, the first at {elsewhere[0]}" if elsewhere else None
