"""A trained network as Darknet's files."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolojax.darknet.describe import cfg_text
from yolojax.darknet.detector import DARKNET_FITS
from yolojax.darknet.weights import Header, write_weights
from yolojax.data.formats.names import write_names
from yolojax.errors import InputError
from yolojax.export.agreement import THRESHOLDS, agree
from yolojax.models.build import in_float32
from yolojax.predict import Detector
from yolojax.runs.workdir import Run
from yolojax.runtime.wording import counted


def export_darknet(run: Run, path: str | os.PathLike[str], images: Sequence[np.ndarray]) -> str:
    """Writes the network of a run as Darknet's files and compares what `Detector.from_darknet` finds with them.

    Args:
        run: the trained network.
        path: the path of the .cfg; .weights and .names of the same name are written beside it.
        images: RGB uint8 (h, w, 3), at least one.

    Returns:
        A line that says what was written.

    Raises:
        InputError: a network that Darknet cannot compute, or files whose detections differ from the network's.
    """
    if run.config.loss.class_scores != "sigmoid":
        raise InputError("config.loss.class_scores is softmax, which [yolo] of Darknet does not compute")
    for name in run.recipe.names:
        if name.split("\n") != [name.strip()] or not name:
            raise InputError(f"the class name {name!r} cannot be a line of a .names file; change it in config.json")
    cfg, weights, names = (Path(path).with_suffix(f".{ending}") for ending in ("cfg", "weights", "names"))
    cfg.write_text(cfg_text(run.config.model, run.config.data.size), encoding="utf-8")
    write_names(names, run.recipe.names)
    write_weights(weights, run.model, run.variables, Header(seen=run.step * run.config.train.batch_size))

    fit = run.recipe.fit if run.recipe.fit in DARKNET_FITS.values() else DARKNET_FITS["letterbox"]
    config = dataclasses.replace(run.config, data=dataclasses.replace(run.config.data, fit=fit))
    network = Detector.from_run(run._replace(config=config, model=in_float32(run.model)))
    written = Detector.from_darknet(cfg, weights, names, fit.removeprefix("darknet_"))
    for thresholds in THRESHOLDS:
        pairs = zip(network(images, *thresholds), written(images, *thresholds), strict=True)
        for number, (expected, actual) in enumerate(pairs, start=1):
            if not agree(actual[:3], expected[:3], max(images[number - 1].shape), cut_short=thresholds[0] == 0):
                raise InputError(
                    f"what was written differs from the network on picture {number}, with {len(actual.scores)} and "
                    f"{len(expected.scores)} detections at thresholds {thresholds[0]} and {thresholds[1]}; nothing was kept"
                )
    return (
        f"{cfg.name}, {weights.name} ({weights.stat().st_size / 1e6:.1f} MB) and {names.name}; read back, they give the "
        f"same detections as the network on {counted(len(images), 'picture')}"
    )
