"""A data set without splits, divided into training, validation and test pictures."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.convert import losses, without_crowd
from yolojax.data.formats.links import relative_path
from yolojax.data.formats.names import check_names, write_names
from yolojax.data.formats.read import FORMATS, read_annotations
from yolojax.data.formats.text import write_text_list
from yolojax.data.problems import summarise
from yolojax.errors import InputError

TRAIN = 0


class Split(NamedTuple):
    """A data set that was divided.

    Attributes:
        names: the class names.
        parts: the records of each part that is not empty: "train", "val", "test".
        losses: a line for each kind of thing that was left out or that text lists cannot express.
    """

    names: tuple[str, ...]
    parts: dict[str, list[Record]]
    losses: list[str]


def split_data(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    val: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    names: Sequence[str] | None = None,
) -> Split:
    """Divides a data set and writes train.txt, val.txt, test.txt and classes.names; pictures are referred to where they are.

    The lists hold the pictures in the order of the data, with paths relative to `out`. `divide` says which picture goes where.

    Args:
        data: as `read_annotations` takes it; all its splits together unless it names one.
        out: a folder, new or empty.
        val: share of the pictures for validation, in [0, 1); 0 writes no val.txt.
        test: share of the pictures for the test, in the same way. The rest is for training.
        seed: the seed of the random numbers; the same one gives the same division.
        names: the class names, class 0 first; None takes those of the data, which a text list does not have.

    Returns:
        What was written.

    Raises:
        InputError: shares or a seed out of range, data that cannot be read, a picture that is listed twice, fewer pictures than
            parts, or an `out` that is not empty or cannot be written.
    """
    _check_numbers(val, test, seed)
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new one")
    annotations = read_annotations(data, names=names)
    class_names = check_names(annotations.names, os.fspath(data))
    records = [without_crowd(record) for record in annotations.records]
    _check_records(records)
    shares = {"train": 1 - val - test, "val": val, "test": test}
    wanted = [name for name, share in shares.items() if share > 0 or name == "train"]
    part_of = divide([record.classes for record in records], len(class_names), [shares[name] for name in wanted], seed)
    parts = {name: [records[row] for row in np.flatnonzero(part_of == part)] for part, name in enumerate(wanted)}
    empty = [name for name, part in parts.items() if not part]
    if empty:
        raise InputError(f"{data}: {len(records)} pictures are too few: none is left for {empty[0]}; change --val or --test")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_names(out / "classes.names", class_names)
        for name, part in parts.items():
            write_text_list(out / f"{name}.txt", part, [relative_path(record.path, out) for record in part])
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot be written: {error.strerror}") from error
    lost = losses(annotations.records, FORMATS["text"])
    return Split(class_names, parts, lost + summarise(annotations.problems))


def divide(classes: Sequence[np.ndarray], num_classes: int, shares: Sequence[float], seed: int) -> np.ndarray:
    """Divides images at random so that each part gets its share of the images, and about its share of those of each class.

    First each class, the rarest first, gets an image in part 0 (training), while that has room. Then the images follow by
    iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data"): those of the
    class with the fewest images left go, one by one, to the part that lacks the most images of this class, among the parts with
    room. Images without objects count as a class of their own.

    Args:
        classes: for each image the classes of its boxes, (boxes,) int, from 0; a class may occur several times.
        num_classes: the number of classes.
        shares: the share of each part; together they sum to 1. The number of images of a part is its share, rounded, and
            part 0 gets what the others leave.
        seed: the seed of the random numbers; the same one gives the same division.

    Returns:
        The part of each image, (images,) int64.
    """
    labels = [np.unique(present) if len(present) else np.array([num_classes]) for present in classes]
    count = len(labels)
    room = np.floor(np.asarray(shares) * count + 0.5).astype(np.int64)
    room[TRAIN] = max(0, count - room[TRAIN + 1 :].sum())
    part_of = np.full(count, -1, np.int64)
    images = [np.zeros(0, np.int64)] * (num_classes + 1)
    order = np.random.default_rng(seed).permutation(count)
    flat = np.concatenate([np.zeros(0, np.int64), *(labels[image] for image in order)])
    owner = np.repeat(order, [len(labels[image]) for image in order])
    for label in range(num_classes + 1):
        images[label] = owner[flat == label]
    left = np.array([len(members) for members in images])
    lacking = np.outer(np.asarray(shares), left)

    def put(image: int, part: int) -> None:
        part_of[image] = part
        room[part] -= 1
        left[labels[image]] -= 1
        lacking[part, labels[image]] -= 1

    for label in np.argsort(left[:num_classes], kind="stable"):
        members = images[label]
        if len(members) and room[TRAIN] and not (part_of[members] == TRAIN).any():
            put(members[0], TRAIN)
    while left.any():
        label = np.argmin(np.where(left > 0, left, count + 1))
        for image in images[label][part_of[images[label]] < 0]:
            # Of parts that lack the same number, the one with more room; of those, the first.
            put(image, max(np.flatnonzero(room).tolist(), key=lambda part: (lacking[part, label], room[part], -part)))
    return part_of


def _check_numbers(val, test, seed):
    for name, share in (("--val", val), ("--test", test)):
        if not 0 <= share < 1:
            raise InputError(f"{name} must be at least 0 and less than 1, not {share:g}")
    if val + test >= 1:
        raise InputError(f"--val {val:g} and --test {test:g} leave nothing for training; their sum must be less than 1")
    if seed < 0:
        raise InputError(f"--seed must be at least 0, not {seed}")


def _check_records(records):
    """Refuses a picture that is listed twice, which could end up in two parts, and paths that a list cannot hold."""
    first = {}
    for record in records:
        path = os.path.realpath(record.path)
        if path in first:
            raise InputError(f"{record.source}: picture {record.path} is already at {first[path]}; keep one, with all boxes")
        first[path] = record.source
        stem = os.path.splitext(os.path.basename(record.path))[0]
        if not record.path.isprintable() or stem != stem.strip():
            raise InputError(f"{record.path!r}: lists cannot hold this path; rename the picture")
