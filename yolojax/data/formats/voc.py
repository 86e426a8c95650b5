"""Pascal VOC: a folder with Annotations/ID.xml, JPEGImages/ID.jpg and ImageSets/Main/SPLIT.txt, one ID a line.

Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge". Corners are taken as they stand, without the shift
by one pixel that counting from 1 would ask for.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape

import numpy as np

from yolojax.data.annotations import Record, read_lines
from yolojax.data.formats.rows import Row, make_record
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

SIDES = ("xmin", "ymin", "xmax", "ymax")
# The devkit's CLASS_SPLIT.txt, which say which pictures show a class, and a line of one.
_CLASS_LIST = re.compile(r".+_(train|val|trainval|test)")
_CLASS_LINE = re.compile(r"\S+ +(-1|0|1)")


class Element(NamedTuple):
    """An XML element: its name, line, children, and the pieces of its text."""

    tag: str
    line: int
    children: list
    text: list


def read_voc(
    folder: str | os.PathLike, split: str | None, names: Sequence[str] | None, on_problem: Callable[[str, str], None]
) -> tuple[tuple[str, ...], list[Record]]:
    """Read a VOC folder.

    split: reads ImageSets/Main/SPLIT.txt, where a name that is there twice counts once; None: every file of Annotations.
    names: the class names; None: those of all of Annotations, sorted, so that every split counts the same classes.
    on_problem: called with (kind, message), the message with file and line, for XML that is malformed or has a DTD, an object
        without name or bndbox, corners that are no numbers, inverted or without area, a name that is not in `names`, a
        missing file, a name or <filename> that leads out of its folder; where it returns, that is left out, but a record
        without its picture is kept.
    Returns: names and records.
    Raises: InputError for a folder without annotations, a split that is not there or empty.
    """
    folder = Path(folder)
    wanted = _all_ids(folder) if split is None else _split_ids(folder, split, on_problem)

    def parse(name):
        try:
            return parse_xml(folder / "Annotations" / f"{name}.xml")
        except InputError as error:
            return on_problem("malformed file", str(error))

    trees = {}
    if names is None:
        trees = {name: parse(name) for name, _ in _all_ids(folder)}
        objects = [(name, item) for name, tree in trees.items() if tree for item in _objects(tree)]
        found = {_name(item, folder / "Annotations" / f"{name}.xml", on_problem) for name, item in objects}
        names = sorted(found - {None})
        if not names:
            on_problem("no classes", f"{folder / 'Annotations'}: no class names; every object needs one")
    numbers = {name: number for number, name in enumerate(names)}
    pictures = _pictures(folder, on_problem)
    records = []
    for name, source in wanted:
        path = folder / "Annotations" / f"{name}.xml"
        if name not in trees and not os.path.lexists(path):
            on_problem("missing file", f"{source}: there is no {path}")
        elif tree := trees[name] if name in trees else parse(name):
            if (picture := _picture(folder, name, tree, pictures, path, on_problem)) is None:
                continue
            rows = [_row(item, path, numbers, on_problem) for item in _objects(tree)]
            records.append(make_record(picture, str(path), filter(None, rows), on_problem))
    return tuple(names), records


def voc_splits(folder: str | os.PathLike) -> tuple[str, ...]:
    """The splits of a VOC folder, sorted: its ImageSets/Main/*.txt without the lists of single classes."""
    paths = sorted((Path(folder) / "ImageSets/Main").glob("*.txt"))
    return tuple(path.stem for path in paths if not _is_class_list(path))


def check_splits(folder: str | os.PathLike, on_problem: Callable[[str, str], None]) -> None:
    """Call on_problem(kind, message) for every split that cannot be read, and each of its lines that names no annotation."""
    folder = Path(folder)
    for split in voc_splits(folder):
        try:
            members = _split_ids(folder, split, on_problem)
        except InputError as error:
            on_problem("malformed file", str(error))
            continue
        for name, source in members:
            path = folder / "Annotations" / f"{name}.xml"
            if not os.path.lexists(path):
                on_problem("missing file", f"{source}: there is no {path}")


def parse_xml(path: str | os.PathLike) -> Element:
    """Read an XML file that has no DTD, so that nothing in it can expand or name other files.

    Returns: its root.
    Raises: InputError, with file and line, for a file that cannot be read, a DTD and malformed XML.
    """
    stack = [Element("", 0, [], [])]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse_dtd(*_):
        raise InputError(f"{path}:{parser.CurrentLineNumber}: the file has a DTD; remove it, annotations need none")

    def start(tag, _):
        element = Element(tag, parser.CurrentLineNumber, [], [])
        stack[-1].children.append(element)
        stack.append(element)

    parser.StartDoctypeDeclHandler = refuse_dtd
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = lambda text: stack[-1].text.append(text)
    try:
        with open_regular(path) as file:
            parser.Parse(file.read(), True)
    except InputError:
        raise
    except expat.ExpatError as error:
        raise InputError(f"{path}:{error.lineno}: malformed XML: {expat.ErrorString(error.code)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError) as error:  # an encoding that expat cannot take
        raise InputError(f"{path}: cannot be read: {error}; save it as UTF-8") from error
    return stack[0].children[0]


def write_voc(
    out: Path, names: Sequence[str], pictures: dict[str, tuple[Record, tuple[int, int]]], splits: dict[str, list[str]]
) -> None:
    """Write Annotations and ImageSets; pictures: ID -> (record, (height, width)); splits: name -> IDs."""
    (out / "Annotations").mkdir()
    (out / "ImageSets/Main").mkdir(parents=True)
    for name, (record, (height, width)) in pictures.items():
        file_name = escape(name + os.path.splitext(record.path)[1])
        lines = [
            "<annotation>",
            f"  <folder>JPEGImages</folder>\n  <filename>{file_name}</filename>",
            f"  <size>\n    <width>{width}</width>\n    <height>{height}</height>\n    <depth>3</depth>\n  </size>",
        ]
        for box, class_id, difficult in zip(record.boxes, record.classes, record.difficult, strict=True):
            corners = "".join(
                f"<{side}>{np.format_float_positional(value, trim='-')}</{side}>"
                for side, value in zip(SIDES, box, strict=True)
            )
            lines.append(
                f"  <object>\n    <name>{escape(names[class_id])}</name>\n    <difficult>{difficult:d}</difficult>\n"
                f"    <bndbox>{corners}</bndbox>\n  </object>"
            )
        (out / f"Annotations/{name}.xml").write_text("\n".join([*lines, "</annotation>\n"]), "utf-8")
    for split, members in splits.items():
        (out / f"ImageSets/Main/{split}.txt").write_text("".join(f"{name}\n" for name in members), "utf-8")


def _is_class_list(path):
    try:
        return bool(_CLASS_LIST.fullmatch(path.stem) and _CLASS_LINE.fullmatch(read_lines(path)[0].strip()))
    except InputError:
        return False


def _all_ids(folder):
    """[(ID, where it was found)] of all of Annotations, sorted."""
    paths = sorted((folder / "Annotations").glob("*.xml"))
    if not paths:
        raise InputError(f"{folder / 'Annotations'}: there are no .xml files")
    return [(path.stem, str(path)) for path in paths]


def _split_ids(folder, split, on_problem):
    """[(ID, file and line)] of a split, each ID once."""
    path = folder / "ImageSets/Main" / f"{split}.txt"
    if not os.path.lexists(path):
        there = ", ".join(voc_splits(folder)) or "none"
        raise InputError(f"{path}: there is no such split (there: {there}); write one name of Annotations a line")
    members = {}
    for number, line in enumerate(read_lines(path, on_problem), 1):
        name = line.strip()
        if ".." in Path(name).parts or os.path.isabs(name):
            on_problem("path outside", f"{path}:{number}: {name!r} leads out of Annotations; write names of its files")
        elif name in members:
            on_problem("picture twice", f"{path}:{number}: {name} is already at {members[name]}; keep one")
        elif name:
            members[name] = f"{path}:{number}"
    if not members:
        raise InputError(f"{path}: the split is empty; write one name of Annotations a line")
    return list(members.items())


def _pictures(folder, on_problem):
    """{ID: [file names]} of JPEGImages."""
    listed = []
    try:
        listed = sorted(os.listdir(folder / "JPEGImages"))
    except OSError as error:
        message = f"{folder / 'JPEGImages'}: the folder of the pictures cannot be read: {error.strerror}"
        on_problem("missing file", message)
    pictures = {}
    for name in listed:
        pictures.setdefault(os.path.splitext(name)[0], []).append(name)
    return pictures


def _picture(folder, name, tree, pictures, path, on_problem):
    """The path of a picture: named as its annotation, whatever the ending; else as <filename> says. None: out of the folder."""
    stated = next((_text(child) for child in tree.children if child.tag == "filename"), "")
    named_alike = pictures.get(name, [])
    picture = stated if stated in named_alike or not named_alike else named_alike[0]
    if ".." in Path(picture).parts or os.path.isabs(picture):
        message = f"{path}: <filename> {picture!r} leads out of JPEGImages; write the name of a file there"
        return on_problem("path outside", message)
    picture = folder / "JPEGImages" / (picture or f"{name}.jpg")
    if not os.path.isfile(picture):
        on_problem("missing picture", f"{path}: there is no picture {picture}")
    return str(picture)


def _objects(tree):
    return [child for child in tree.children if child.tag == "object"]


def _row(item, path, numbers, on_problem):
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
    for side in SIDES:
        if side not in sides:
            return on_problem("malformed box", f"{where}: the bndbox has no {side}")
        try:
            corners.append(float(_text(sides[side])))
        except ValueError:
            message = f"{path}:{sides[side].line}: {side} {_text(sides[side])!r} is not a number"
            return on_problem("malformed box", message)
    difficult = "difficult" in fields and _text(fields["difficult"]) not in ("", "0")
    return Row(tuple(corners), numbers[name], where, difficult=difficult)


def _name(item, path, on_problem):
    """The class name of an <object>, or None."""
    name = next((_text(child) for child in item.children if child.tag == "name"), "")
    if not name:
        return on_problem("malformed box", f"{path}:{item.line}: the object has no name")
    if not name.isprintable():
        return on_problem("malformed box", f"{path}:{item.line}: the name {name!r} is not a line of text")
    return name


def _text(element):
    return "".join(element.text).strip()
