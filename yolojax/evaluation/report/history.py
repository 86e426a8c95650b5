"""The course of a training run, read from its metrics.jsonl."""

import json
from pathlib import Path

import numpy as np


def read_history(path):
    """Reads the numbers of a metrics.jsonl by split, also of a run that was stopped and resumed, or killed while writing.

    Of several lines of one step the last counts; lines that are no JSON object with a step are passed over.

    Args:
        path: the file; one that is missing holds nothing.

    Returns:
        {"train": columns, "val": columns}, each {"step": (n,) int64 rising, NAME: (n,) float64}, NaN where a line has no
        such number.
    """
    rows = {"train": {}, "val": {}}
    path = Path(path)
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict) and isinstance(values.get("step"), int) and values.get("split") in rows:
            rows[values["split"]][values["step"]] = values
    return {split: _columns(lines) for split, lines in rows.items()}


def _columns(lines):
    steps = sorted(lines)
    names = {name: None for step in steps for name, value in lines[step].items() if name not in ("step", "split")}
    columns = {name: np.array([_number(lines[step].get(name)) for step in steps]) for name in names}
    return {"step": np.array(steps, np.int64), **columns}


def _number(value):
    return float(value) if isinstance(value, int | float) else np.nan
