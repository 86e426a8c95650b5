"""An earlier evaluation, read back from its files."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolojax.errors import InputError
from yolojax.evaluation.report.history import History, read_history
from yolojax.evaluation.report.saved_metrics import check_metrics
from yolojax.runtime.command import command
from yolojax.runtime.files import read_whole
from yolojax.runtime.paths import absolute


class SavedEvaluation(NamedTuple):
    """An earlier evaluation.

    Attributes:
        name: the name of its workdir, or of its folder if that is not in a workdir.
        folder: the folder of its files.
        metrics: the contents of metrics.json.
        detections: by image id, boxes (k, 4) xyxy in pixels, scores (k,) and class ids (k,), for the images with detections.
        history: the course of its training; empty if the folder is not in a workdir.
        again: how to evaluate again, for messages.
    """

    name: str
    folder: Path
    metrics: dict[str, Any]
    detections: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]
    history: History
    again: str


def read_evaluation(path: str | os.PathLike[str], split: str) -> SavedEvaluation:
    """Reads what `yolojax eval` wrote.

    Args:
        path: a workdir, whose eval/SPLIT is read, or the folder of an evaluation.
        split: "val", "test" or "train".

    Raises:
        InputError: the evaluation is missing, of another split or of an older version, or a file is broken.
    """
    path = Path(absolute(path))
    folder = path if (path / "metrics.json").exists() else path / "eval" / split
    workdir = folder.parent.parent if folder.parent.name == "eval" else folder
    again = f"run: {command('eval')} --workdir {path if workdir == folder else workdir} --split {split}"
    if not (folder / "metrics.json").exists():
        raise InputError(f"{path} has no evaluation on the split {split!r}; {again}")
    metrics, results = (_read_json(folder / name) for name in ("metrics.json", "detections.json"))
    if not isinstance(metrics, dict) or metrics.get("split") != split:
        other_split = metrics.get("split") if isinstance(metrics, dict) else None
        raise InputError(f"{folder / 'metrics.json'} is for the split {other_split!r}, not {split!r}; {again}")
    if "pictures" not in metrics or "curves" not in metrics:
        raise InputError(f"{folder / 'metrics.json'} was written by an older version; {again}")
    try:
        check_metrics(metrics)
    except ValueError as error:
        raise InputError(f"{folder / 'metrics.json'} is damaged, or not from an evaluation: {error}; {again}") from error
    try:
        detections = _by_picture(results, len(metrics["per_class"]))
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{folder / 'detections.json'} is not in COCO's results format ({error}); {again}") from error
    return SavedEvaluation(workdir.name, folder, metrics, detections, read_history(workdir / "metrics.jsonl"), again)


def check_fits(other: SavedEvaluation, names: Sequence[str], pictures: int) -> None:
    """Checks that an earlier evaluation has the classes of a run and the number of images of its split.

    Args:
        other: the earlier evaluation.
        names: the class names of the run, in any order.
        pictures: the number of images in the split, unreadable ones included.

    Raises:
        InputError: it does not fit; the message says what to run.
    """
    metrics = other.metrics
    if set(metrics["per_class"]) != set(names):
        raise InputError(f"{other.folder} has other classes than this run: {', '.join(metrics['per_class'])}")
    number = metrics["images"] + metrics["unreadable"]
    if number != pictures:
        raise InputError(f"{other.folder} was evaluated on {number} images, but this split has {pictures}; {other.again}")


def _by_picture(results: list[dict[str, Any]], num_classes: int) -> dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    pictures = np.array([result["image_id"] for result in results], np.int64)
    boxes = np.array([result["bbox"] for result in results], np.float64)
    if results and boxes.shape != (len(results), 4):
        raise ValueError("a bbox is no list of four numbers")
    boxes = boxes.reshape(-1, 4)
    scores = np.array([result["score"] for result in results], np.float64)
    if not (np.abs(boxes) < 1e15).all() or not np.isfinite(scores).all():
        raise ValueError("a bbox or a score is no number of a picture")
    boxes[:, 2:] += boxes[:, :2]
    classes = np.array([result["category_id"] for result in results], np.int64)
    if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
        raise ValueError(f"a category_id is not one of {num_classes} classes")
    ids, picture = np.unique(pictures, return_inverse=True)
    order = np.argsort(picture, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(picture, minlength=len(ids)))[:-1])
    return {image_id: (boxes[rows], scores[rows], classes[rows]) for image_id, rows in zip(ids.tolist(), parts, strict=True)}


def _read_json(path: Path) -> Any:
    content = read_whole(path, "the file")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
