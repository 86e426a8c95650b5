"""Folders that hold COCO files, as tools export them: which file is which split."""

import collections
import os
from pathlib import Path

from yolojax.data.formats.coco_file import is_coco
from yolojax.data.formats.find import is_hidden, split_of_name, standard_split

_DETECTION = "instances_"
# Of the same pictures, but not their boxes.
_OTHER_TASKS = ("captions_", "panoptic_", "stuff_", "image_info_")
_KEYPOINTS = "person_keypoints_"
_WELL_KNOWN = ("_annotations.coco.json", "labels.json", "result.json", "annotations.json")
_MOST = 20  # files: folders with more hold one for each picture
_ORDER = ("train", "val", "test")


def split_files(folder: Path) -> dict[str, Path]:
    """Find the COCO files of a folder.

    These are the files of its annotations/ (COCO, CVAT), or those of train/, valid/ and the like, in each
    _annotations.coco.json (Roboflow), labels.json (FiftyOne) or the only one, or else those in the folder itself (Label Studio:
    result.json, FiftyOne: labels.json, our own: train.json).

    Args:
        folder: the folder.

    Returns:
        {split: file}, train, val and test first; named after the folder's or file's name where that is none of these.
    """
    try:
        inside = sorted(entry for entry in folder.iterdir() if not is_hidden(entry))
    except OSError:
        return {}
    files: list[tuple[str, Path]] = []
    for entry in inside:
        if entry.name.lower() == "annotations" and entry.is_dir():
            files += [(file.stem, file) for file in _detection_files(_coco_files(entry))]
    if not files:
        for entry in inside:
            if standard_split(entry.name) or (entry / "_annotations.coco.json").is_file():
                files += [(entry.name, file) for file in _only_file(entry)]
    if not files:
        files = [(file.stem, file) for file in _detection_files(_coco_files(folder))]
    return _name_splits(files)


def named_splits(folder: Path) -> tuple[str, ...]:
    """The splits of a folder; none if there is one file that is not named after a split."""
    splits = tuple(split_files(folder))
    return splits if len(splits) > 1 or any(split in _ORDER for split in splits) else ()


def _coco_files(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.lower().endswith(".json"))
    except OSError:
        return []
    if len(names) > _MOST:
        names = [name for name in names if name in _WELL_KNOWN or name.startswith(_DETECTION)]
    # A name such as _annotations.coco.json is not hidden.
    return [folder / name for name in names if not is_hidden(name) and is_coco(folder / name)]


def _detection_files(files: list[Path]) -> list[Path]:
    """The files for detection among those of several tasks."""
    detection = [file for file in files if file.name.startswith(_DETECTION)]
    others = [file for file in files if not file.name.startswith(_OTHER_TASKS)]
    return detection or [file for file in others if not file.name.startswith(_KEYPOINTS)] or others


def _only_file(folder: Path) -> list[Path]:
    """The COCO file of a split's own folder, or none."""
    files = _coco_files(folder)
    known = [file for name in _WELL_KNOWN for file in files if file.name == name]
    return known[:1] or (files if len(files) == 1 else [])


def _name_splits(files: list[tuple[str, Path]]) -> dict[str, Path]:
    words = [split_of_name(name) for name, _ in files]
    counts = collections.Counter(words)
    splits: dict[str, Path] = {}
    for word, (name, file) in zip(words, files, strict=True):
        # With train2014 and train2017 neither is "train".
        splits[word if word and counts[word] == 1 else name.removeprefix(_DETECTION)] = file
    return dict(sorted(splits.items(), key=lambda item: (_ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER), item[0])))
