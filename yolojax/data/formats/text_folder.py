"""Folders of text lists with their class names, as `yolojax split`, `yolojax digits` and others' programs write them."""

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from yolojax.data.formats.find import split_of_name, standard_split, visible_names
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.looks_like import file_looks_like, lists_boxes
from yolojax.data.formats.names import read_names
from yolojax.data.formats.text import TEXT, read_text_list
from yolojax.data.formats.yolo_layouts import names_beside
from yolojax.data.formats.yolo_pairs import NAMES_FILES
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

NAMES = "classes.names"
_LOOKED_AT = 100  # files, to recognise a folder


def read_text_folder(
    folder: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a folder of text lists.

    Args:
        folder: the folder, with a list for each split and a file of class names, as classes.names.
        split: a split, or the name of a list without its extension; None: all lists.
        names: the class names; None: those of the file.
        on_problem: as for `read_text_list`.

    Returns:
        The class names and the records.

    Raises:
        InputError: there is no such split, or the names or a list cannot be read.
    """
    folder = Path(folder)
    known = lists_in(folder)
    names = tuple(names) if names is not None else _own_names(folder)
    by_any_name = {path.stem: path for path in known.values()} | known
    if split is not None and split not in by_any_name:
        raise InputError(f"{folder}: no split {split!r} (it has: {', '.join(known)})")
    chosen = known.values() if split is None else [by_any_name[split]]
    records = [record for path in chosen for record in read_text_list(path, names, on_problem)]
    for path in _texts(folder):
        if path not in known.values() and path.name.lower() not in NAMES_FILES:
            on_problem("other file", f"{path}: not read, it is not a text list")
    return names, records


def lists_in(folder: Path) -> dict[str, Path]:
    """The text lists of a folder.

    What is named after a split is one, whatever it holds: a mistake in it is to be found when it is read. Of other texts,
    which may name a picture as well, only lists of boxes are where there is no classes.names.

    Args:
        folder: the folder.

    Returns:
        {split: list}, sorted. The split is the list's name without its extension, or what that stands for ("train" for
        2007_train) where no other list's does.
    """
    ours = (folder / NAMES).is_file()
    splits = {path: standard_split(path.stem) or split_of_name(path.stem) for path in _texts(folder) if _is_list(path, ours)}
    counts = Counter(splits.values())
    found = {}
    for path, split in splits.items():
        own = standard_split(path.stem) or split is None or counts[split] > 1
        found[path.stem if own else split] = path
    return dict(sorted(found.items()))


def is_text_folder(path: Path) -> bool:
    """Whether a path is a folder with a list of boxes, or with lists and classes.names."""
    if not path.is_dir():
        return False
    if (path / NAMES).is_file() and lists_in(path):
        return True
    # Lists that are named after a split come first: a folder may have a label file for each of very many pictures.
    texts = sorted(_texts(path), key=lambda text: split_of_name(text.stem) is None)
    return any(map(lists_boxes, itertools.islice(texts, _LOOKED_AT)))


def _is_list(path: Path, ours: bool) -> bool:
    if split_of_name(path.stem) is not None:
        return True
    return path.is_file() and (file_looks_like(path) is None if ours else lists_boxes(path))


def _texts(folder: Path) -> list[Path]:
    """The .txt in a folder, links that lead nowhere and pipes among them."""
    return [path for name in visible_names(folder) if name.lower().endswith(".txt") and not (path := folder / name).is_dir()]


def _own_names(folder: Path) -> tuple[str, ...]:
    name = NAMES if (folder / NAMES).is_file() else names_beside(folder)
    if name is None:
        raise InputError(
            f"{folder}: its text lists have no class names; write them into {NAMES} there, one a line, class 0 first, or give "
            "a names file (--names, or config.data.names)"
        )
    return read_names(folder / name)


TEXT_FOLDER = Format(
    name="text folder",
    recognises=is_text_folder,
    read=read_text_folder,
    splits=lambda folder: tuple(lists_in(folder)),
    stops=TEXT.stops,
    repeats=False,
)
