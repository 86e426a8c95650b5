"""CVAT for images 1.1: annotations.xml beside images/.

docs.cvat.ai/docs/dataset_management/formats/format-cvat: an <image> holds <box>, <polygon>, <mask>, <ellipse> and shapes that
are not areas; a project's images say their subset.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from yolojax.data.annotations import Record, no_such_class
from yolojax.data.formats.find import standard_split
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.locate import files_in, locate_pictures
from yolojax.data.formats.names import check_names
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.formats.shapes import Corners, around_ellipse, around_points, around_rotated
from yolojax.data.formats.table_columns import is_number, is_whole
from yolojax.data.formats.voc_xml import Element, parse_xml
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_HEAD = 1 << 12  # bytes that are read to tell what a file is
_AREAS = ("box", "polygon", "mask", "ellipse")
_NO_AREAS = ("polyline", "points", "tag", "skeleton", "cuboid")
# Labels of these types can have no box.
_LABELS_OF_NO_AREAS = ("polyline", "points", "tag", "skeleton", "cuboid")


def read_cvat(path: Path, split: str | None, names: Sequence[str] | None, on_problem: OnProblem) -> NamesAndRecords:
    """Read a file of CVAT for images.

    Pictures are looked for in images/SUBSET, images/ and SUBSET/ beside the file, and beside it.

    Args:
        path: the file, or its folder.
        split: reads the images of that subset; None: all. It is ignored where there are no subsets.
        names: the class names; None: those of the labels in <meta>, in their order, or else the sorted names of all shapes.
        on_problem: called, with file and line, for a shape that is not an area, is not an upright box, lacks a number or is
            without area, a label that is not in `names`, an image that is there twice, a missing picture. If it returns, that
            is left out, but a record is kept without its picture.

    Returns:
        The class names and the records.

    Raises:
        InputError: the file cannot be read, is malformed, is CVAT for video, or there is no such split.
    """
    file = _file(path)
    root = parse_xml(file)
    images = root.all("image")
    if root.tag != "annotations" or root.all("track"):
        found = "CVAT for video (<track>)" if root.all("track") else f"<{root.tag}>"
        raise InputError(f"{file}: the file is {found}; export the task as 'CVAT for images 1.1'")
    if not images:
        raise InputError(f"{file}: there is no <image> in it; export the task as 'CVAT for images 1.1'")
    known = _subsets(images)
    wanted = [image for image in images if not known or split in (None, _subset(image))]
    if not wanted:
        raise InputError(f"{file}: there is no subset {split!r} (there are: {', '.join(known)})")
    if names is None:
        names = _class_names(root, images, file)
    numbers = {name: number for number, name in enumerate(names)}
    return tuple(names), _records(file, wanted, numbers, on_problem)


def _recognises(path: Path) -> bool:
    file = _file(path)
    return file.suffix.lower() == ".xml" and _is_cvat(file)


def _file(path: Path) -> Path:
    """The file of a folder: annotations.xml, or else the only .xml that is one of CVAT's."""
    if not path.is_dir() or (path / "annotations.xml").is_file():
        return path / "annotations.xml" if path.is_dir() else path
    files = files_in(path, (".xml",))
    return files[0] if len(files) == 1 else path


def _is_cvat(file: Path) -> bool:
    try:
        with open_regular(file) as opened:
            return b"<annotations>" in opened.read(_HEAD)
    except (OSError, ValueError):
        return False


def _subset(image: Element) -> str | None:
    """The split of an image: "val" for Validation; a subset of another name is its own."""
    subset = image.attributes.get("subset", "").strip()
    return standard_split(subset) or (None if subset.lower() in ("", "default") else subset)


def _subsets(images: Iterable[Element]) -> tuple[str, ...]:
    subsets = {subset for image in images if (subset := _subset(image))}
    usual = [split for split in ("train", "val", "test") if split in subsets]
    return (*usual, *sorted(subsets.difference(usual)))


def _splits(path: Path) -> tuple[str, ...]:
    return _subsets(parse_xml(_file(path)).all("image"))


def _class_names(root: Element, images: Iterable[Element], file: Path) -> Sequence[str]:
    used = {shape.attributes.get("label", "") for image in images for shape in image.children if shape.tag in _AREAS} - {""}
    for meta in root.all("meta"):
        for labels in [labels for part in meta.children for labels in part.all("labels")]:
            named = [
                label.text_of("name")
                for label in labels.all("label")
                if label.text_of("name") in used
                or not (label.text_of("parent") or label.text_of("type") in _LABELS_OF_NO_AREAS)
            ]
            if named:
                return check_names(named, file)
    return sorted(name for name in used if name.isprintable())


