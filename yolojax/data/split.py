"""A data set without splits, divided into training, validation and test pictures."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.content import content_hashes
from yolojax.data.convert import check_new, losses, without_crowd
from yolojax.data.formats.links import relative_path
from yolojax.data.formats.names import check_names, write_names
from yolojax.data.formats.read import FORMATS, read_annotations
from yolojax.data.formats.text import write_text_list
from yolojax.data.problems import summarise
from yolojax.errors import InputError
from yolojax.runtime.files import whole_set

TRAIN = 0


class Split(NamedTuple):
    """A data set that was divided.

    Attributes:
        names: the class names.
        parts: the records of each part that is not empty: "train", "val", "test".
        losses: a line for each kind of thing that was left out or that text lists cannot express.
        groups: lines about pictures that were kept together.
    """

    names: tuple[str, ...]
    parts: dict[str, list[Record]]
    losses: list[str]
    groups: list[str]


def split_data(
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    val: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    names: Sequence[str] | None = None,
    groups: str | None = None,
) -> Split:
    """Divides a data set and writes train.txt, val.txt, test.txt and classes.names; pictures are referred to where they are.

    The lists hold the pictures in the order of the data, with paths relative to `out`. `divide` says which picture goes where.
    Pictures with the same content are in the same list.

    Args:
        data: as `read_annotations` takes it; all its splits together unless it names one.
        out: a folder, new or empty.
        val: share of the pictures for validation, in [0, 1); 0 writes no val.txt.
        test: share of the pictures for the test, in the same way. The rest is for training.
        seed: the seed of the random numbers; the same one gives the same division.
        names: the class names, class 0 first; None takes those of the data, which a text list does not have.
        groups: a regular expression that is searched in the pictures' file names: those for which its first group, or where
            it has none the whole match, is equal are in the same list, such as the frames of one video.

    Returns:
        What was written.

    Raises:
        InputError: shares or a seed out of range, an expression that is malformed or matches nothing, data that cannot be read,
            a picture that is listed twice, fewer groups of pictures than parts, or an `out` that is not empty or cannot be
            written.
    """
    _check_numbers(val, test, seed)
    out = Path(out)
    check_new(out)
    annotations = read_annotations(data, names=names)
    class_names = check_names(annotations.names, os.fspath(data))
    records = [without_crowd(record) for record in annotations.records]
    _check_records(records)
    shares = {"train": 1 - val - test, "val": val, "test": test}
    wanted = [name for name, share in shares.items() if share > 0 or name == "train"]
    together, lines = _groups([record.path for record in records], groups)
    part_of = divide(
        [record.classes for record in records], len(class_names), [shares[name] for name in wanted], seed, together
    )
    parts = {name: [records[row] for row in np.flatnonzero(part_of == part)] for part, name in enumerate(wanted)}
    empty = [name for name, part in parts.items() if not part]
    if empty:
        kept = f" in {together.max() + 1} groups" if together.max() + 1 < len(records) else ""
        raise InputError(
            f"{data}: {len(records)} pictures{kept} are too few: none is left for {empty[0]}; change --val or --test"
        )
    with whole_set(out) as draft:
        write_names(draft / "classes.names", class_names)
        for name, part in parts.items():
            write_text_list(draft / f"{name}.txt", part, [relative_path(record.path, draft) for record in part])
    lost = losses(annotations.records, FORMATS["text"])
    return Split(class_names, parts, lost + summarise(annotations.problems), lines)


def divide(
    classes: Sequence[np.ndarray],
    num_classes: int,
    shares: Sequence[float],
    seed: int,
    groups: Sequence[int] | np.ndarray | None = None,
) -> np.ndarray:
    """Divides images at random so that each part gets its share of the images, and about its share of those of each class.

    First each class, the rarest first, gets an image in part 0 (training), while that has room. Then the images follow by
    iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data"): those of the
    class with the fewest images left go, one by one, to the part that lacks the most images of this class, among the parts with
    room. Images without objects count as a class of their own. Images of one group go together, large groups first, to a part
    with room for all of them, or else to the one with the most room.

    Args:
        classes: for each image the classes of its boxes, (boxes,) int, from 0; a class may occur several times.
        num_classes: the number of classes.
        shares: the share of each part; together they sum to 1. The number of images of a part is its share, rounded, and
            part 0 gets what the others leave; groups of several images may change that.
        seed: the seed of the random numbers; the same one gives the same division.
        groups: the group of each image, (images,) from 0 without gaps; None: each image is its own.

    Returns:
        The part of each image, (images,) int64.
    """
    count = len(classes)
    groups = np.arange(count) if groups is None else np.asarray(groups, np.int64)
    of_images = [np.unique(of_image) if len(of_image) else np.array([num_classes]) for of_image in classes]
    # In how many of its images each group has each class, only where it has it.
    pairs = np.repeat(groups, list(map(len, of_images))) * (num_classes + 1) + np.concatenate(
        [np.zeros(0, np.int64), *of_images]
    )
    pairs, occurrences = np.unique(pairs, return_counts=True)
    ends = np.cumsum(np.bincount(pairs // (num_classes + 1)))[:-1]
    labels, present = np.split(pairs % (num_classes + 1), ends), np.split(occurrences, ends)
    sizes = np.bincount(groups, minlength=len(labels))
    room = np.floor(np.asarray(shares) * count + 0.5).astype(np.int64)
    room[TRAIN] = max(0, count - room[TRAIN + 1 :].sum())
    part_of = np.full(len(labels), -1, np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(-sizes[order], kind="stable")]
    flat = np.concatenate([np.zeros(0, np.int64), *(labels[group] for group in order)])
    owner = np.repeat(order, [len(labels[group]) for group in order])
    members = [owner[flat == label] for label in range(num_classes + 1)]
    left = np.bincount(pairs % (num_classes + 1), occurrences, num_classes + 1).astype(np.int64)
    lacking = np.outer(np.asarray(shares), left)

    def put(group: int, part: int) -> None:
        part_of[group] = part
        room[part] -= sizes[group]
        left[labels[group]] -= present[group]
        lacking[part, labels[group]] -= present[group]

    for label in np.argsort(left[:num_classes], kind="stable"):
        fitting = members[label][sizes[members[label]] <= room[TRAIN]]
        if len(fitting) and not (part_of[members[label]] == TRAIN).any():
            put(fitting[0], TRAIN)
    while left.any():
        label = np.argmin(np.where(left > 0, left, count + 1))
        for group in members[label][part_of[members[label]] < 0]:
            parts = np.flatnonzero(room >= sizes[group])
            parts = parts if len(parts) else np.flatnonzero(room == room.max())
            # Of parts that lack the same number, the one with more room; of those, the first.
            put(group, max(parts.tolist(), key=lambda part: (lacking[part, label], room[part], -part)))
    return part_of[groups]


def _groups(paths: Sequence[str], pattern: str | None) -> tuple[np.ndarray, list[str]]:
    """The group of each picture, from 0, and lines about them: pictures of one key or of the same content are together."""
    lines = []
    keys = _keys(paths, pattern) if pattern is not None else [None] * len(paths)
    if pattern is not None:
        lines.append(f"{len(set(keys) - {None})} groups by --groups {pattern}: each is in one list")
        alone = [path for path, key in zip(paths, keys, strict=True) if key is None]
        if alone:
            lines.append(f"{len(alone)} pictures are not in a group, as --groups does not match their names: {alone[0]}")
    hashes = content_hashes(paths)
    readable = [number for number in hashes if number is not None]
    if len(readable) > len(set(readable)):
        lines.append(f"{len(readable) - len(set(readable))} pictures are doubles of others: equal files are in one list")
    # A forest of pictures: each points to an earlier one of its group, or to itself.
    above = list(range(len(paths)))

    def root(picture: int) -> int:
        while above[picture] != picture:
            above[picture] = picture = above[above[picture]]
        return picture

    for marks in (keys, hashes):
        first: dict[str | int, int] = {}
        for picture, mark in enumerate(marks):
            if mark is not None:
                one, other = sorted((root(first.setdefault(mark, picture)), root(picture)))
                above[other] = one
    return np.unique([root(picture) for picture in range(len(paths))], return_inverse=True)[1].reshape(-1), lines


def _keys(paths: Sequence[str], pattern: str) -> list[str | None]:
    """What a regular expression finds in each file name, None for nothing."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--groups {pattern}: not a regular expression: {error}") from error
    matches = [expression.search(os.path.basename(path)) for path in paths]
    if not any(matches):
        raise InputError(
            f"--groups {pattern}: matches none of the {len(paths)} file names, such as {os.path.basename(paths[0])}"
        )
    # A first group that took no part in the match says nothing: the whole match does.
    place = min(expression.groups, 1)
    return [match and (match[0] if match[place] is None else match[place]) for match in matches]


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
