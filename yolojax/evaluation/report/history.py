"""The course of a training run, read from its metrics.jsonl."""

import json
import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from yolojax.runtime.files import open_regular

LARGEST = 1e30
"""Numbers from here on are not drawn: axes are calculated in sums and products of them."""
History: TypeAlias = Mapping[str, Mapping[str, np.ndarray]]
"""By split, "train" and "val": the columns "step" (n,) int64, rising, and NAME (n,) float64."""


def read_history(path: str | os.PathLike[str]) -> History:
    """Reads the numbers of a metrics.jsonl by split, even if the run was resumed, or killed while writing.

    If a step has several lines, the last one counts. Lines that are not a JSON object with a step are skipped.

    Args:
        path: the file; a missing file counts as empty, and so does what is not a file.

    Returns:
        {"train": columns, "val": columns}, with NaN where a line lacks a number, or has one that no computer calculates with.
    """
    rows: dict[str, dict[int, dict[str, Any]]] = {"train": {}, "val": {}}
    try:
        with open_regular(path) as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and values.get("split") in ("train", "val") and _is_step(values.get("step")):
            rows[values["split"]][values["step"]] = values
    return {split: _columns(lines) for split, lines in rows.items()}


def _columns(lines: Mapping[int, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    steps = sorted(lines)
    names = {name: None for step in steps for name in lines[step] if name not in ("step", "split")}
    columns = {name: np.array([_number(lines[step].get(name)) for step in steps]) for name in names}
    return {"step": np.array(steps, np.int64), **columns}


def _is_step(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST else np.nan
