"""What the XML of a VOC annotation says: its objects and their boxes, none of which may get lost."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from yolojax.data.annotations import no_such_class
from yolojax.data.formats.rows import Row
from yolojax.data.formats.shapes import around_points, around_rotated
from yolojax.data.formats.voc_xml import Element
from yolojax.data.problems import OnProblem

SIDES = ("xmin", "ymin", "xmax", "ymax")
_AREAS = frozenset({"bndbox", "robndbox", "polygon", "bbox", "box", *SIDES})
_NO = frozenset({"", "0", "false", "no", "unspecified"})
_Corners = tuple[float, ...]


def find_annotation(root: Element, path: Path, on_problem: OnProblem) -> Element | None:
    """Find the annotation in an XML file.

    Args:
        root: the root of the file; the names in it become lower case without prefixes.
        path: the file, for messages.
        on_problem: called with "not an annotation" if the file is none, or has boxes where no reader would look for them.

    Returns:
        The <annotation>, which may be inside another element, or None.
    """
    root = _plain(root)
    inside = [root] if root.tag == "annotation" else _all_inside(root, "annotation")
    if len(inside) > 1:
        message = f"{path}:{inside[1].line}: not an annotation of one picture: there are {len(inside)}; write a file for each"
        return on_problem("not an annotation", message)
    if not inside:
        return on_problem("not an annotation", f"{path}:{root.line}: not an annotation: {_looks_like(root)}")
    stray = next((item for item in _descendants(root, without=("object",)) if item.tag in _AREAS), None)
    if stray:
        message = f"{path}:{stray.line}: not an annotation: <{stray.tag}> is not in an <object>"
        return on_problem("not an annotation", message)
    return inside[0]


def objects(annotation: Element) -> list[Element]:
    """The objects of an annotation, at whatever depth, without those that LabelMe marks as deleted."""
    return [item for item in _all_inside(annotation, "object") if item.text_of("deleted") != "1"]


def object_name(item: Element, path: Path, on_problem: OnProblem) -> str | None:
    """The class name of an object, or None after a report."""
    names = list(dict.fromkeys(child.text for child in item.all("name")))
    if len(names) > 1:
        listed = " and ".join(map(repr, names))
        return on_problem("malformed box", f"{path}:{item.line}: the object has the names {listed}; keep one")
    if not names or not names[0]:
        return on_problem("malformed box", f"{path}:{item.line}: the object has no name")
    if not names[0].isprintable():
        return on_problem("malformed box", f"{path}:{item.line}: the name {names[0]!r} is not a line of text")
    return names[0]


def object_rows(item: Element, path: Path, numbers: Mapping[str, int], on_problem: OnProblem) -> list[Row]:
    """Read the boxes of an object: each of its <bndbox>, or else of its <robndbox>, or else of its <polygon>.

    Args:
        item: the object.
        path: its file, for messages.
        numbers: {name: class number}.
        on_problem: called, with the line, for what cannot be used, and for what became the box around it.

    Returns:
        The boxes; more than one if the object has several.
    """
    name = object_name(item, path, on_problem)
    if name is None:
        return []
    if name not in numbers:
        message = no_such_class(f"{path}:{item.line}", name, numbers)
        on_problem("class without a name", message)
        return []
    inside = list(_descendants(item, without=("part",)))
    nested = next((child for child in inside if child.tag == "object"), None)
    if nested:
        on_problem("malformed box", f"{path}:{nested.line}: an object in an object; write one after the other")
        return []
    shapes = {tag: [child for child in inside if child.tag == tag] for tag in ("bndbox", "robndbox", "polygon")}
    if shapes["bndbox"]:
        found = [(shape.line, _corners(shape, path, on_problem)) for shape in shapes["bndbox"]]
    elif shapes["robndbox"]:
        found = [(shape.line, _around_rotated(shape, path, on_problem)) for shape in shapes["robndbox"]]
    elif shapes["polygon"]:
        found = [(shape.line, _around_polygon(shape, path, on_problem)) for shape in shapes["polygon"]]
    else:
        on_problem("malformed box", f"{path}:{item.line}: the object has no bndbox")
        return []
    difficult = any(child.text.lower() not in _NO for child in item.all("difficult"))
    boxes: dict[_Corners, int] = {}
    for line, corners in found:
        if corners is not None:
            boxes.setdefault(corners, line)
    return [Row(corners, numbers[name], f"{path}:{line}", difficult=difficult) for corners, line in boxes.items()]


def stated_size(annotation: Element) -> tuple[int, int] | None:
    """The (height, width) of the picture as <size> states it, or None if it states none."""
    for size in annotation.all("size"):
        try:
            height, width = (float(size.text_of(name)) for name in ("height", "width"))
        except ValueError:
            continue
        if height.is_integer() and width.is_integer() and height > 0 and width > 0:
            return int(height), int(width)
    return None


def _plain(root: Element) -> Element:
    """The tree with names in lower case and without prefixes."""
    root = root._replace(tag=_local(root.tag))
    rest = [root]
    while rest:
        children = rest.pop().children
        children[:] = [child._replace(tag=_local(child.tag)) for child in children]
        rest.extend(children)
    return root


def _local(tag: str) -> str:
    return tag.rpartition(":")[2].lower()


def _descendants(root: Element, without: Sequence[str]) -> Iterator[Element]:
    """All elements inside an element, in order, but none that are inside elements of certain names."""
    rest = root.children[::-1]
    while rest:
        element = rest.pop()
        yield element
        if element.tag not in without:
            rest.extend(element.children[::-1])


def _all_inside(root: Element, tag: str) -> list[Element]:
    return [element for element in _descendants(root, without=(tag,)) if element.tag == tag]


def _looks_like(root: Element) -> str:
    tags = {element.tag for element in _descendants(root, without=())}
    if root.tag == "annotations" and "image" in tags:
        return "it looks like CVAT for images; export it as Pascal VOC, or give the file alone"
    if root.tag == "annotations" and "track" in tags:
        return "it looks like CVAT for video; export it as Pascal VOC"
    return f"its root is <{root.tag[:40]}>, and there is no <annotation> in it"


def _number(item: Element, path: Path, on_problem: OnProblem) -> float | None:
    try:
        return float(item.text)
    except ValueError:
        return on_problem("malformed box", f"{path}:{item.line}: {item.tag} {item.text!r} is not a number")


def _numbers(shape: Element, tags: Sequence[str], path: Path, on_problem: OnProblem) -> list[float] | None:
    """The numbers in the children of these names, each of which must be there once."""
    values = []
    for tag in tags:
        children = shape.all(tag)
        if not children:
            return on_problem("malformed box", f"{path}:{shape.line}: the {shape.tag} has no {tag}")
        if len({child.text for child in children}) > 1:
            message = (
                f"{path}:{children[1].line}: the {shape.tag} has {len(children)} {tag}; write one <{shape.tag}> for each box"
            )
            return on_problem("malformed box", message)
        value = _number(children[0], path, on_problem)
        if value is None:
            return None
        values.append(value)
    return values


def _corners(shape: Element, path: Path, on_problem: OnProblem) -> _Corners | None:
    values = _numbers(shape, SIDES, path, on_problem)
    return tuple(values) if values is not None else None


def _around_rotated(shape: Element, path: Path, on_problem: OnProblem) -> _Corners | None:
    """The upright box around a rotated one, as roLabelImg writes it: centre, size and an angle in radians."""
    values = _numbers(shape, ("cx", "cy", "w", "h", "angle"), path, on_problem)
    if values is None:
        return None
    x, y, width, height, angle = values
    if not abs(angle) <= 2 * math.pi:
        return on_problem("malformed box", f"{path}:{shape.line}: the angle {angle:g} is not in radians")
    on_problem("rotated box", f"{path}:{shape.line}: a rotated box")
    return around_rotated((x - width / 2, y - height / 2, x + width / 2, y + height / 2), math.degrees(angle))


def _around_polygon(shape: Element, path: Path, on_problem: OnProblem) -> _Corners | None:
    """The box around a polygon: <pt> with x and y as LabelMe writes it, or x1, y1, x2, y2 ... as Roboflow does."""
    sides = []
    points = [child for child in _descendants(shape, without=()) if re.fullmatch(r"[xy]\d*", child.tag)]
    for axis in "xy":
        values = [_number(child, path, on_problem) for child in points if child.tag[0] == axis]
        if None in values:
            return None
        sides.append([value for value in values if value is not None])
    if len(sides[0]) != len(sides[1]) or len(sides[0]) < 2:
        return on_problem("malformed box", f"{path}:{shape.line}: the polygon has {len(sides[0])} x and {len(sides[1])} y")
    on_problem("polygon", f"{path}:{shape.line}: a polygon")
    return around_points(list(zip(*sides, strict=True)))
