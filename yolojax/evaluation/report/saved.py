"""An evaluation as its files tell it."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yolojax.errors import InputError
from yolojax.evaluation.report.history import read_history


class SavedEvaluation(NamedTuple):
    """An evaluation of an earlier time.

    Attributes:
        name: of its folder, or its workdir.
        folder: where it is.
        metrics: the dict of metrics.json.
        detections: {image_id: (boxes_xyxy (k, 4), scores (k,), classes (k,))}, of the pictures with a detection.
        history: of `read_history`; empty for a folder that is not in its workdir.
        again: what to do where it does not fit, for messages.
    """

    name: str
    folder: Path
    metrics: dict
    detections: dict
    history: dict
    again: str


def read_evaluation(path, split):
    """Reads what eval.py wrote.

    Args:
        path: a workdir, whose eval/SPLIT is read, or the folder of an evaluation.
        split: "val", "test" or "train".

    Returns:
        SavedEvaluation.

    Raises:
        InputError: there is no such evaluation, it is of another split or an older version, or a file is broken.
    """
    path = Path(os.path.abspath(path))
    folder = path if (path / "metrics.json").exists() else path / "eval" / split
    workdir = folder.parent.parent if folder.parent.name == "eval" else folder
    again = f"run: python eval.py --workdir {path if workdir == folder else workdir} --split {split}"
    if not (folder / "metrics.json").exists():
        raise InputError(f"{path} has no evaluation on the split {split!r}; {again}")
    metrics, results = (_read_json(folder / name) for name in ("metrics.json", "detections.json"))
    if not isinstance(metrics, dict) or metrics.get("split") != split:
        found = metrics.get("split") if isinstance(metrics, dict) else None
        raise InputError(f"{folder / 'metrics.json'} is of the split {found!r}, not {split!r}; {again}")
    if "pictures" not in metrics or "curves" not in metrics:
        raise InputError(f"{folder / 'metrics.json'} was written by an older version; {again}")
    try:
        detections = _by_picture(results)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{folder / 'detections.json'} is not in COCO's results format ({error}); {again}") from error
    return SavedEvaluation(workdir.name, folder, metrics, detections, read_history(workdir / "metrics.jsonl"), again)


def check_fits(other, names, pictures):
    """Refuses a SavedEvaluation of other classes or of another number of pictures than a run and its split have.

    Raises:
        InputError: with what to run.
    """
    theirs = other.metrics
    if set(theirs["per_class"]) != set(names):
        raise InputError(f"{other.folder} has other classes than this run: {', '.join(theirs['per_class'])}")
    number = theirs["images"] + theirs["unreadable"]
    if number != pictures:
        raise InputError(f"{other.folder} was evaluated on {number} pictures, this split has {pictures}; {other.again}")


def _by_picture(results):
    pictures = np.array([result["image_id"] for result in results], np.int64)
    boxes = np.array([result["bbox"] for result in results], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    scores = np.array([result["score"] for result in results], np.float64)
    classes = np.array([result["category_id"] for result in results], np.int64)
    ids, picture = np.unique(pictures, return_inverse=True)
    order = np.argsort(picture, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(picture, minlength=len(ids)))[:-1])
    return {image_id: (boxes[rows], scores[rows], classes[rows]) for image_id, rows in zip(ids.tolist(), parts, strict=True)}


def _read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
