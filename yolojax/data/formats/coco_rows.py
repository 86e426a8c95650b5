"""The box of a COCO annotation: its bbox, or the box around its polygons, mask or rotated box."""

import functools
import reprlib
from collections.abc import Mapping
from typing import Any

from yolojax.data.annotations import no_such_class
from yolojax.data.formats.coco_shapes import box_around
from yolojax.data.formats.coco_values import category_id_field, id_field, is_number, list_field
from yolojax.data.formats.rows import Row
from yolojax.data.formats.shapes import around_rotated
from yolojax.data.problems import OnProblem

_Corners = tuple[float, float, float, float]


def read_row(
    annotation: Mapping[str, Any],
    where: str,
    sizes: Mapping[int | str, tuple[int, int] | None],
    class_of: Mapping[int, str],
    numbers: Mapping[str, int],
    on_problem: OnProblem,
) -> tuple[Row, int | str] | None:
    """Read the box of an annotation.

    Args:
        annotation: the entry of the file.
        where: what messages call it.
        sizes: for each image id the (height, width) that the file states, or None.
        class_of: for each category id the class name.
        numbers: for each class name its number.
        on_problem: called for each field that cannot be used, and if the box is not simply the bbox.

    Returns:
        The box and the id of its image, or None.
    """
    report = functools.partial(on_problem, "malformed box")
    if (image := id_field(annotation, "image_id", where, report)) is None:
        return None
    if _has_no_area(annotation):
        return on_problem("shape without box", f"{where}: neither a bbox nor a segmentation")
    if (category := category_id_field(annotation, "category_id", where, report)) is None:
        return None
    if _is_empty(annotation.get("bbox")) and annotation.get("segmentation"):
        corners = functools.partial(_corners_of_shape, annotation, sizes.get(image))
    elif (box := list_field(annotation, "bbox", where, report)) is None:
        return None
    else:
        corners = functools.partial(_corners_of_box, annotation, box)
    if category not in class_of:
        return report(f"{where}: there is no category {category}")
    name = class_of[category]
    if name not in numbers:
        message = no_such_class(where, name, numbers)
        return on_problem("class without a name", message)
    if image not in sizes:
        return report(f"{where}: there is no image {image!r}")
    if (found := corners(where, on_problem)) is None:
        return None
    return Row(found, numbers[name], where, crowd=annotation.get("iscrowd") in (1, True)), image


def _has_no_area(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation is keypoints or a caption, without a box or segmentation."""
    other = "keypoints" in annotation or "caption" in annotation
    return other and not annotation.get("segmentation") and _is_empty(annotation.get("bbox"))


def _is_empty(box: Any) -> bool:
    """Whether a bbox is missing, empty, or has no width or no height."""
    return box is None or box == [] or (_is_box(box) and 0 in box[2:])


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(map(is_number, box))


def _corners_of_shape(
    annotation: Mapping[str, Any], stated: tuple[int, int] | None, where: str, on_problem: OnProblem
) -> _Corners | None:
    """The box around a segmentation, or None."""
    try:
        shape = box_around(annotation["segmentation"])
    except ValueError as error:
        return on_problem("malformed box", f"{where}: there is no bbox, and {error}")
    if shape is None:
        return on_problem("box without area", f"{where}: there is no bbox, and its segmentation is empty")
    if shape.size and stated and shape.size != stated:
        sizes = "{1} x {0} pixels, but its image has {3} x {2}".format(*shape.size, *stated)
        return on_problem("malformed box", f"{where}: its mask has {sizes}; they must be the same")
    if shape.corners[0] < shape.corners[2] and shape.corners[1] < shape.corners[3]:
        on_problem(shape.kind, f"{where}: there is no bbox; the box around its {shape.kind} is taken")
    return shape.corners


def _corners_of_box(annotation: Mapping[str, Any], box: list[Any], where: str, on_problem: OnProblem) -> _Corners | None:
    """The corners of a bbox, or None."""
    if not _is_box(box):
        return on_problem("malformed box", f"{where}: bbox {reprlib.repr(box)} is not [x, y, width, height]")
    try:
        x, y, width, height = map(float, box)
    except OverflowError:
        return on_problem("box too large", f"{where}: bbox is larger than any picture; write pixels")
    attributes = annotation.get("attributes")
    rotation = attributes.get("rotation") if isinstance(attributes, dict) else None
    upright = x, y, x + width, y + height
    if not is_number(rotation) or rotation == 0 or width <= 0 or height <= 0 or _is_drawn_upright(annotation, upright):
        return upright
    if not -1e6 < rotation < 1e6:
        return on_problem("malformed box", f"{where}: the rotation {rotation!r} is not an angle in degrees")
    on_problem("rotated box", f"{where}: turned by {rotation:g} degrees; the upright box around it is taken")
    return around_rotated((x, y, x + width, y + height), rotation)


def _is_drawn_upright(annotation: Mapping[str, Any], corners: _Corners) -> bool:
    """Whether the bbox surrounds a segmentation that is no rectangle, so that it is not the bbox that was turned."""
    try:
        shape = box_around(annotation.get("segmentation"))
    except ValueError:
        return False
    fits = shape is not None and max(abs(a - b) for a, b in zip(shape.corners, corners, strict=True)) <= 1
    return shape is not None and fits and not shape.rectangle