def _records(file: Path, images: Iterable[Element], numbers: Mapping[str, int], on_problem: OnProblem) -> list[Record]:
    named: dict[str, Element] = {}
    for image in images:
        where, name = f"{file}:{image.line}", image.attributes.get("name", "")
        if not name or not name.isprintable():
            on_problem("malformed image", f"{where}: the image's name {name!r} is not a line of text")
        elif name in named:
            on_problem("malformed image", f"{where}: the image {name} is already at line {named[name].line}; keep one")
        else:
            named[name] = image
    pictures: dict[str, str] = {}
    subsets: dict[str, dict[str, str]] = {}
    for name, image in named.items():
        subsets.setdefault(image.attributes.get("subset", ""), {})[name] = f"{file}:{image.line}"
    for subset, here in sorted(subsets.items()):
        pictures |= locate_pictures(here, _folders(file.parent, subset), on_problem)
    records = []
    for name, image in named.items():
        rows = [_row(shape, f"{file}:{shape.line}", numbers, on_problem) for shape in image.children]
        record = make_record(pictures[name], f"{file}:{image.line}", filter(None, rows), on_problem)
        records.append(dataclasses.replace(record, stated_size=_stated_size(image)))
    return records


def _folders(folder: Path, subset: str) -> list[Path]:
    """Where the pictures of a subset may lie; without subset only images/ and beside the file."""
    inside = [folder / "images" / subset, folder / subset] if subset else []
    return list(dict.fromkeys([*inside, folder / "images", folder / "images" / "default", folder]))


def _stated_size(image: Element) -> tuple[int, int] | None:
    height, width = image.attributes.get("height", ""), image.attributes.get("width", "")
    return (int(height), int(width)) if is_whole(height) and is_whole(width) else None


def _row(shape: Element, where: str, numbers: Mapping[str, int], on_problem: OnProblem) -> Row | None:
    """The box of a shape, or None."""
    if shape.tag in _NO_AREAS:
        return on_problem("shape without box", f"{where}: a {shape.tag} has no box")
    if shape.tag not in _AREAS:
        return on_problem("malformed box", f"{where}: <{shape.tag}> is not a shape of CVAT for images 1.1")
    label = shape.attributes.get("label", "").strip()
    if not label or not label.isprintable():
        return on_problem("malformed box", f"{where}: the {shape.tag} has no label that is a line of text, but {label!r}")
    if label not in numbers:
        message = no_such_class(where, label, numbers)
        return on_problem("class without a name", message)
    corners = _corners(shape, where, on_problem)
    return Row(corners, numbers[label], where) if corners else None


def _corners(shape: Element, where: str, on_problem: OnProblem) -> Corners | None:
    """The upright box around a shape; None: it lacks a number."""
    if shape.tag == "polygon":
        points = [point.split(",") for point in shape.attributes.get("points", "").split(";")]
        if not all(len(point) == 2 and is_number(point[0].strip()) and is_number(point[1].strip()) for point in points):
            return on_problem("malformed box", f"{where}: the points of the polygon are not x,y;x,y;...")
        on_problem("polygon", f"{where}: a polygon became the box around it")
        return around_points([(float(x), float(y)) for x, y in points])
    keys = {
        "box": ("xtl", "ytl", "xbr", "ybr"),
        "mask": ("left", "top", "width", "height"),
        "ellipse": ("cx", "cy", "rx", "ry"),
    }
    texts = [shape.attributes.get(key, "") for key in keys[shape.tag]]
    turned = shape.attributes.get("rotation", "0")
    for key, text in zip((*keys[shape.tag], "rotation"), (*texts, turned), strict=True):
        if not is_number(text):
            return on_problem("malformed box", f"{where}: {key} {text!r} of the {shape.tag} is not a number")
    first, second, third, fourth = map(float, texts)
    if shape.tag == "mask":
        on_problem("mask", f"{where}: a mask became the box around it")
        return first, second, first + third, second + fourth
    if shape.tag == "ellipse":
        on_problem("polygon", f"{where}: an ellipse became the box around it")
        return around_ellipse((first, second), (third, fourth), float(turned))
    if not float(turned) % 360:
        return first, second, third, fourth
    if third < first or fourth < second:
        return on_problem("inverted box", f"{where}: the rotated box is inverted: xbr or ybr is less than xtl or ytl")
    on_problem("rotated box", f"{where}: a box that is rotated by {turned} degrees became the upright box around it")
    return around_rotated((first, second, third, fourth), float(turned))


CVAT = Format(
    name="cvat",
    recognises=_recognises,
    read=lambda path, split, names, on_problem: read_cvat(Path(path), split, names, on_problem),
    splits=_splits,
    may_refer_outside=True,
)
