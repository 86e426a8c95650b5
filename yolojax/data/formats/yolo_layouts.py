"""Folders of YOLO labels: the yaml in them, or what a data.yaml would say if there were one."""

import os
import re
from pathlib import Path
from typing import Any

from yolojax.data.formats.find import split_of_name, standard_split, visible_names
from yolojax.data.formats.looks_like import lists_boxes
from yolojax.data.formats.yolo_labels import looks_like_labels
from yolojax.data.formats.yolo_pairs import NAMES_FILES, PICTURE_FOLDERS, holds_labels, label_folder
from yolojax.data.images import ENDINGS
from yolojax.errors import InputError
from yolojax.runtime.files import beginning

EVERYTHING = "everything"
"""The key, in the values of a folder without splits, for all its pictures."""
_NAMES_KEY = re.compile(rb"^[\"']?names[\"']?\s*:", re.MULTILINE)
_HEAD = 1 << 16


def find_yaml(folder: Path) -> Path | None:
    """The yaml file that describes a folder: data.yaml, else the only one with the key `names`.

    Raises:
        InputError: there are several.
    """
    if (folder / "data.yaml").is_file():
        return folder / "data.yaml"
    found = [path for path in _inside(folder) if path.suffix.lower() in (".yaml", ".yml") and _has_names(path)]
    if len(found) > 1:
        files = ", ".join(path.name for path in found)
        raise InputError(f"{folder}: several files that may describe the data set: {files}; give one of them, not the folder")
    return found[0] if found else None


def is_yolo(path: Path) -> bool:
    """Whether a path is a yaml file, a folder with one that has `names`, or a folder of YOLO labels."""
    if not path.is_dir():
        return path.suffix.lower() in (".yaml", ".yml")
    try:
        return bool(find_yaml(path) or layout_of(path))
    except InputError:
        return True


def layout_of(folder: Path) -> dict[str, Any] | None:
    """What a data.yaml would say about a folder of pictures and YOLO labels.

    Splits are train/images or train/ (and valid, test, ...), images/train, or lists of pictures (train.txt); without any, all
    pictures of images/, else of the folder, are one. Names are in classes.txt, obj.names or the like.

    Args:
        folder: the folder.

    Returns:
        {split: [folders]} or {EVERYTHING: [folder]}, and `names` if there is a file of them; None for a folder without YOLO
        labels, with a .data file, which says itself where things are, or with lists of boxes.

    Raises:
        InputError: two files of names differ.
    """
    inside = _inside(folder)
    if any(path.suffix.lower() == ".data" for path in inside):
        return None
    if any(path.suffix.lower() == ".txt" and split_of_name(path.stem) and lists_boxes(path) for path in inside):
        return None  # a label file among the pictures must not make background of all others
    picture_folders = [path for path in inside if path.name.lower() in PICTURE_FOLDERS and path.is_dir()]
    splits: dict[str, list[str]] = {}
    for path in [*inside, *(child for parent in picture_folders for child in _inside(parent))]:
        if path.is_dir() and (split := standard_split(path.name)):
            children = _inside(path)
            nested = [child for child in children if child.name.lower() in PICTURE_FOLDERS and child.is_dir()]
            loose = any(child.suffix.lower() in ENDINGS for child in children)
            places = [path] if loose or not nested else nested
            splits.setdefault(split, []).extend(str(place.relative_to(folder)) for place in places)
    if not splits:
        for path in inside:
            if path.suffix == ".txt" and (split := standard_split(path.stem)) and _is_list(path):
                splits[split] = [path.name]
    values: dict[str, Any] = splits or {EVERYTHING: [picture_folders[0].name if picture_folders else "."]}
    names = _names_file(folder, [folder / place for places in values.values() for place in places])
    roots = [folder / place for places in values.values() for place in places if not place.endswith(".txt")]
    roots = roots or picture_folders or [folder]
    # A folder that may be any is looked through only if class names lie in it.
    into = bool(splits or picture_folders or names)
    if not any(holds_labels(place, into=into) for root in roots for place in dict.fromkeys([label_folder(root), root])):
        return None
    return {**values, **({"names": names} if names else {})}


def names_beside(folder: Path) -> str | None:
    """The file of class names in a folder, its label folder or its only .names file; None if there is none.

    Raises:
        InputError: two files of names differ.
    """
    return _names_file(folder, [])


def _names_file(folder: Path, places: list[Path]) -> str | None:
    """The path from a folder of its names file, or of one where its labels are, as LabelImg writes it."""
    folders = [folder, label_folder(folder / "images")]
    for place in places:
        folders += [label_folder(place), place, label_folder(place).parent]
    found = [path for parent in dict.fromkeys(folders) for path in _names_files_in(parent)]
    for other in found[1:]:
        if other.name == found[0].name and beginning(other, _HEAD) != beginning(found[0], _HEAD):
            raise InputError(f"{other}: not the same class names as {found[0]}; labels that count differently cannot be joined")
    return os.path.relpath(found[0], folder) if found else None


def _names_files_in(folder: Path) -> list[Path]:
    found = [folder / name for name in NAMES_FILES if (folder / name).is_file()]
    other = [path for path in _inside(folder) if path.suffix == ".names"] if folder.is_dir() else []
    return (found or (other if len(other) == 1 else []))[:1]


def _is_list(path: Path) -> bool:
    """Whether the first line of a file is the path of a picture."""
    lines = beginning(path, _HEAD).decode("utf-8-sig", errors="ignore").splitlines()
    return bool(lines) and os.path.splitext(lines[0].strip())[1].lower() in ENDINGS and not looks_like_labels(path)


def _has_names(path: Path) -> bool:
    return bool(_NAMES_KEY.search(beginning(path, _HEAD).removeprefix(b"\xef\xbb\xbf")))


def _inside(folder: Path) -> list[Path]:
    """The files and folders in a folder, sorted, without hidden ones."""
    return [folder / name for name in visible_names(folder)]
