"""Pascal VOC: a folder with Annotations/ID.xml, JPEGImages/ID.jpg and ImageSets/Main/SPLIT.txt, one ID per line.

Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge". Corners are taken as they stand, without the shift
by one pixel that counting from 1 would require.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import link_pictures, name_files
from yolojax.data.formats.names import write_names
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.formats.voc_xml import Element, parse_xml
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

_SIDES = ("xmin", "ymin", "xmax", "ymax")
# The devkit's CLASS_SPLIT.txt files, which say which pictures show a class, and the form of their lines.
_CLASS_LIST = re.compile(r".+_(train|val|trainval|test)")
_CLASS_LINE = re.compile(r"\S+ +(-1|0|1)")


def read_voc(
    folder: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a VOC folder.

    Args:
        folder: the folder.
        split: reads ImageSets/Main/SPLIT.txt, where a name that is there twice counts once; None: every file of Annotations.
        names: the class names; None: the sorted names of all of Annotations, so that every split has the same classes.
        on_problem: called, with file and line, for XML that is malformed or has a DTD, an object without name or bndbox,
            corners that are not numbers, inverted or without area, a name that is not in `names`, a missing file, a name or
            <filename> that leads out of its folder. If it returns, that is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: the folder has no annotations, or the split is missing or empty.
    """
    folder = Path(folder)
    wanted = _all_ids(folder) if split is None else _split_ids(folder, split, on_problem)

    def parse(name: str) -> Element | None:
        try:
            return parse_xml(_annotation(folder, name))
        except InputError as error:
            return on_problem("malformed file", str(error))

    trees = {}
    if names is None:
        trees = {name: parse(name) for name, _ in _all_ids(folder)}
        objects = [(name, item) for name, tree in trees.items() if tree for item in tree.all("object")]
        used = {_name(item, _annotation(folder, name), on_problem) for name, item in objects}
        names = sorted(name for name in used if name is not None)
        if not names:
            on_problem("no classes", f"{folder / 'Annotations'}: no class names; every object needs one")
    numbers = {name: number for number, name in enumerate(names)}
    pictures = _pictures(folder, on_problem)
    records = []
    for name, source in wanted:
        path = _annotation(folder, name)
        if name not in trees and not os.path.lexists(path):
            on_problem("missing file", f"{source}: there is no {path}")
        elif tree := trees[name] if name in trees else parse(name):
            if (picture := _picture(folder, name, tree, pictures, path, on_problem)) is None:
                continue
            rows = [_row(item, path, numbers, on_problem) for item in tree.all("object")]
            records.append(make_record(picture, str(path), filter(None, rows), on_problem))
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
                for side, value in zip(_SIDES, box, strict=True)
            )
            lines.append(
                f"  <object>\n    <name>{escape(names[int(class_id)])}</name>\n    <difficult>{difficult:d}</difficult>\n"
                f"    <bndbox>{corners}</bndbox>\n  </object>"
            )
        _annotation(out, _stem(file_name)).write_text("\n".join([*lines, "</annotation>\n"]), "utf-8")
    for split, members in splits.items():
        (out / f"ImageSets/Main/{split}.txt").write_text("".join(f"{_stem(name)}\n" for name in members), "utf-8")


def _splits(folder: Path) -> tuple[str, ...]:
    """The splits of a VOC folder, sorted: its ImageSets/Main/*.txt without the lists of single classes."""
    paths = sorted((folder / "ImageSets/Main").glob("*.txt"))
    return tuple(path.stem for path in paths if not _is_class_list(path))


def _check_splits(folder: Path, on_problem: OnProblem) -> None:
    """Report every split that cannot be read, and each of its lines that names no annotation."""
    for split in _splits(folder):
        try:
            members = _split_ids(folder, split, on_problem)
        except InputError as error:
            on_problem("malformed file", str(error))
            continue
        for name, source in members:
            path = _annotation(folder, name)
            if not os.path.lexists(path):
                on_problem("missing file", f"{source}: there is no {path}")


