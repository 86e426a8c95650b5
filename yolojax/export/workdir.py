"""The export of a trained run; each file is checked against the network before it is put in its place."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from yolojax.data.images import read_image
from yolojax.data.pictures import find_sources, is_video
from yolojax.data.sources import open_split
from yolojax.errors import InputError, first_line
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.files import open_regular, whole_or_not_at_all, whole_set

if TYPE_CHECKING:
    from yolojax.config import Config

PICTURES = 4

DARKNET_FILES = "model.cfg", "model.weights", "model.names"

FORMATS = {
    "stablehlo": "yolojax.export.stablehlo:export_stablehlo",
    "onnx": "yolojax.export.onnx:export_onnx",
    "darknet": "yolojax.export.darknet:export_darknet",
}
"""For each format the function (run, path, images) -> a line for the user. It writes `path`, and files beside it, and compares
them with the network on the images, RGB uint8 (h, w, 3); a difference is an InputError."""

MARKS = {"stablehlo": b"about.json", "onnx": b"\x12\x07yolojax"}
"""What the beginning of an exported file of a format holds, and hardly that of any other file."""

Item = TypeVar("Item")


def export_workdir(
    workdir: str | os.PathLike[str],
    to: str,
    out: str | os.PathLike[str],
    *,
    checkpoint: str | int = "best",
    pictures: Sequence[str] = (),
    parts: Parts = NO_PARTS,
) -> str:
    """Writes a trained network in another format; a file that does not agree with the network is not kept.

    Args:
        workdir: folder of the run.
        to: a key of `FORMATS`.
        out: the file to write; an earlier one of the same format is replaced. For darknet a folder, for model.cfg,
            model.weights and model.names, none of which is replaced.
        checkpoint: "best", "last" or a step.
        pictures: pictures, folders and globs to check the file on; by default the validation pictures of the run. Four of them
            are used, evenly spread.
        parts: parts that the run was given as objects and that have no importable name.

    Returns:
        A line that says what was written.

    Raises:
        InputError: no run, no pictures, a folder that cannot be written, a package that is missing, one of Darknet's files
            exists, `out` is a file of something else, or a file differs from the network.
    """
    from yolojax.runs.workdir import load_run  # here, not above: the formats are listed without loading JAX

    module, function = FORMATS[to].split(":")
    write = getattr(importlib.import_module(module), function)
    if to == "darknet":
        for name in DARKNET_FILES:
            if os.path.lexists(Path(out) / name):
                raise InputError(f"{Path(out) / name} exists; name another folder with --out")
    else:
        _check_replaceable(out, to)
    run = load_run(workdir, checkpoint, parts=parts)
    images = _given_pictures(pictures) if pictures else _validation_pictures(run.config, parts)
    if to == "darknet":
        with whole_set(out, last=DARKNET_FILES[0]) as draft:
            return write(run, draft / DARKNET_FILES[0], images)
    with whole_or_not_at_all(out) as path:
        line = write(run, path, images)
        _check_replaceable(out, to)  # again: it took a while
        return line


def _check_replaceable(out: str | os.PathLike[str], to: str) -> None:
    """Refuses to replace a file that is no earlier export to this format."""
    if os.path.lexists(out) and not os.path.isdir(out) and MARKS[to] not in _beginning(out):
        raise InputError(f"{out} exists and is no file that an export to {to} has written; name another one with --out")


def _beginning(path: str | os.PathLike[str]) -> bytes:
    """The first bytes of a file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            return file.read(64)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {first_line(error)}") from error


def _given_pictures(sources: Sequence[str]) -> list[np.ndarray]:
    paths = []
    for source in find_sources(sources):
        if is_video(source) or not isinstance(source, Path):
            raise InputError(f"--pictures {source}: give pictures, folders, globs or lists, not videos, cameras or -")
        paths.append(source)
    return [read_image(path) for path in _spread(paths)]


def _validation_pictures(config: "Config", parts: Parts) -> list[np.ndarray]:
    if config.data.source == "auto" and not (config.data.train or config.data.val):
        raise InputError("the run has no data, as an imported one: give pictures to check the file on with --pictures")
    try:
        source = open_split(config, "val", parts)
        images = [source.example(0, index).image for index in _spread(range(len(source)))]
    except InputError as error:
        raise InputError(f"{error}; the file is checked on validation pictures: give others with --pictures") from error
    if not images:
        raise InputError("the run has no validation pictures to check the file on: give some with --pictures")
    return images


def _spread(items: Sequence[Item]) -> list[Item]:
    """Up to `PICTURES` of the items, evenly through the list."""
    count = min(len(items), PICTURES)
    return [items[i * len(items) // count] for i in range(count)]
