"""Folders of text lists with their class names, as `yolojax split` and `yolojax convert --to text` write them."""

import os
from collections.abc import Sequence
from pathlib import Path

from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.looks_like import file_looks_like
from yolojax.data.formats.names import read_names
from yolojax.data.formats.text import TEXT, read_text_list
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

NAMES = "classes.names"


def read_text_folder(
    folder: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a folder of text lists.

    Args:
        folder: the folder, with SPLIT.txt for each split and classes.names.
        split: the name of a list without its extension; None: all of them.
        names: the class names; None: those of classes.names.
        on_problem: as for `read_text_list`.

    Returns:
        The class names and the records.

    Raises:
        InputError: there is no such split, or the names or a list cannot be read.
    """
    folder = Path(folder)
    names = tuple(names) if names is not None else read_names(folder / NAMES)
    known = lists_in(folder)
    if split is not None and split not in known:
        raise InputError(f"{folder}: no split {split!r} (it has: {', '.join(known)})")
    records = [
        record
        for name in ([split] if split is not None else known)
        for record in read_text_list(folder / f"{name}.txt", names, on_problem)
    ]
    return names, records


def lists_in(folder: Path) -> tuple[str, ...]:
    """The text lists of a folder without their extensions, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.txt") if path.is_file() and file_looks_like(path) is None))


TEXT_FOLDER = Format(
    name="text folder",
    recognises=lambda path: (path / NAMES).is_file() and bool(lists_in(path)),
    read=read_text_folder,
    splits=lists_in,
    stops=TEXT.stops,
    repeats=False,
)
