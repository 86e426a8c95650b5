"""A Darknet detector, read from its files."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from yolojax.darknet.cfg import Section
from yolojax.darknet.network import DarknetNetwork, network_from_cfg
from yolojax.darknet.weights import Weights, read_weights
from yolojax.data.formats.names import read_names
from yolojax.errors import InputError
from yolojax.inference import Recipe

DARKNET_FITS = {fit: f"darknet_{fit}" for fit in ("letterbox", "stretch")}
"""Darknet's ways to fit an image, and the values of config.data.fit for them."""


class DarknetDetector(NamedTuple):
    """A detector as Darknet's files describe it.

    Attributes:
        model: the network of the cfg.
        variables: {"params", "batch_stats"}, float32 NumPy arrays.
        recipe: what turns images into detections with the network.
    """

    model: DarknetNetwork
    variables: dict[str, Any]
    recipe: Recipe


def read_darknet(
    cfg: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    names: str | os.PathLike[str] | tuple[str, ...] | None = None,
    fit: str = "letterbox",
) -> DarknetDetector:
    """Reads a detector from Darknet's files; arguments and errors as for `Detector.from_darknet`."""
    model, grid = network_from_cfg(cfg)
    variables = finite(weights, read_weights(weights, model)).variables
    recipe = Recipe(
        grid,
        class_names(names, cfg, model.num_classes),
        fit=config_fit(fit),
        multi_label=True,
        distance_power=model.distance_power,
    )
    return DarknetDetector(model, variables, recipe)


def finite(path: str | os.PathLike[str], weights: Weights) -> Weights:
    """Refuses weights that a network cannot compute with; reading and writing files alone keeps them, to the byte.

    Args:
        path: the path of the file, for the message.
        weights: what was read from it.

    Returns:
        The same weights.

    Raises:
        InputError: some are not finite numbers.
    """
    for place, leaf in jax.tree_util.tree_leaves_with_path(weights.variables):
        if not np.isfinite(leaf).all():
            layer = "/".join(key.key for key in place[1:])
            raise InputError(f"{path}: {layer} holds {leaf[~np.isfinite(leaf)][0]}: the file is damaged")
    return weights


def config_fit(fit: str) -> str:
    """The value of config.data.fit for one of Darknet's ways to fit an image, "letterbox" or "stretch".

    Raises:
        InputError: another way.
    """
    if fit not in DARKNET_FITS:
        raise InputError(f"fit must be one of {', '.join(DARKNET_FITS)}, not {fit!r}")
    return DARKNET_FITS[fit]


def stated_fit(sections: Sequence[Section]) -> str:
    """How a cfg says that pictures are fitted: "letterbox", or "stretch" with letter_box=0 in its [net]."""
    return "letterbox" if sections[0].whole("letter_box", 1) else "stretch"


def class_names(
    names: str | os.PathLike[str] | tuple[str, ...] | None, cfg: str | os.PathLike[str], number: int
) -> tuple[str, ...]:
    """The class names of a network; without any the classes are called by their numbers.

    Args:
        names: the path of a file, one name per line; the names; or None.
        cfg: path of the cfg, or of what else is for so many classes, for the message.
        number: the number of classes.

    Raises:
        InputError: the file cannot be read, or has another number of names.
    """
    if names is None:
        return tuple(map(str, range(number)))
    given = names if isinstance(names, tuple) else read_names(names)
    if len(given) != number:
        where = f"{len(given)}" if isinstance(names, tuple) else f"{names}: {len(given)}"
        raise InputError(f"{where} class names, but {cfg} is for {number} classes")
    return given
