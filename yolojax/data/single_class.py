"""All classes of a data set as one: where an object is, not what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from yolojax.data.formats.read import Annotations

if TYPE_CHECKING:
    from yolojax.config import DataConfig

NAME = "object"
NUMBERS = tuple(map(str, range(10_000)))
"""Names for data that has class numbers only, such as a text list: where all count as one, nobody has to know theirs."""
_NAMED = 5  # classes in a line


def the_class(data: DataConfig) -> str:
    """The name of the one class: that of `class_names` if it is one, else "object"."""
    return data.class_names[0] if len(data.class_names) == 1 else NAME


def as_one_class(annotations: Annotations, name: str) -> tuple[Annotations, str]:
    """Make all classes one.

    Args:
        annotations: what was read, with its own classes.
        name: the name of the one class.

    Returns:
        The annotations with this name, all boxes of class 0, and a line that says so.
    """
    records = [dataclasses.replace(record, classes=np.zeros_like(record.classes)) for record in annotations.records]
    line = f"{_listed(annotations.names)} count as one class, {name} (config.data.single_class)"
    return annotations._replace(names=(name,), records=records), line


def _listed(names: Sequence[str]) -> str:
    if names == NUMBERS:
        return "all class numbers"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the classes {', '.join(names[:_NAMED])}{more}"