def _is_class_list(path: Path) -> bool:
    try:
        return bool(_CLASS_LIST.fullmatch(path.stem) and _CLASS_LINE.fullmatch(read_lines(path)[0].strip()))
    except InputError:
        return False


def _annotation(folder: Path, name: str) -> Path:
    return folder / "Annotations" / f"{name}.xml"


def _stem(file_name: str) -> str:
    return os.path.splitext(file_name)[0]


def _all_ids(folder: Path) -> list[tuple[str, str]]:
    """[(ID, its file)] of all of Annotations, sorted."""
    paths = sorted((folder / "Annotations").glob("*.xml"))
    if not paths:
        raise InputError(f"{folder / 'Annotations'}: there are no .xml files")
    return [(path.stem, str(path)) for path in paths]


def _split_ids(folder: Path, split: str, on_problem: OnProblem) -> list[tuple[str, str]]:
    """[(ID, file and line)] of a split, each ID once."""
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
    return list(members.items())


def _pictures(folder: Path, on_problem: OnProblem) -> dict[str, list[str]]:
    """{ID: [file names]} of JPEGImages."""
    listed = []
    try:
        listed = sorted(os.listdir(folder / "JPEGImages"))
    except OSError as error:
        message = f"{folder / 'JPEGImages'}: the folder of the pictures cannot be read: {error.strerror}"
        on_problem("missing file", message)
    pictures: dict[str, list[str]] = {}
    for name in listed:
        pictures.setdefault(_stem(name), []).append(name)
    return pictures


def _picture(
    folder: Path, name: str, tree: Element, pictures: Mapping[str, list[str]], path: Path, on_problem: OnProblem
) -> str | None:
    """The path of a picture, named like its annotation, or else as <filename> says. None: outside the folder."""
    stated = tree.text_of("filename")
    named_alike = pictures.get(name, [])
    file_name = stated if stated in named_alike or not named_alike else named_alike[0]
    if ".." in Path(file_name).parts or os.path.isabs(file_name):
        message = f"{path}: <filename> {file_name!r} leads out of JPEGImages; write the name of a file there"
        return on_problem("path outside", message)
    picture = folder / "JPEGImages" / (file_name or f"{name}.jpg")
    if not os.path.isfile(picture):
        on_problem("missing picture", f"{path}: there is no picture {picture}")
    return str(picture)


def _row(item: Element, path: Path, numbers: Mapping[str, int], on_problem: OnProblem) -> Row | None:
    """The box of an <object>, or None."""
    fields = {child.tag: child for child in item.children}
    name = _name(item, path, on_problem)
    if name is None:
        return None
    if name not in numbers:
        message = f"{path}:{item.line}: there is no class {name!r}; the names are {', '.join(numbers)}"
        return on_problem("class without a name", message)
    if "bndbox" not in fields:
        return on_problem("malformed box", f"{path}:{item.line}: the object has no bndbox")
    where = f"{path}:{fields['bndbox'].line}"
    sides = {child.tag: child for child in fields["bndbox"].children}
    corners = []
    for side in _SIDES:
        if side not in sides:
            return on_problem("malformed box", f"{where}: the bndbox has no {side}")
        try:
            corners.append(float(sides[side].text))
        except ValueError:
            message = f"{path}:{sides[side].line}: {side} {sides[side].text!r} is not a number"
            return on_problem("malformed box", message)
    difficult = "difficult" in fields and fields["difficult"].text not in ("", "0")
    return Row(tuple(corners), numbers[name], where, difficult=difficult)


def _name(item: Element, path: Path, on_problem: OnProblem) -> str | None:
    """The class name of an <object>, or None."""
    name = item.text_of("name")
    if not name:
        return on_problem("malformed box", f"{path}:{item.line}: the object has no name")
    if not name.isprintable():
        return on_problem("malformed box", f"{path}:{item.line}: the name {name!r} is not a line of text")
    return name


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
    recognises=lambda path: path.is_dir() and (path / "Annotations").is_dir(),
    read=read_voc,
    write=_write,
    splits=_splits,
    check_splits=_check_splits,
    marks_difficult=True,
    not_kept="the order of the classes is not kept by VOC itself: give classes.names where their numbers matter",
)
