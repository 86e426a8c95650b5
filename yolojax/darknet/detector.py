"""A Darknet detector, read from its files."""

from yolojax.darknet.network import network_from_cfg
from yolojax.darknet.weights import read_weights
from yolojax.data.annotations import read_names
from yolojax.data.darknet_fit import FITS
from yolojax.errors import InputError


def darknet_parts(cfg, weights, names=None, fit="letterbox"):
    """Reads what makes a `Detector` of Darknet's files, as its keyword arguments; see `Detector.from_darknet`."""
    model, grid = network_from_cfg(cfg)
    return {
        "model": model,
        "variables": read_weights(weights, model).variables,
        "grid": grid,
        "names": class_names(names, cfg, model.num_classes),
        "fit": FITS[config_fit(fit)],
        "multi_label": True,
    }


def config_fit(fit):
    """The value of config.data.fit of one of Darknet's ways to fit a picture.

    Raises: InputError, for another than letterbox and stretch.
    """
    if fit not in ("letterbox", "stretch"):
        raise InputError(f"fit must be one of letterbox, stretch, not {fit!r}")
    return f"darknet_{fit}"


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
