"""Pascal VOC: a folder with Annotations/ID.xml, JPEGImages/ID.jpg and ImageSets/Main/SPLIT.txt, one ID per line.

The layouts of labelling tools, without lists, are read as well; see `voc_layout`. Everingham et al. 2010, "The
Pascal Visual Object Classes (VOC) Challenge". Corners are taken as they stand, without the shift by one pixel that counting
from 1 would require.
"""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.formats.find import find_file, standard_split
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import link_pictures, name_files
from yolojax.data.formats.names import write_names
from yolojax.data.formats.rows import make_record
from yolojax.data.formats.voc_layout import Part, find_parts, xml_files
from yolojax.data.formats.voc_objects import SIDES, find_annotation, object_name, object_rows, objects, stated_size
from yolojax.data.formats.voc_pictures import Pictures
from yolojax.data.formats.voc_xml import Element, parse_xml
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

# The devkit's CLASS_SPLIT.txt files, which say which pictures show a class, and the form of their lines.
_CLASS_LIST = re.compile(r".+_(train|val|trainval|test)")
_CLASS_LINE = re.compile(r"\S+ +(-1|0|1)")


class _Entry(NamedTuple):
    """An annotation file: its path from the folder of annotations without its extension, its path, where it is named."""

    name: str
    path: Path
    source: str


