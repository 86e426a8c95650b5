"""The network of trained weights, taken into a configuration: its layers, anchors, input size and picture fit."""

import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from yolojax.config import Config, ModelConfig
from yolojax.darknet.beside import find_cfg, find_names, is_partial, is_weights
from yolojax.darknet.cfg import parse_cfg, read_cfg
from yolojax.darknet.describe import NAMES, model_of
from yolojax.darknet.detector import config_fit, stated_fit
from yolojax.darknet.edit import with_anchors, with_classes
from yolojax.darknet.network import build_network
from yolojax.darknet.weights import classes_of_file
from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS
from yolojax.models import build_model
from yolojax.runs.workdir import read_config
from yolojax.runtime.wording import counted
from yolojax.training.heads import shared_classes
from yolojax.training.trained import run_of

OWN_FIELDS = (
    *("name", "options", "width", "backbone", "backbone_options", "neck", "neck_options", "cfg"),
    *("xy_scale", "squared_sizes"),
)
"""The fields of a network that its weights fit."""

# The published yolov3-tiny.weights were trained with mask = 1,2,3 at the finer scale.
_TINY_WEIGHTS_ANCHORS = (TINY_ANCHORS[0][1:] + TINY_ANCHORS[1][:1], TINY_ANCHORS[1])


class _Source(NamedTuple):
    """The network of trained weights.

    Attributes:
        model: its configuration.
        size: (height, width) of its input in pixels; None where nothing says.
        fit: the value of config.data.fit; None where nothing says.
        known_by: what the network is known by, for the printed line.
    """

    model: ModelConfig
    size: tuple[int, int] | None
    fit: str | None
    known_by: str


def adopt_network(config: Config, overridden: Collection[str] | None = None) -> list[str]:
    """Takes the network of `config.init_from` into a configuration, as `config.init_network` asks for.

    The layers are those of the weights, and so are anchors, input size and fit unless the user has set them. The number of
    classes is left to the data. Afterwards `init_network` and `init_cfg` are back at their defaults.

    Args:
        config: it is changed.
        overridden: dotted names of the fields that the user has set; None: those that are not at their defaults.

    Returns:
        Lines that say what was chosen.

    Raises:
        InputError: weights that cannot be read, whose network is not known, or that differs from one that the user has set.
    """
    source, losses = config.init_from, []
    if is_weights(source):
        found = _of_weights(source, config.init_cfg)
    elif config.init_cfg:
        raise InputError(
            f"a cfg goes with a .weights file (or .backup, .conv.N), and the name of {source} has no such ending; a run says "
            "itself what its network is"
        )
    else:
        run = read_config(run_of(source)[0])
        found = _Source(run.model, run.data.size, run.data.fit, "the network of that run")
        losses = _other_losses(config, run)
    config.init_network, config.init_cfg = False, ""
    if found is None:
        return [f"{source} has the first layers of a network alone; the network is that of the configuration"]
    return [f"{source}: {found.known_by}", *_take(config, found, source, overridden), *losses]


def untrained_network(config: Config, cfg: str, overridden: Collection[str]) -> list[str]:
    """Takes the network of a Darknet cfg into a configuration, to be trained from random weights; see `adopt_network`."""
    found = _of_cfg(cfg)
    return [f"{cfg}: a network {found.known_by}; all its layers start anew", *_take(config, found, cfg, overridden)]


def has_network_of(config: Config, cfg: str) -> bool:
    """Whether the network of a run, whose configuration is complete, is that of a Darknet cfg, for any classes and anchors."""
    mine, found = config.model, _of_cfg(cfg).model
    if any(getattr(mine, name) != getattr(found, name) for name in OWN_FIELDS if name != "cfg"):
        return False
    if mine.name != "darknet":
        return True
    anchors = build_network(parse_cfg(mine.cfg))[1].anchors
    if [len(scale) for scale in build_network(parse_cfg(found.cfg))[1].anchors] != [len(scale) for scale in anchors]:
        return False
    wanted = with_classes(found.cfg, mine.num_classes)
    return with_anchors(wanted, anchors) == with_anchors(mine.cfg, anchors)


