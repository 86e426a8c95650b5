"""Data that is well-formed and yet cannot be meant: no boxes at all, boxes under a pixel, sizes that are not the picture's."""

import collections
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from yolojax.data.annotations import Record, show_box
from yolojax.data.problems import Problem
from yolojax.runtime.wording import counted

_LABEL_ENDINGS = (".txt", ".xml", ".json", ".csv")
_LABEL_FOLDERS = ("labels", "Annotations", "annotations", "annots")
_LOOKED_AT = 1000  # pictures beside which label files are looked for
_ROUNDING = 1  # pixels by which a stated size may be off, as programs that scale pictures round


def no_boxes(records: Sequence[Record]) -> str:
    """Say that pictures have no boxes, and which label files near them the data set does not use.

    Args:
        records: the pictures; none has a box.

    Returns:
        "12 pictures and not a single box; ..."
    """
    message = f"{counted(len(records), 'picture')} and not a single box"
    found = _label_files(records)
    if not found:
        return f"{message}; label the pictures first, or give the data set that holds the boxes"
    where = " and ".join(f"{count:,} in {folder} (such as {name})" for folder, (count, name) in found.items())
    return (
        f"{message}, but there are files that may be their labels: {where}; give the folder of the data set, its data.yaml or "
        "its .json in place of a list of pictures"
    )


def same_truth(record: Record, other: Record) -> bool:
    """Whether two records of a picture have the same boxes and classes, in any order."""

    def rows(each: Record) -> list[tuple[float, ...]]:
        return sorted((*box, number) for box, number in zip(each.boxes.tolist(), each.classes.tolist(), strict=True))

    return rows(record) == rows(other)


def boxes_under_a_pixel(record: Record) -> Iterator[Problem]:
    """Yield a problem for each box that is narrower or lower than a pixel of its picture."""
    for row in np.flatnonzero(under_a_pixel(record.boxes)).tolist():
        yield Problem(
            "box under a pixel",
            f"{record.source}: box {show_box(record.boxes[row])} is narrower or lower than a pixel of {record.path}; boxes "
            "must be in pixels, not in shares of the picture from 0 to 1",
        )


def under_a_pixel(boxes: np.ndarray) -> np.ndarray:
    """Which of the boxes, (n, 4) xyxy in pixels, are narrower or lower than a pixel, (n,) bool."""
    return np.any(boxes[:, 2:] - boxes[:, :2] < 1, axis=1)


def differs_from_stated(record: Record, size: tuple[int, int]) -> bool:
    """Whether the annotations state a size of their picture at which other boxes would be meant than at its real size.

    The two sides swapped are the picture as it is stored, before its EXIF orientation is applied. They differ unless the boxes
    fit only into the upright picture, in whose pixels they must be then.

    Args:
        record: the picture, its boxes, and the size that its annotations state, if they do.
        size: (height, width) of the picture in pixels, upright.
    """
    stated = record.stated_size
    if stated is None or min(stated) <= 0 or _near(stated, size):
        return False
    return not (_near(stated[::-1], size) and _fit(record.boxes, size) and not _fit(record.boxes, stated))


def stated_size_message(record: Record, size: tuple[int, int]) -> str:
    """The message about a picture for which `differs_from_stated` holds; arguments as there."""
    assert record.stated_size is not None
    stated, real = (f"{width} x {height}" for height, width in (record.stated_size, size))
    message = f"{record.source}: the annotations say that {record.path} has {stated} pixels, but it has {real}"
    if _near(record.stated_size[::-1], size):
        return (
            f"{message}: width and height are swapped, as if its EXIF orientation were not applied; look at the boxes with "
            "yolojax check --out, and correct them or the stated size"
        )
    return f"{message}: it was resized after labelling; use the pictures of the size that was labelled, or scale the boxes"


def similar_names(names: Sequence[str]) -> list[list[int]]:
    """Find class names that may mean the same class: they differ only by case, blanks, hyphens, underscores or a final s.

    Args:
        names: the class names.

    Returns:
        The class numbers of each group of two or more.
    """
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        plain = re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name).casefold())
        # Short words such as "bus" and "gas" are no plurals.
        groups.setdefault(plain[:-1] if len(plain) > 3 and plain.endswith("s") else plain, []).append(number)
    return [group for plain, group in groups.items() if plain and len(group) > 1]


def _near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= _ROUNDING for a, b in zip(one, other, strict=True))


def _fit(boxes: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether boxes lie in a picture of a size (h, w), but for a pixel."""
    height, width = size
    return bool(np.all(boxes[:, 2:] <= [[width + 1, height + 1]]))


def _label_files(records: Sequence[Record]) -> dict[str, tuple[int, str]]:
    """{folder: (number of files, the name of the first)} of files near pictures that are named like them."""
    stems: dict[str, set[str]] = collections.defaultdict(set)
    for record in records[:_LOOKED_AT]:
        folder, name = os.path.split(record.path)
        stems[folder].add(os.path.splitext(name)[0])
    found = {}
    for folder, names in stems.items():
        for candidate in _label_folders(folder):
            try:
                files = sorted(os.listdir(candidate or "."))
            except (OSError, ValueError):  # a path may hold a null byte
                continue
            labels = [name for name in files if _is_label(name, names)]
            if labels:
                found[candidate or "."] = len(labels), labels[0]
    return found


def _is_label(name: str, stems: set[str]) -> bool:
    """Whether a file is named like a picture: a.txt, a.xml, or a.jpg.txt for a.jpg."""
    stem, ending = os.path.splitext(name)
    return ending.lower() in _LABEL_ENDINGS and (stem in stems or os.path.splitext(stem)[0] in stems)


def _label_folders(folder: str) -> Iterator[str]:
    """The folders in which the label files of a folder's pictures usually lie: itself, labels/ in it, beside it or above."""
    yield folder
    parent, last = os.path.split(folder.rstrip(os.sep))
    for labels in _LABEL_FOLDERS:
        yield os.path.join(folder, labels)
        yield os.path.join(parent, labels)  # of images/
        yield os.path.join(os.path.dirname(parent), labels, last)  # of images/train/