def read_voc(
    folder: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a VOC folder.

    Args:
        folder: the folder.
        split: reads ImageSets/Main/SPLIT.txt, where a name that is there twice counts once, or the folder that stands for the
            split; None: every annotation.
        names: the class names; None: the sorted names of all annotations, so that every split has the same classes.
        on_problem: called, with file and line, for XML that is malformed, has a DTD or is not an annotation, an object without
            name or box, corners that are not numbers, inverted or without area, a name that is not in `names`, a missing file,
            a name or <filename> that leads out of its folder, a picture of two annotations or of none. If it returns, that is
            left out, but a record is kept whose picture is missing.

    Returns:
        The class names and the records.

    Raises:
        InputError: the folder has no annotations, or the split is missing or empty.
    """
    folder = Path(folder)
    parts = find_parts(folder)
    read = functools.cache(functools.partial(_annotation, on_problem=on_problem))
    if names is None:
        names = _names(folder, parts, read, on_problem)
    numbers = {name: number for number, name in enumerate(names)}
    records = []
    for part, wanted, lists in _wanted(folder, parts, split, on_problem):
        pictures = Pictures(part.pictures, [entry.name for entry in wanted], on_problem)
        for entry in wanted:
            if not os.path.lexists(entry.path):
                on_problem("missing file", f"{entry.source}: there is no {entry.path}")
            elif tree := read(entry.path):
                source = str(entry.path)
                if (picture := pictures.of(entry.name, tree.text_of("filename"), source)) is None:
                    continue
                rows = [row for item in objects(tree) for row in object_rows(item, entry.path, numbers, on_problem)]
                record = make_record(picture, source, rows, on_problem)
                records.append(dataclasses.replace(record, stated_size=stated_size(tree)))
        if not lists and [other.pictures for other in parts].count(part.pictures) == 1:
            pictures.report_unlabelled()
    return tuple(names), records


def write_voc(
    out: Path,
    names: Sequence[str],
    pictures: Mapping[str, tuple[Record, tuple[int, int]]],
    splits: Mapping[str, Sequence[str]],
) -> None:
    """Write Annotations and ImageSets.

    Args:
        out: the folder.
        names: the class names.
        pictures: for each file name in JPEGImages the record and the (height, width) of the picture in pixels.
        splits: for each split the file names of its pictures.
    """
    (out / "Annotations").mkdir()
    (out / "ImageSets/Main").mkdir(parents=True)
    for file_name, (record, (height, width)) in pictures.items():
        lines = [
            "<annotation>",
            f"  <folder>JPEGImages</folder>\n  <filename>{escape(file_name)}</filename>",
            f"  <size>\n    <width>{width}</width>\n    <height>{height}</height>\n    <depth>3</depth>\n  </size>",
        ]
        for box, class_id, difficult in zip(record.boxes, record.classes, record.difficult, strict=True):
            corners = "".join(
                f"<{side}>{np.format_float_positional(value, trim='-')}</{side}>"
                for side, value in zip(SIDES, box, strict=True)
            )
            lines.append(
                f"  <object>\n    <name>{escape(names[int(class_id)])}</name>\n    <difficult>{difficult:d}</difficult>\n"
                f"    <bndbox>{corners}</bndbox>\n  </object>"
            )
        _xml_path(out / "Annotations", _stem(file_name)).write_text("\n".join([*lines, "</annotation>\n"]), "utf-8")
    for split, members in splits.items():
        (out / f"ImageSets/Main/{split}.txt").write_text("".join(f"{_stem(name)}\n" for name in members), "utf-8")


def _splits(folder: Path) -> tuple[str, ...]:
    """The splits of a VOC folder, sorted: its ImageSets/Main/*.txt without the lists of single classes, or its folders."""
    paths = sorted((folder / "ImageSets/Main").glob("*.txt"))
    lists = tuple(path.stem for path in paths if not _is_class_list(path))
    return lists or tuple(dict.fromkeys(part.split for part in find_parts(folder) if part.split))


def _check_splits(folder: Path, on_problem: OnProblem) -> None:
    """Report every split that cannot be read, and each of its lines that names no annotation."""
    parts = find_parts(folder)
    if any(part.split for part in parts):
        return  # read as a whole
    for split in _splits(folder):
        try:
            members = _split_entries(folder, parts[0].annotations, split, on_problem)
        except InputError as error:
            on_problem("malformed file", str(error))
            continue
        for entry in members:
            if not os.path.lexists(entry.path):
                on_problem("missing file", f"{entry.source}: there is no {entry.path}")


def _is_class_list(path: Path) -> bool:
    try:
        return bool(_CLASS_LIST.fullmatch(path.stem) and _CLASS_LINE.fullmatch(read_lines(path)[0].strip()))
    except InputError:
        return False


def _annotation(path: Path, on_problem: OnProblem) -> Element | None:
    """The <annotation> of a file, or None after a report."""
    try:
        return find_annotation(parse_xml(path), path, on_problem)
    except InputError as error:
        return on_problem("malformed file", str(error))


def _names(
    folder: Path, parts: Sequence[Part], read: Callable[[Path], Element | None], on_problem: OnProblem
) -> tuple[str, ...]:
    """The sorted class names of all annotations."""
    used = set()
    for part in parts:
        for entry in _all_entries(part, on_problem):
            if tree := read(entry.path):
                used.update(object_name(item, entry.path, on_problem) for item in objects(tree))
    names = sorted(name for name in used if name is not None)
    if not names:
        place = parts[0].annotations if len(parts) == 1 else folder
        on_problem("no classes", f"{place}: no class names; every object needs one")
    return tuple(names)


def _xml_path(annotations: Path, name: str) -> Path:
    return annotations / f"{name}.xml"


def _stem(file_name: str) -> str:
    return os.path.splitext(file_name)[0]


def _wanted(
    folder: Path, parts: Sequence[Part], split: str | None, on_problem: OnProblem
) -> list[tuple[Part, list[_Entry], bool]]:
    """The annotations of a split, or of all, for each part; and whether a list names them."""
    if split is None:
        return [(part, _all_entries(part, on_problem), False) for part in parts]
    chosen = [part for part in parts if part.split and part.split in (split, standard_split(split))]
    if chosen:
        return [(part, _all_entries(part, on_problem), False) for part in chosen]
    return [(parts[0], _split_entries(folder, parts[0].annotations, split, on_problem), True)]


def _all_entries(part: Part, on_problem: OnProblem) -> list[_Entry]:
    """All annotations of a part, sorted."""
    paths = xml_files(part.annotations, on_problem)
    if not paths:
        raise InputError(f"{part.annotations}: there are no .xml files")
    names = (os.path.splitext(path.relative_to(part.annotations).as_posix())[0] for path in paths)
    return [_Entry(name, path, str(path)) for name, path in zip(names, paths, strict=True)]


def _split_entries(folder: Path, annotations: Path, split: str, on_problem: OnProblem) -> list[_Entry]:
    """The annotations of a split's list, each once."""
    path = folder / "ImageSets/Main" / f"{split}.txt"
    if not os.path.lexists(path):
        known = ", ".join(_splits(folder)) or "none"
        raise InputError(f"{path}: there is no such split (there are: {known}); write one name from Annotations per line")
    members = {}
    for number, line in enumerate(read_lines(path, on_problem), 1):
        name = line.strip()
        if ".." in Path(name).parts or os.path.isabs(name):
            on_problem("path outside", f"{path}:{number}: {name!r} leads out of Annotations; write the names of files there")
        elif name in members:
            on_problem("picture twice", f"{path}:{number}: {name} is already at {members[name]}; keep one")
        elif name:
            members[name] = f"{path}:{number}"
    if not members:
        raise InputError(f"{path}: the split is empty; write one name from Annotations per line")
    return [_Entry(name, _listed(annotations, name, source, on_problem), source) for name, source in members.items()]


def _listed(annotations: Path, name: str, source: str, on_problem: OnProblem) -> Path:
    """The annotation file of a name in a list."""
    path = _xml_path(annotations, name)
    return path if os.path.lexists(path) else Path(find_file(path, source, on_problem))


def _write(
    out: Path, names: Sequence[str], parts: Mapping[str, list[Record]], sizes: Mapping[str, tuple[int, int]]
) -> list[str]:
    """Annotations, ImageSets, links in JPEGImages, and classes.names."""
    pictures, members = name_files(parts)
    link_pictures(pictures, out / "JPEGImages")
    write_names(out / "classes.names", names)
    write_voc(out, names, {name: (record, sizes[record.path]) for name, record in pictures.items()}, members)
    return []


VOC = Format(
    name="voc",
    recognises=lambda path: bool(find_parts(path)),
    read=read_voc,
    write=_write,
    splits=_splits,
    check_splits=_check_splits,
    marks_difficult=True,
    not_kept="the order of the classes is not kept by VOC itself: give classes.names where their numbers matter",
)