def _take(config: Config, found: _Source, source: str, overridden: Collection[str] | None) -> list[str]:
    """Writes a network into a configuration, as `adopt_network` says; returns lines about what does not go with it."""

    def is_set(name: str) -> bool:
        if overridden is not None:
            return name in overridden
        section, field = name.split(".")
        return getattr(getattr(config, section), field) != getattr(getattr(Config(), section), field)

    replaced = []
    for name in OWN_FIELDS:
        wanted, own = getattr(config.model, name), getattr(found.model, name)
        if overridden is not None and f"model.{name}" in overridden and wanted != own:
            raise InputError(f"config.model.{name} is {wanted!r}, but the network of {source} has {own!r}; leave it out")
        if wanted not in (own, getattr(ModelConfig(), name)):
            replaced.append(f"{name}={wanted}")
        setattr(config.model, name, own)
    if not is_set("model.anchors"):
        config.model.anchors = found.model.anchors
    if found.size and not is_set("data.size"):
        config.data.size = found.size
    if found.fit and not is_set("data.fit"):
        config.data.fit = found.fit
    lines = []
    if replaced:
        lines.append(f"that network takes the place of the configuration's ({', '.join(replaced)} in config.model)")
    sides = [side for size in config.data.sizes for side in size]
    if sides and not min(sides) <= max(config.data.size) <= max(sides) and not is_set("data.sizes"):
        height, width = config.data.size
        lines.append(
            f"config.data.sizes is left out: {min(sides)} to {max(sides)} pixels are not for a network of {height} x {width}"
        )
        config.data.sizes = ()
    if config.loss.assign_rule == "ratio" and _xy_scale(found.model) < 2:
        lines.append(
            "config.loss.assign_rule=ratio is for centres that reach into the neighbouring cells, as this network's do not; "
            "--config.loss.assign_rule=threshold is for centres that stay in theirs"
        )
    return lines


def _xy_scale(model: ModelConfig) -> float:
    """The smallest `xy_scale` of a network's heads."""
    if model.name != "darknet":
        return model.xy_scale
    return min(build_network(parse_cfg(model.cfg))[1].xy_scales, default=1.0)


def _other_losses(config: Config, run: Config) -> list[str]:
    """A line if a run was trained with another loss than the configuration has."""
    names = [name for name in ("name", "assign_rule", "class_scores") if getattr(config.loss, name) != getattr(run.loss, name)]
    if not names:
        return []
    theirs, here = ([f"{name}={getattr(loss, name)}" for name in names] for loss in (run.loss, config.loss))
    return [f"that run was trained with {', '.join(theirs)}, and now it is {', '.join(here)} (config.loss)"]


def source_classes(config: Config) -> tuple[str, ...]:
    """The class names of `config.init_from`, whose network the configuration has (`adopt_network`); () where not known."""
    source = config.init_from
    if not is_weights(source):
        return tuple(read_config(run_of(source)[0]).data.class_names)
    if is_partial(source):
        return ()
    if config.model.name == "darknet":
        classes = build_network(parse_cfg(config.model.cfg))[0].num_classes
    else:
        classes = classes_of_file(source, build_model(dataclasses.replace(config.model, num_classes=1)))
    return find_names(source, classes)[0] if classes else ()


def lower_rates(config: Config, class_names: Sequence[str], overridden: Collection[str]) -> list[str]:
    """Goes on with a tenth of the learning rates where the weights know all classes of the data already.

    At the full rate such a network first loses much of its accuracy; one whose classes are new learns them faster with it
    (benchmarks/results/fine_tuning.md).

    Args:
        config: it is changed; its network is that of the weights (`adopt_network`).
        class_names: those of the data.
        overridden: dotted names of the fields that the user has set.

    Returns:
        A line that says so, or none.
    """
    if len(shared_classes(class_names, source_classes(config))) < len(class_names):
        return []
    for name in ("learning_rate", "end_learning_rate"):
        if f"optimizer.{name}" not in overridden:
            setattr(config.optimizer, name, getattr(config.optimizer, name) / 10)
    return [
        f"the weights know these classes: learning rate {config.optimizer.learning_rate:g} (config.optimizer.learning_rate)"
    ]


def _of_weights(weights: str, cfg: str) -> _Source | None:
    """The network of a Darknet file; None for one of first layers without a cfg of its name."""
    if not os.path.isfile(weights):
        raise InputError(
            f"--weights (config.init_from): {weights} does not exist; give a .weights file, a workdir or a checkpoint"
        )
    path = cfg or find_cfg(weights)
    if path:
        found = _of_cfg(path)
        return found._replace(known_by=f"its network is that of {path}, {found.known_by}")
    if is_partial(weights):
        return None
    for name in NAMES:
        model = ModelConfig(name=name, num_classes=1)
        classes = classes_of_file(weights, build_model(model))
        if classes:
            anchors = _TINY_WEIGHTS_ANCHORS if name == "yolov3_tiny" else ()
            found = dataclasses.replace(model, anchors=anchors)
            return _Source(found, None, None, f"by its length it is {name}, for {counted(classes, 'class')}")
    others = sorted(path.name for path in Path(weights).parent.glob("*.cfg"))
    there = f" (there are {', '.join(others)})" if others else ""
    raise InputError(
        f"{weights}: there is no cfg of its name beside it{there}, and its length is that of no YOLOv3; give its cfg with --cfg"
    )


def _of_cfg(path: str | os.PathLike[str]) -> _Source:
    """The network that a cfg describes."""
    sections = read_cfg(path)
    model, size = model_of(sections)
    return _Source(model, size, config_fit(stated_fit(sections)), f"for {counted(model.num_classes, 'class')}")
