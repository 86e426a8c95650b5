"""Workdirs into which a network was imported: one checkpoint, at step 0, from which training can start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax

from yolojax.config import Config, to_dict
from yolojax.darknet.cfg import read_cfg
from yolojax.darknet.describe import model_of
from yolojax.darknet.detector import class_names, config_fit, finite, stated_fit
from yolojax.darknet.weights import read_weights
from yolojax.errors import InputError
from yolojax.models import build_model
from yolojax.runs.workdir import IMPORTED, is_imported, make_meta, read_config, restore_variables
from yolojax.runtime.files import whole_set, write_json

if TYPE_CHECKING:
    from yolojax.runs.checkpoints import Checkpoints


def save_import(workdir: str | os.PathLike[str], config: Config, variables: Mapping[str, Any]) -> None:
    """Makes a workdir from a network that was not trained here.

    Args:
        workdir: folder; made if it is missing, and must have neither configuration nor checkpoint.
        config: its model and class names are those of the network.
        variables: {"params", "batch_stats"}.

    Raises:
        InputError: the folder holds a run or cannot be written.
    """
    from yolojax.runs.checkpoints import Checkpoints

    folder = Path(workdir)
    if (folder / "config.json").exists() or (folder / "checkpoints").exists():
        raise InputError(f"{workdir} holds a run already; name another --workdir")
    with whole_set(folder, last="config.json") as draft:
        write_json(draft / "config.json", to_dict(config))
        with Checkpoints(draft) as checkpoints:
            checkpoints.save(IMPORTED, jax.tree.map(jax.numpy.asarray, variables), make_meta(config, {}, []))


def adopt_model(config: Config, workdir: str | os.PathLike[str]) -> Config:
    """The configuration with the network that was imported into the workdir, if no training has replaced it yet.

    Args:
        config: it is changed. Anchors that it sets stay.
        workdir: as for `train_and_evaluate`.

    Raises:
        InputError: a field that shapes the network is neither at its default nor that of the imported network.
    """
    if not is_imported(workdir):
        return config
    imported, default = read_config(workdir).model, type(config.model)()
    for name in ("name", "num_classes", "width", "cfg", "xy_scale", "squared_sizes"):
        wanted, existing = getattr(config.model, name), getattr(imported, name)
        if wanted not in (existing, getattr(default, name)):
            raise InputError(f"config.model.{name} is {wanted!r}, but the network in {workdir} has {existing!r}; leave it out")
        setattr(config.model, name, existing)
    config.model.anchors = config.model.anchors or imported.anchors
    return config


def imported_variables(checkpoints: "Checkpoints", config: Config, model: nn.Module) -> dict[str, Any] | None:
    """{"params", "batch_stats"} of an imported network from which no training has started yet; None if there is none."""
    if checkpoints.steps() != [IMPORTED]:
        return None
    one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return restore_variables(checkpoints, IMPORTED, config, model, one_device)


def import_weights(
    weights: str | os.PathLike[str],
    cfg: str | os.PathLike[str],
    workdir: str | os.PathLike[str],
    names: str | os.PathLike[str] | tuple[str, ...] | None = None,
    fit: str | None = None,
) -> Config:
    """Makes a workdir from a Darknet network, for evaluation, detection and training.

    Args:
        weights: path of the .weights.
        cfg: path of the .cfg. A cfg of YOLOv3, YOLOv3-SPP or YOLOv3-tiny becomes that network; the text of any other goes
            into config.model.cfg.
        workdir: folder to make; it must not hold a run.
        names: path of a file with one class name per line, or the names; by default classes are called by their numbers.
        fit: "letterbox" or "stretch", how Darknet fits images into the input; goes into config.data.fit. None: as the cfg says,
            letterbox where it says nothing.

    Returns:
        The configuration of the workdir.

    Raises:
        InputError: files that cannot be read or honoured, or do not fit each other; a workdir that holds a run.
    """
    config = Config()
    sections = read_cfg(cfg)
    config.data.fit = config_fit(fit or stated_fit(sections))
    config.model, config.data.size = model_of(sections)
    config.data.class_names = class_names(names, cfg, config.model.num_classes)
    save_import(workdir, config, finite(weights, read_weights(weights, build_model(config.model))).variables)
    return config
