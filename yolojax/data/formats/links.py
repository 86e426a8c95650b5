"""Pictures for a data set that is written: referred to by relative paths, or linked into one folder under unique names."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from yolojax.data.annotations import Record
from yolojax.errors import InputError
from yolojax.runtime.paths import absolute


def relative_path(picture: str, folder: str | os.PathLike[str]) -> str:
    """The path of a picture from a folder; links on the way are followed, because `..` does not lead back over them."""
    parent, name = os.path.split(absolute(picture))
    return os.path.relpath(os.path.join(os.path.realpath(parent), name), os.path.realpath(folder))


def name_files(parts: Mapping[str, list[Record]]) -> tuple[dict[str, Record], dict[str, list[str]]]:
    """Choose file names under which all pictures can lie in one folder; their stems differ, whatever the ending and case.

    Args:
        parts: the records of each split; a picture may be in several.

    Returns:
        {file name: record} and {split: [file names]}.

    Raises:
        InputError: a picture has other boxes in another split.
    """
    pictures, members, file_names, stems = {}, {}, {}, set()
    for part, records in parts.items():
        members[part] = []
        for record in records:
            if record.path in file_names:
                _check_same(record, pictures[file_names[record.path]])
            else:
                stem, ending = os.path.splitext(os.path.basename(record.path))
                # Pictures of one name come from several folders; an annotation is found by its stem alone.
                unique, number = stem, 1
                while unique.casefold() in stems:
                    number += 1
                    unique = f"{stem}_{number}"
                stems.add(unique.casefold())
                file_names[record.path] = unique + ending
                pictures[unique + ending] = record
            members[part].append(file_names[record.path])
    return pictures, members


def link_pictures(pictures: Mapping[str, Record], folder: Path) -> None:
    """Make the folder and in it, under each file name, a relative link to the record's picture."""
    folder.mkdir(parents=True)
    for name, record in pictures.items():
        os.symlink(relative_path(record.path, folder), folder / name)


def _check_same(record: Record, other: Record) -> None:
    for member in ("boxes", "classes", "difficult"):
        if not np.array_equal(getattr(record, member), getattr(other, member)):
            raise InputError(f"{record.source}: {record.path} is at {other.source} as well, with different boxes; keep one")
