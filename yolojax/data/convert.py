"""From any annotation format to any other; pictures stay where they are and are referred to."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.formats.coco import write_coco
from yolojax.data.formats.read import read_annotations, recognise, split_of, splits
from yolojax.data.formats.rows import check_names
from yolojax.data.formats.text import write_text_list
from yolojax.data.formats.voc import write_voc
from yolojax.data.formats.yolo import write_yolo
from yolojax.data.image_size import picture_sizes
from yolojax.errors import InputError


def convert(
    data: Sequence[str | os.PathLike],
    to: str,
    out: str | os.PathLike,
    *,
    split: str | None = None,
    names: Sequence[str] | None = None,
) -> list[str]:
    """Write data sets in another format, split by split.

    data: as `read_annotations` takes them. A VOC folder or a data.yaml brings all its splits, or `split` alone; a text list
        and a COCO file are one split each, named after the file. Splits of the same name become one.
    to: "text": SPLIT.txt and classes.names; "voc": Annotations, ImageSets, classes.names and links in JPEGImages; "coco":
        SPLIT.json; "yolo": data.yaml, labels, SPLIT.txt and links in images. Links and paths are relative.
    out: a folder, new or empty.
    names: the class names; None: those of the first data set, which a text list does not have.
    Returns: a line for each split that was written and each kind of thing that was lost.
    Raises: InputError for data that cannot be read, an `out` that is not empty or lies in the data, the same picture with
        two sets of boxes, a picture whose size or name cannot be used.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; give a new one")
    names, parts, lines = _read(data, split, names, out)
    records = {record.path: record for part in parts.values() for record in part}
    for path in records:
        stem = os.path.splitext(os.path.basename(path))[0]
        if not path.isprintable() or stem != stem.strip():
            raise InputError(f"{path!r}: lists cannot hold such a picture's path; rename it")
    sizes = dict(zip(records, picture_sizes(list(records.values())), strict=True))

    lines += _losses(records.values(), to)
    if to == "yolo":
        parts, clipped = _clip(parts, sizes)
        lines += [f"{clipped} boxes that reached over their picture's edge were cut off there"] if clipped else []
    if to != "coco":
        parts = {name: [_without_crowd(record) for record in part] for name, part in parts.items()}
    pictures, members = _name_files(parts) if to in ("voc", "yolo") else ({}, {})
    try:
        out.mkdir(parents=True, exist_ok=True)
        if pictures:
            _link(pictures, out / ("JPEGImages" if to == "voc" else "images"))
        _write(out, to, names, parts, sizes, pictures, members)
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot be written: {error.strerror}") from error
    return lines


def _write(out, to, names, parts, sizes, pictures, members):
    if to in ("text", "voc"):
        (out / "classes.names").write_text("".join(f"{name}\n" for name in names), "utf-8")
    if to == "text":
        for name, part in parts.items():
            write_text_list(out / f"{name}.txt", part, [_relative(record.path, out) for record in part])
    elif to == "coco":
        for name, part in parts.items():
            files = [_relative(record.path, out) for record in part]
            write_coco(out / f"{name}.json", names, part, [sizes[record.path] for record in part], files)
    elif to == "voc":
        stems = {name: os.path.splitext(name)[0] for name in pictures}
        annotations = {stems[name]: (record, sizes[record.path]) for name, record in pictures.items()}
        write_voc(out, names, annotations, {name: [stems[file] for file in files] for name, files in members.items()})
    else:
        write_yolo(out, names, {name: (record, sizes[record.path]) for name, record in pictures.items()}, members)


def _read(data, split, names, out):
    """The class names, {split: records} of all the data, and lines about it."""
    parts, lines, left_out = {}, [], set()
    for entry in data:
        path, chosen = split_of(entry)
        has_splits = recognise(path) in ("voc", "yolo")
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        if has_splits and Path(folder).resolve() in (out.resolve(), *out.resolve().parents):
            raise InputError(f"{out}: lies in the data, {folder or '.'}, which is not to be changed; give a folder elsewhere")
        if split and not has_splits:
            raise InputError(f"{path}: has no splits; leave out --split")
        wanted = [chosen or split] if chosen or split else splits(path) if has_splits else ()
        for name in wanted or (None,):
            part = name or ("all" if has_splits else Path(path).stem)
            annotations = read_annotations(path, name, names)
            names = check_names(annotations.names, path)
            known = {record.path: record.source for record in parts.get(part, ())}
            for record in annotations.records:
                if record.path in known:
                    raise InputError(f"{record.source}: {record.path} is in the split {part!r} already: {known[record.path]}")
            parts[part] = parts.get(part, []) + annotations.records
            lines.append(_describe(part, annotations.records))
            left_out.update(annotations.left_out)
    return names, parts, lines + ([f"{len(left_out)} boxes without area were left out"] if left_out else [])


def _describe(part, records):
    return f"{part}: {len(records)} pictures, {sum(len(record.boxes) for record in records)} boxes"


def _losses(records, to):
    """A line for each kind of thing that the format cannot say and these records have."""
    crowd = sum(int(record.crowd.sum()) for record in records)
    difficult = sum(int((record.difficult & ~record.crowd).sum()) for record in records)
    lines = []
    if crowd and to != "coco":
        lines.append(f"{crowd} boxes round crowds were left out: {to} cannot mark them")
    if difficult and to != "voc":
        lines.append(f"{difficult} difficult boxes became ordinary ones: {to} cannot mark them")
    if to == "voc":
        lines.append("the order of the classes is not kept by VOC itself: give classes.names where their numbers matter")
    if to == "yolo":
        lines.append("corners became rounded parts of the picture's width and height: they come back to about 1e-4 pixels")
    return lines


def _clip(parts, sizes):
    """Records with their boxes cut off at the picture's edges, and how many boxes that changed."""
    changed = {}

    def clip(record):
        height, width = sizes[record.path]
        boxes = np.clip(record.boxes, 0, np.array([[width, height, width, height]], np.float32))
        changed[record.path] = int((boxes != record.boxes).any(1).sum())
        return Record(record.path, boxes, record.classes, record.source, record.difficult, record.crowd)

    parts = {name: [clip(record) for record in part] for name, part in parts.items()}
    return parts, sum(changed.values())


def _without_crowd(record):
    kept = ~record.crowd
    return Record(record.path, record.boxes[kept], record.classes[kept], record.source, record.difficult[kept])


def _relative(picture, folder):
    """A picture's path from a folder; links on the way are followed, as `..` would not come back over them."""
    parent, name = os.path.split(os.path.abspath(picture))
    return os.path.relpath(os.path.join(os.path.realpath(parent), name), os.path.realpath(folder))


def _name_files(parts):
    """File names by which all pictures can lie in one folder: {file name: record} and {split: [file names]}."""
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


def _link(pictures, folder):
    folder.mkdir()
    for name, record in pictures.items():
        os.symlink(_relative(record.path, folder), folder / name)


def _check_same(record, other):
    for member in ("boxes", "classes", "difficult"):
        if not np.array_equal(getattr(record, member), getattr(other, member)):
            raise InputError(f"{record.source}: {record.path} is at {other.source} as well, with other boxes; keep one")
