"""A configuration as a table of its fields."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from yolojax.evaluation.report.page import escape, table
from yolojax.parts import OPTIONS


def config_table(config: Mapping[str, Any]) -> str:
    """The fields of a configuration, given as nested dicts, as an HTML table."""
    rows = [[escape(name), escape(json.dumps(value, ensure_ascii=False))] for name, value in config_leaves(config)]
    return table(("field", "value"), rows, kind="config")


def config_leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted name and the value of every field of nested dicts; keyword arguments are the value of one field."""
    for name, value in config.items():
        if isinstance(value, dict) and prefix + name not in OPTIONS.values():
            yield from config_leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
