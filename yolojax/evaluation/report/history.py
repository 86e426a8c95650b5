"""The course of a training run, read from its metrics.jsonl."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

History: TypeAlias = Mapping[str, Mapping[str, np.ndarray]]
"""By split, "train" and "val": the columns "step" (n,) int64, rising, and NAME (n,) float64."""


def read_history(path: str | os.PathLike[str]) -> History:
    """Reads the numbers of a metrics.jsonl by split, even if the run was resumed, or killed while writing.

    If a step has several lines, the last one counts. Lines that are not a JSON object with a step are skipped.

    Args:
        path: the file; a missing file counts as empty.

    Returns:
        {"train": columns, "val": columns}, with NaN where a line lacks a number.
    """
    rows: dict[str, dict[int, dict[str, Any]]] = {"train": {}, "val": {}}
    path = Path(path)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and isinstance(values.get("step"), int) and values.get("split") in rows:
            rows[values["split"]][values["step"]] = values
    return {split: _columns(lines) for split, lines in rows.items()}


def _columns(lines: Mapping[int, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    steps = sorted(lines)
    names = {name: None for step in steps for name in lines[step] if name not in ("step", "split")}
    columns = {name: np.array([_number(lines[step].get(name)) for step in steps]) for name in names}
    return {"step": np.array(steps, np.int64), **columns}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
