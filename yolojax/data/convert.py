"""From any annotation format to any other; pictures stay where they are and are referred to."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.formats.format import Format
from yolojax.data.formats.names import check_names
from yolojax.data.formats.read import FORMATS, has_splits, read_annotations, split_of, splits
from yolojax.data.image_size import picture_sizes
from yolojax.data.problems import Problem, summarise
from yolojax.errors import InputError

_Parts = dict[str, list[Record]]
WRITTEN = tuple(name for name, form in FORMATS.items() if form.write is not None)
"""The names of the formats that can be written."""


def convert(
    data: Sequence[str | os.PathLike[str]],
    to: str,
    out: str | os.PathLike[str],
    *,
    split: str | None = None,
    names: Sequence[str] | None = None,
) -> list[str]:
    """Write data sets in another format, split by split.

    Args:
        data: data sets as `read_annotations` takes them. A VOC folder or a data.yaml brings all its splits, or `split` alone;
            a text list and a COCO file are one split each, named after the file. Splits of the same name become one.
        to: "text" writes SPLIT.txt and classes.names; "voc" Annotations, ImageSets, classes.names and links in JPEGImages;
            "coco" SPLIT.json; "yolo" data.yaml, labels, SPLIT.txt and links in images. Links and paths are relative.
        out: a folder, new or empty.
        split: the only split to convert; None: all.
        names: the class names; None: those of the first data set, which a text list does not have.

    Returns:
        A line for each split that was written and each kind of thing that was lost.

    Raises:
        InputError: data cannot be read, `out` is not empty or lies in the data, a picture has two sets of boxes, or a
            picture's size or name cannot be used.
    """
    write = FORMATS[to].write
    if write is None:
        raise InputError(f"{to}: is read, but not written; the formats to write are {', '.join(WRITTEN)}")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new one")
    class_names, parts, lines = _read(data, split, names, out)
    records = {record.path: record for part in parts.values() for record in part}
    for path in records:
        stem = os.path.splitext(os.path.basename(path))[0]
        if not path.isprintable() or stem != stem.strip():
            raise InputError(f"{path!r}: lists cannot hold this path; rename the picture")
    sizes = dict(zip(records, picture_sizes(list(records.values())), strict=True))

    form = FORMATS[to]
    lines += losses(records.values(), form)
    if not form.marks_crowd:
        parts = {name: [without_crowd(record) for record in part] for name, part in parts.items()}
    try:
        return lines + write(out, class_names, parts, sizes)
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot be written: {error.strerror}") from error


def _read(
    data: Sequence[str | os.PathLike[str]], split: str | None, names: Sequence[str] | None, out: Path
) -> tuple[Sequence[str], _Parts, list[str]]:
    """The class names, {split: records} of all the data, and lines about it."""
    parts: _Parts = {}
    lines: list[str] = []
    problems: list[Problem] = []
    for entry in data:
        path, chosen = split_of(entry)
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        if (has_splits(path) or os.path.isdir(path)) and Path(folder).resolve() in (out.resolve(), *out.resolve().parents):
            raise InputError(f"{out}: lies in the data, {folder or '.'}, which must not be changed; give a folder elsewhere")
        if split and not has_splits(path):
            raise InputError(f"{path}: has no splits; leave out --split")
        for name in [chosen or split] if chosen or split else splits(path) or [None]:
            part = name or ("all" if has_splits(path) or os.path.isdir(path) else Path(path).stem)
            annotations = read_annotations(path, name, names)
            names = check_names(annotations.names, path)
            known = {record.path: record.source for record in parts.get(part, ())}
            for record in annotations.records:
                if record.path in known:
                    raise InputError(f"{record.source}: {record.path} is in the split {part!r} already: {known[record.path]}")
            parts[part] = parts.get(part, []) + annotations.records
            lines.append(_describe(part, annotations.records))
            problems += annotations.problems
    return names or (), parts, lines + summarise(problems)


def _describe(part: str, records: Sequence[Record]) -> str:
    return f"{part}: {len(records)} pictures, {sum(len(record.boxes) for record in records)} boxes"


def losses(records: Collection[Record], form: Format) -> list[str]:
    """A line for each kind of thing that these records have and a format cannot express."""
    crowd = sum(int(record.crowd.sum()) for record in records)
    difficult = sum(int((record.difficult & ~record.crowd).sum()) for record in records)
    lines = []
    if crowd and not form.marks_crowd:
        lines.append(f"{crowd} boxes around crowds were left out: {form.name} cannot mark them")
    if difficult and not form.marks_difficult:
        lines.append(f"{difficult} difficult boxes became ordinary ones: {form.name} cannot mark them")
    return lines + [form.not_kept] * bool(form.not_kept)


def without_crowd(record: Record) -> Record:
    """The record without its boxes around crowds."""
    kept = ~record.crowd
    return Record(record.path, record.boxes[kept], record.classes[kept], record.source, record.difficult[kept])
