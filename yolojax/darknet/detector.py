"""A Darknet detector, read from its files."""

import jax
import numpy as np

from yolojax.darknet.network import network_from_cfg
from yolojax.darknet.weights import read_weights
from yolojax.data.darknet_fit import FITS
from yolojax.data.formats.names import read_names
from yolojax.errors import InputError

DARKNET_FITS = {fit: f"darknet_{fit}" for fit in ("letterbox", "stretch")}
"""Darknet's ways to fit a picture, and the values of config.data.fit for them."""


def darknet_parts(cfg, weights, names=None, fit="letterbox"):
    """Reads what makes a `Detector` of Darknet's files, as its keyword arguments; see `Detector.from_darknet`."""
    model, grid = network_from_cfg(cfg)
    return {
        "model": model,
        "variables": finite(weights, read_weights(weights, model)).variables,
        "grid": grid,
        "names": class_names(names, cfg, model.num_classes),
        "fit": FITS[config_fit(fit)],
        "multi_label": True,
    }


def finite(path, weights):
    """The Weights of a file that a network is to work with.

    Raises:
        InputError: some are no finite numbers. Reading and writing files alone keeps them, to the byte.
    """
    for place, leaf in jax.tree_util.tree_leaves_with_path(weights.variables):
        if not np.isfinite(leaf).all():
            layer = "/".join(key.key for key in place[1:])
            raise InputError(f"{path}: {layer} holds {leaf[~np.isfinite(leaf)][0]}: the file is damaged")
    return weights


def config_fit(fit):
    """The value of config.data.fit of one of Darknet's ways to fit a picture.

    Raises: InputError, for another than letterbox and stretch.
    """
    if fit not in DARKNET_FITS:
        raise InputError(f"fit must be one of {', '.join(DARKNET_FITS)}, not {fit!r}")
    return DARKNET_FITS[fit]


def class_names(path, cfg, number):
    """The class names of a file, one for each of a cfg's `number` of classes; without a file the classes' numbers.

    Raises:
        InputError: the file cannot be read, or has another number of names.
    """
    if path is None:
        return tuple(map(str, range(number)))
    names = read_names(path)
    if len(names) != number:
        raise InputError(f"{path}: {len(names)} class names, but {cfg} is for {number} classes")
    return names
