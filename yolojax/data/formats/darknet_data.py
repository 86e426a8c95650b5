"""Darknet's .data file: where the class names and the lists of pictures are; the boxes are in YOLO label files.

github.com/AlexeyAB/darknet#how-to-train-to-detect-your-custom-objects; CVAT exports "YOLO 1.1" in this form.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.formats.find import find_file, is_hidden, standard_split
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.label_files import labels_of_list
from yolojax.data.formats.names import read_names
from yolojax.data.formats.starts import starts
from yolojax.data.formats.text import read_text_list
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem, refuse
from yolojax.errors import InputError

_SPLITS = ("train", "val", "test")


def read_darknet(
    path: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a .data file, the lists it names and the label files of their pictures.

    Relative paths, in the file and in its lists, start from one of the places of `starts`. A picture that several splits list
    counts once when all are read.

    Args:
        path: the .data file, or a folder with one.
        split: "train", "val" (`valid` in the file) or "test"; None: all of them together.
        names: the file's class names in another order, or the same number of other names; None: those of the file.
        on_problem: called, with file and line, for a missing list, splits without any label file, a number of `classes` that
            is not the number of names, and as by `read_text_list`. If it returns, that is left out.

    Returns:
        The class names and the records.

    Raises:
        InputError: the file cannot be read or has no class names, or a list has no pictures; the message names it.
    """
    path = _data_file(Path(path))
    values = _read_values(path)
    names, numbers = _class_numbers(path, values, names, on_problem)
    lists = {key: value for key, (value, _) in values.items() if key in _SPLITS}
    if split is not None and split not in lists:
        message = f"{path}: no split {split!r} (it has: {', '.join(lists) or 'none'}); give a list of pictures"
        on_problem("no pictures", message)
    elif not lists:
        on_problem("no pictures", f"{path}: none of train, valid and test is set; each is a list of pictures")

    def report(kind: str, message: str) -> None:
        if kind != "boxes in label files":  # as is usual here
            on_problem(kind, message)

    records: dict[str, Record] = {}
    for key in [key for key in lists if split in (None, key)]:
        if (found := _find(path, key, values, on_problem)) is not None:
            for record in read_text_list(found, names, report):
                records.setdefault(record.path, record)
    without = records and not any(len(record.boxes) for record in records.values())
    if without and not labels_of_list(records, path, lambda *_: None):
        label = Path(next(iter(records))).with_suffix(".txt")
        message = f"{path}: none of its {len(records)} pictures has a label file; the first would be {label}"
        on_problem("no labels", message)
    return names, [
        dataclasses.replace(record, classes=numbers[record.classes].astype(record.classes.dtype)) for record in records.values()
    ]


def data_files(folder: Path) -> list[Path]:
    """The .data files in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if _is_data_file(entry.name))


def _is_data_file(name: str) -> bool:
    return name.lower().endswith(".data") and not is_hidden(name)


def _recognises(path: Path) -> bool:
    if not path.is_dir():
        return _is_data_file(path.name)
    try:
        return not (path / "data.yaml").is_file() and len(data_files(path)) == 1
    except OSError:
        return False


def _data_file(path: Path) -> Path:
    return data_files(path)[0] if path.is_dir() else path


def _splits(path: Path) -> tuple[str, ...]:
    values = _read_values(_data_file(path))
    return tuple(split for split in _SPLITS if split in values)


def _read_values(path: Path) -> dict[str, tuple[str, int]]:
    """{key: (value, line)} of a .data file; the splits have their usual names."""
    values: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(read_lines(path), 1):
        line = line.strip()
        if not line or line[0] in "#;":
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise InputError(f"{path}:{number}: {line[:80]!r} is not 'key = value'; a .data file has train, valid and names")
        key = standard_split(key) or key
        if key in values:
            raise InputError(f"{path}:{number}: {key} is set on line {values[key][1]} already; remove one")
        if value:
            values[key] = value, number
    return values


def _find(path: Path, key: str, values: dict[str, tuple[str, int]], on_problem: OnProblem) -> str | None:
    """The file that a value names, or None; reported if there is none."""
    value, line = values[key]
    places = list(dict.fromkeys(start.join(value) for start in starts(path)))
    for place in places:
        found = find_file(place, f"{path}:{line}", on_problem)
        if os.path.isfile(found):
            return found
    on_problem("missing file", f"{path}:{line}: {key}: there is no file {value}; looked for {', '.join(places)}")
    return None


def _class_numbers(
    path: Path, values: dict[str, tuple[str, int]], names: Sequence[str] | None, on_problem: OnProblem
) -> tuple[tuple[str, ...], np.ndarray]:
    """The class names, and the number among them of each class of the file."""
    own = None
    # Names that are given replace a missing file.
    missing = refuse if names is None else lambda *_: None
    if "names" in values and (found := _find(path, "names", values, missing)):
        own = read_names(found)
    if own is None and names is None:
        raise InputError(f"{path}: no 'names'; write names = FILE with one name per line, or give a names file")
    if own is not None and names is not None and len(own) != len(names):
        raise InputError(f"{path}: {len(own)} class names, but {len(names)} were given; the numbers must be the same")
    names = tuple(names if names is not None else own or ())
    count, line = values.get("classes", (None, 0))
    if count is not None and count != str(len(names)):
        on_problem("number of classes", f"{path}:{line}: classes is {count}, but there are {len(names)} names; correct one")
    # By name where the names are the same, else by number.
    same = own is not None and set(own) == set(names)
    numbers = {name: number for number, name in enumerate(names)}
    return names, np.array([numbers[name] for name in own] if own and same else range(len(names)))


DARKNET = Format(
    name="darknet",
    recognises=_recognises,
    read=read_darknet,
    splits=_splits,
    may_refer_outside=True,
)
