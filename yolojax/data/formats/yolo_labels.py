"""The lines of YOLO label files: boxes, polygons and keypoints in fractions of the picture's width and height."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

from yolojax.data.annotations import class_without_name, has_name
from yolojax.data.formats.rows import Row
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

# Normalised numbers are rounded, so a box at the edge may reach over it by this much.
_ROUNDING = 0.01
_HEAD = 4096
_LOOKED_INTO = 100  # files, for signs of keypoints
_FEW = 5  # fewer lines prove nothing


def read_labels(
    label: str | os.PathLike[str],
    size: tuple[int, int],
    numbers: Sequence[int],
    on_problem: OnProblem,
    *,
    keypoint_values: int = 0,
) -> Iterator[Row]:
    """Read the boxes of a label file.

    A line is `class x y width height`; or class and the points of a polygon, at least three, which becomes the box around it.
    The four corners of a rotated box cannot be told from a polygon and count as one. Where the data set has keypoints, they
    may follow the box and are not used.

    Args:
        label: the file.
        size: (height, width) of the picture in pixels.
        numbers: for each class number in the file, the number of the class.
        on_problem: called with file and line for a file that cannot be read, a line that is neither form, numbers that are not
            normalised, and a class without a name; if it returns, that is left out. With "polygon" for each polygon.
        keypoint_values: how many values the keypoints of a box have; 0: the data set has none.

    Yields:
        The boxes in pixels.
    """
    height, width = size
    try:
        lines = read_lines(label, on_problem)
    except InputError as error:
        on_problem("malformed file", str(error))
        return
    for number, line in enumerate(lines, 1):
        if not (fields := line.split()):
            continue
        where = f"{label}:{number}"
        if message := _wrong_form(fields, line.strip(), keypoint_values):
            on_problem("malformed box", f"{where}: {message}")
            continue
        try:
            class_id, *values = map(float, fields)
        except ValueError:
            message = f"{where}: {_shortened(line)} is not five numbers; write class x y width height"
            on_problem("malformed box", message)
            continue
        is_polygon = len(values) > 4 and not keypoint_values
        # Keypoints outside the picture are not ours to judge.
        values = values if is_polygon else values[:4]
        if not (class_id.is_integer() and has_name(class_id, len(numbers))):
            on_problem("class without a name", f"{where}: {class_without_name(fields[0], len(numbers))}")
        elif not all(-_ROUNDING <= value <= 1 + _ROUNDING for value in values):
            pixels = " and looks like pixels" if any(1 + _ROUNDING < value for value in values) else ""
            message = f"{where}: {_shortened(line)} is not normalised{pixels}"
            on_problem("malformed box", f"{message}; write fractions of the picture's width and height, 0 to 1")
        else:
            if is_polygon:
                message = f"{where}: a polygon of {len(values) // 2} points became the box around it"
                on_problem("polygon", message)
                left, top, right, bottom = min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
            else:
                x, y, w, h = values
                left, top, right, bottom = x - w / 2, y - h / 2, x + w / 2, y + h / 2
            yield Row((left * width, top * height, right * width, bottom * height), numbers[int(class_id)], where)


def report_keypoints(labels: Iterable[str], on_problem: OnProblem) -> None:
    """Report, as "keypoints", labels that look like boxes with keypoints although the data set announces none.

    Such lines could pass for polygons, and their boxes would be wrong. They are told by their number of values, 11 or more and
    the same in every line, and by the points behind the box, which lie in it.

    Args:
        labels: label files; the first ones are looked at.
        on_problem: called once at most.
    """
    lines: list[list[float]] = []
    first = ""
    for label in itertools.islice(labels, _LOOKED_INTO):
        try:
            rows = [[float(field) for field in line.split()] for line in read_lines(label) if line.strip()]
        except (InputError, ValueError):
            return
        first = first or (label if rows else "")
        lines += rows
    if len(lines) < _FEW or len({len(line) for line in lines}) > 1 or len(lines[0]) < 11:
        return
    count = len(lines[0])
    for dimensions in (2, 3):
        if (count - 5) % dimensions == 0 and all(_holds_points(line, dimensions) for line in lines):
            shape = f"[{(count - 5) // dimensions}, {dimensions}]"
            message = f"{first}: every line has {count} values, which look like a box and keypoints and not like a polygon"
            on_problem("keypoints", f"{message}; add kpt_shape: {shape} to the data.yaml")
            return


def _holds_points(values: Sequence[float], dimensions: int) -> bool:
    """Whether the points behind a box lie in it, those at 0, 0 apart, which are not visible."""
    _, x, y, w, h, *rest = values
    points = [point for point in zip(rest[::dimensions], rest[1::dimensions], strict=True) if point != (0, 0)]
    inside = all(abs(left - x) <= w / 2 + _ROUNDING and abs(top - y) <= h / 2 + _ROUNDING for left, top in points)
    return inside and bool(points) and (dimensions == 2 or set(rest[2::3]) <= {0, 1, 2})


def looks_like_labels(path: str | os.PathLike[str]) -> bool:
    """Whether the first line of a file that is not empty has a class and at least four numbers."""
    first = _first_line(path)
    if first is None or len(fields := first.split()) < 5:
        return False
    try:
        return all(abs(float(field)) < float("inf") for field in fields)
    except ValueError:
        return False


def is_empty(path: str | os.PathLike[str]) -> bool:
    """Whether a file can be read and holds nothing, as the label file of a picture without objects."""
    return _first_line(path) == ""


def _first_line(path: str | os.PathLike[str]) -> str | None:
    """The first line with something on it, "" for an empty file, or None for one that is not text or cannot be read."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="ignore")
    except (OSError, ValueError):
        return None
    # The last line of a longer file is cut off, but a cut number is a number.
    return next((line for line in head.splitlines() if line.strip()), "")


def _wrong_form(fields: Sequence[str], line: str, keypoint_values: int) -> str | None:
    """Why the values of a line, by their number, are neither a box nor a polygon; None if they may be."""
    count = len(fields)
    if "," in line and all(character in "0123456789.,;eE+- \t" for character in line):
        return f"{_shortened(line)} has commas; write decimal points, and blanks between the numbers"
    if count == 5 or (keypoint_values and count == 5 + keypoint_values):
        return None
    if keypoint_values:
        return f"{count} values, not 5 or, with its keypoints (kpt_shape), {5 + keypoint_values}"
    if count == 6:
        return (
            "6 values, not 5; labels have no sixth: a confidence (save_conf) marks predictions, and angles are not read; "
            "write class x y width height"
        )
    if count < 7 or not count % 2:
        return f"{count} values, not 5; write class x y width height, or class and the x and y of three or more points"
    return None


def _shortened(line: str) -> str:
    """A line for a message, cut if it is long as polygons are."""
    line = line.strip()
    return repr(line if len(line) <= 80 else f"{line[:77]}...")
