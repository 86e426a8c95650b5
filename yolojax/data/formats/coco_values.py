"""Values in a COCO file as different programs write them: ids as numbers or texts, sizes, fields of a type."""

import re
import reprlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

Entries = list[tuple[int, dict[str, Any]]]
"""The objects of a list, each with its place there."""

_NUMERIC = re.compile(r"(-?(?:0|[1-9]\d{0,17}))(?:\.0+)?")


def as_id(value: Any) -> int | str | None:
    """Read an id as an integer where it stands for one.

    Args:
        value: a JSON value.

    Returns:
        7 for 7, 7.0, "7" and "7.0"; other texts as they are, also "007"; None for anything else.
    """
    if isinstance(value, str):
        match = _NUMERIC.fullmatch(value.strip())
        return int(match[1]) if match else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def id_field(entry: Mapping[str, Any], name: str, where: str, report: Callable[[str], None]) -> int | str | None:
    """The id in a field; None, after a report, if there is none."""
    value = as_id(entry.get(name))
    return value if value is not None else _wrong(entry, name, where, report)


def category_id_field(entry: Mapping[str, Any], name: str, where: str, report: Callable[[str], None]) -> int | None:
    """The id in a field that must be a number; None, after a report, if it is not."""
    value = as_id(entry.get(name))
    return value if isinstance(value, int) else _wrong(entry, name, where, report)


def text_field(entry: Mapping[str, Any], name: str, where: str, report: Callable[[str], None]) -> str | None:
    """The text in a field; None, after a report, if it is not a text."""
    value = entry.get(name)
    return value if isinstance(value, str) else _wrong(entry, name, where, report)


def list_field(entry: Mapping[str, Any], name: str, where: str, report: Callable[[str], None]) -> list[Any] | None:
    """The list in a field; None, after a report, if it is not a list."""
    value = entry.get(name)
    return value if isinstance(value, list) else _wrong(entry, name, where, report)


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether a JSON value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def stated_size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """The (height, width) in pixels that an image entry states; None if one is missing, zero or not a whole number."""
    height, width = as_id(image.get("height")), as_id(image.get("width"))
    if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
        return height, width
    return None


def place_of(path: Path, kind: str, group: str, entry: Mapping[str, Any], place: int) -> str:
    """What messages call an entry: by its id, or its place from 0."""
    return f"{path}: {kind} {reprlib.repr(entry['id'])}" if "id" in entry else f"{path}: {group}[{place}]"


def _wrong(entry: Mapping[str, Any], name: str, where: str, report: Callable[[str], None]) -> None:
    value = f"{name!r} is {reprlib.repr(entry[name])}" if name in entry else f"there is no {name!r}"
    report(f"{where}: {value}")
