"""Darknet's files to a workdir and back: what `python -m yolojax import` and `export --to darknet` call."""

import os
from pathlib import Path

from yolojax.config import Config, ModelConfig
from yolojax.darknet.cfg import read_cfg
from yolojax.darknet.describe import cfg_text, recognise
from yolojax.darknet.detector import class_names, config_fit
from yolojax.darknet.layers import build_layers
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import Header, read_weights, write_weights
from yolojax.errors import InputError
from yolojax.models import build_model
from yolojax.training.checkpoints import load_run
from yolojax.training.imported import save_import


def import_weights(weights, cfg, workdir, names=None, fit="letterbox"):
    """Makes a workdir for eval.py, detect.py and train.py of a Darknet network.

    Args:
        weights: path of the .weights.
        cfg: path of the .cfg. One of YOLOv3, YOLOv3-SPP or YOLOv3-tiny becomes that network of ours; of any other the text
            goes into config.model.cfg.
        workdir: folder to make; it must not hold a run.
        names: path of a file with one class name a line; by default classes are called by their numbers.
        fit: "letterbox" or "stretch", how Darknet fits the pictures that the network sees; goes into config.data.fit.

    Returns:
        The Config of the workdir.

    Raises:
        InputError: files that cannot be read or honoured, or do not fit each other; a workdir that is taken.
    """
    sections = read_cfg(cfg)
    size, layers = build_layers(sections)
    model, grid = build_network(sections)
    config = Config()
    config.data.fit = config_fit(fit)
    config.model = recognise(size, layers, grid, model.num_classes) or ModelConfig(
        name="darknet", num_classes=model.num_classes, cfg=_plain_text(sections)
    )
    config.data.size = size
    config.data.class_names = class_names(names, cfg, model.num_classes)
    save_import(workdir, config, read_weights(weights, build_model(config.model)).variables)
    return config


def export_run(workdir, out, checkpoint="best"):
    """Writes a trained network as OUT/model.cfg, OUT/model.weights and OUT/model.names.

    Args:
        workdir: of `train_and_evaluate` or `import_weights`.
        out: folder; made where it is missing. Files in it are not overwritten.
        checkpoint: "best", "last" or a step.

    Returns:
        The three paths.

    Raises:
        InputError: no run there, a network that Darknet cannot compute, or files that are there already or cannot be written.
    """
    run = load_run(workdir, checkpoint)
    if run.config.loss.class_scores != "sigmoid":
        raise InputError(f"{workdir}: config.loss.class_scores is softmax, which [yolo] of Darknet does not compute")
    paths = [Path(out) / f"model.{ending}" for ending in ("cfg", "weights", "names")]
    for path in paths:
        if path.exists():
            raise InputError(f"{path} exists; name another folder with --out")
    try:
        os.makedirs(out, exist_ok=True)
        paths[0].write_text(cfg_text(run.config.model, run.config.data.size), encoding="utf-8")
        paths[2].write_text("".join(f"{name}\n" for name in run.config.data.class_names), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror or error}") from error
    seen = run.step * run.config.train.batch_size
    write_weights(paths[1], run.model, run.variables, Header(seen=seen))
    return paths


def _plain_text(sections):
    """A cfg again, without its comments, whose line numbers are its own."""
    blocks = [
        "\n".join([f"[{section.name}]", *(f"{name}={option.text}" for name, option in section.options.items())])
        for section in sections
    ]
    return "\n\n".join(blocks) + "\n"
