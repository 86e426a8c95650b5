"""From any annotation format to any other; pictures stay where they are and are referred to."""

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.formats.find import standard_split
from yolojax.data.formats.format import Format
from yolojax.data.formats.names import check_names
from yolojax.data.formats.read import FORMATS, has_splits, read_annotations, split_of, splits
from yolojax.data.image_size import picture_sizes
from yolojax.data.problems import Problem, summarise
from yolojax.errors import InputError
from yolojax.runtime.file_names import file_names
from yolojax.runtime.files import beside, whole_set
from yolojax.runtime.paths import absolute

_Parts = dict[str, list[Record]]
WRITTEN = tuple(name for name, form in FORMATS.items() if form.write is not None)
"""The names of the formats that can be written."""
_KEYS = "names", "nc", "path", "download"
"""What a split cannot be called, since they mean something else in a data.yaml."""


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
        data: data sets as `read_annotations` takes them. A VOC folder or a data.yaml brings all its splits, or `split` alone.
            A text list and a COCO file are one split each. Its name is what follows the file, as in "a.json:train"; else that
            for which the file's name stands, or the name of the nearest of the two folders above it ("train", "val" or
            "test"); else the file's name. Splits that have the same name for another reason than their files' become one.
        to: "text" writes SPLIT.txt and classes.names; "voc" Annotations, ImageSets, classes.names and links in JPEGImages;
            "coco" SPLIT.json; "yolo" data.yaml, labels, SPLIT.txt and links in images. Links and paths are relative.
        out: a folder, new or empty.
        split: the only split to convert; None: all.
        names: the class names; None: those of the first data set, which a text list does not have.

    Returns:
        A line for each split that was written and each kind of thing that was lost.

    Raises:
        InputError: data cannot be read, `out` is not empty or lies in the data, a picture has two sets of boxes, a picture's
            size or name cannot be used, or two files of different data sets have the same name, which says nothing about their
            splits.
    """
    write = FORMATS[to].write
    if write is None:
        raise InputError(f"{to}: is read, but not written; the formats to write are {', '.join(WRITTEN)}")
    out = Path(out)
    check_new(out)
    class_names, parts, lines = _read(data, split, names, out)
    records = {record.path: record for part in parts.values() for record in part}
    for path in records:
        stem = os.path.splitext(os.path.basename(path))[0]
        if not path.isprintable() or stem != stem.strip():
            raise InputError(f"{path!r}: lists cannot hold this path; rename the picture")
    sizes = dict(zip(records, picture_sizes(list(records.values())), strict=True))

    form = FORMATS[to]
    lines += losses(records.values(), form)
    safe = dict(zip(parts, file_names([*_KEYS, *parts])[len(_KEYS) :], strict=True))
    lines += [f"the split {name!r} is called {safe[name]!r}: files are named after it" for name in parts if safe[name] != name]
    parts = {safe[name]: part for name, part in parts.items()}
    if not form.marks_crowd:
        parts = {name: [without_crowd(record) for record in part] for name, part in parts.items()}
    with whole_set(out) as draft:
        return lines + write(draft, class_names, parts, sizes)


def _read(
    data: Sequence[str | os.PathLike[str]], split: str | None, names: Sequence[str] | None, out: Path
) -> tuple[Sequence[str], _Parts, list[str]]:
    """The class names, {split: records} of all the data, and lines about it."""
    parts: _Parts = {}
    lines: list[str] = []
    problems: list[Problem] = []
    named_after: dict[str, str] = {}
    for entry in data:
        path, chosen = split_of(entry)
        has_parts = has_splits(path)
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        if (has_parts or os.path.isdir(path)) and _lies_in(out, folder):
            raise InputError(f"{out}: lies in the data, {folder or '.'}, which must not be changed; give a folder elsewhere")
        if split and not has_parts:
            raise InputError(f"{path}: has no splits; leave out --split")
        if chosen and not has_parts and not re.fullmatch(r"\w[\w .-]*", chosen):
            raise InputError(f"{entry}: {chosen!r} cannot name a split; write letters and digits, such as {path}:train")
        wanted = chosen or split
        for name in ([wanted] if wanted else splits(path)) if has_parts else [None]:
            part = name or chosen or split_from_path(path) or ("all" if os.path.isdir(path) else Path(path).stem)
            if not (name or chosen or os.path.isdir(path) or split_from_path(path)):
                _check_one_file(part, path, named_after)
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


def split_from_path(path: str | os.PathLike[str]) -> str | None:
    """The split that a file's name, or the nearest of the two folders above it, stands for; None: none of them does.

    Exports often give the file of every split the same name, as Roboflow's valid/_annotations.coco.json.
    """
    path = Path(absolute(path))
    places = (path.stem, *(folder.name for folder in path.parents[:2]))
    return next((split for name in places if (split := standard_split(name))), None)


def _check_one_file(part: str, path: str, named_after: dict[str, str]) -> None:
    """Refuses a second file of the name of a first one, which `named_after` holds by split."""
    first = named_after.setdefault(part, path)
    if not os.path.samefile(first, path):
        raise InputError(
            f"{path}: would become one split, {part!r}, with {first}, only because the files have the same name; write "
            f"{path}:NAME with the split's name, and the same for {first} (the same NAME makes them one)"
        )


def _describe(part: str, records: Sequence[Record]) -> str:
    return f"{part}: {len(records)} pictures, {sum(len(record.boxes) for record in records)} boxes"


def _lies_in(out: Path, folder: str) -> bool:
    """Whether a path is that of a folder or leads into it, links followed."""
    target = Path(os.path.realpath(out))
    return Path(os.path.realpath(folder)) in (target, *target.parents)


def check_new(out: Path) -> None:
    """Refuse an output that exists, unless it is an empty folder that can be replaced.

    Raises:
        InputError: it is a file, or a folder that holds something, is a mount point, or lies where nothing may be written.
    """
    if not beside(out):
        raise InputError(f"{out}: is a mount point, or its parent may not be written; give a new folder inside it")
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new one")


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
