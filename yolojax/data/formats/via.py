"""Regions of VIA, the VGG Image Annotator, as its .csv holds them: JSON in two columns.

Dutta and Zisserman 2019, "The VIA Annotation Software for Images, Audio and Video".
"""

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

from yolojax.data.formats.shapes import Corners, around_ellipse, around_points
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

_SHAPES = ("rect", "polygon", "circle", "ellipse")
_ATTRIBUTES = ("class", "label", "name", "type", "category", "object")


def class_attribute(attributes: Sequence[str], where: str) -> str | None:
    """Tell which attribute of VIA's regions is their class: the only one that is used, or one that is called class or label.

    Args:
        attributes: the column region_attributes of all regions.
        where: the file, for messages.

    Returns:
        The attribute's name; None if no region has one.

    Raises:
        InputError: there are several, and none is called class, label, name, type, category or object.
    """
    names = list(dict.fromkeys(name for text in attributes for name in _json(text) or ()))
    for name in _ATTRIBUTES:
        same = [other for other in names if other.strip().lower() == name]
        if len(names) > 1 and same:
            return same[0]
    if len(names) > 1:
        raise InputError(
            f"{where}: VIA's regions have the attributes {', '.join(map(repr, names))}; "
            "rename the one that is the class to 'class'"
        )
    return names[0] if names else None


def region_class(attributes: str, name: str | None) -> str:
    """The class of a region, "" if it has none.

    Args:
        attributes: the cell of region_attributes.
        name: the attribute that is the class.
    """
    value = (_json(attributes) or {}).get(name or "")
    if isinstance(value, dict):  # of a checkbox: {"dog": true}
        chosen = [option for option, is_chosen in value.items() if is_chosen]
        return chosen[0].strip() if len(chosen) == 1 else ""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def is_empty(shape: str) -> bool:
    """Whether the cell of region_shape_attributes says that the picture has no regions."""
    return not shape or _json(shape) == {}


def region_box(shape: str, where: str, on_problem: OnProblem) -> Corners | None:
    """The box of a region.

    Args:
        shape: the cell of region_shape_attributes.
        where: the place, as "a.csv:3".
        on_problem: called for a shape that is not read, is not an area, or is not a rectangle.

    Returns:
        x1, y1, x2, y2 in pixels, or None.
    """
    region = _json(shape)
    name = region.get("name") if region else None
    if region is None or not isinstance(name, str):
        return on_problem("malformed box", f"{where}: VIA's region_shape_attributes {shape[:60]!r} are not a shape")
    if name in ("point", "polyline", "line"):
        return on_problem("shape without box", f"{where}: a {name} has no box")
    if name not in _SHAPES:
        return on_problem("malformed box", f"{where}: VIA's shape {name!r} is not read; draw a rectangle or polygon")

    def number(key: str) -> float:
        value = region[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        return float(value)

    try:
        if name == "rect":
            x, y = number("x"), number("y")
            return x, y, x + number("width"), y + number("height")
        if name == "polygon":
            points = list(zip(map(float, region["all_points_x"]), map(float, region["all_points_y"]), strict=True))
            if not all(map(math.isfinite, itertools.chain(*points))):
                raise ValueError
            box = around_points(points)
        elif name == "circle":
            box = around_ellipse((number("cx"), number("cy")), (number("r"), number("r")))
        else:
            # VIA holds the angle in radians.
            angle = math.degrees(number("theta")) if "theta" in region else 0.0
            box = around_ellipse((number("cx"), number("cy")), (number("rx"), number("ry")), angle)
    except (KeyError, TypeError, ValueError, OverflowError):
        return on_problem("malformed box", f"{where}: VIA's {name} {shape[:60]!r} lacks a number; draw it again")
    on_problem("polygon", f"{where}: a {name} became the box around it")
    return box


def _json(text: str) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
