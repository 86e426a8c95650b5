"""YOLOv3 networks in Flax Linen, and the grid of slots that belongs to each."""

import jax.numpy as jnp

from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.variables import abstract_variables, count_floats, initialize
from yolojax.models.yolov3 import YOLOv3

__all__ = ["YOLOv3", "YOLOv3Tiny", "abstract_variables", "build_grid", "build_model", "count_floats", "initialize"]


def build_model(config):
    """Builds the network that a `ModelConfig` describes.

    Raises:
        InputError: a name that is not one of yolov3, yolov3_spp, yolov3_tiny and darknet, no number of classes, or a cfg that
            cannot be honoured or is for another number.
    """
    if config.num_classes < 1:
        raise InputError("config.model.num_classes is not known; set it, or give the data class names")
    if config.name == "darknet":
        model, _ = _cfg_network(config)
        if model.num_classes != config.num_classes:
            raise InputError(
                f"config.model.cfg is for {model.num_classes} classes, but config.model.num_classes or the data has "
                f"{config.num_classes}"
            )
        return model
    common = {
        "num_classes": config.num_classes,
        "width": config.width,
        "dtype": jnp.dtype(config.dtype),
        "anchors": len(_anchors(config)[0]),
        "momentum": config.batch_norm_momentum,
    }
    if config.name == "yolov3_tiny":
        return YOLOv3Tiny(**common)
    if config.name in ("yolov3", "yolov3_spp"):
        return YOLOv3(**common, spp=config.name == "yolov3_spp")
    raise InputError(f"config.model.name must be one of yolov3, yolov3_spp, yolov3_tiny, darknet, not {config.name!r}")


def build_grid(config, size):
    """Builds the AnchorGrid of a `ModelConfig` for an input size in pixels, (height, width) or one side of a square.

    Raises:
        InputError: anchors and size that do not fit each other or the network.
    """
    size = (size, size) if isinstance(size, int) else tuple(size)
    if config.name == "darknet":
        return _cfg_network(config, size)[1]
    strides = (16, 32) if config.name == "yolov3_tiny" else (8, 16, 32)
    try:
        return AnchorGrid(size, strides, _anchors(config))
    except ValueError as error:
        raise InputError(f"config.model.anchors or config.data.size: {error}") from None


def _cfg_network(config, size=None):
    # Here: the networks of cfgs are made of the layers of this package.
    from yolojax.darknet.cfg import parse_cfg
    from yolojax.darknet.network import build_network

    if not config.cfg:
        raise InputError("config.model.name is darknet, but config.model.cfg is not set; python -m yolojax import writes both")
    sections = parse_cfg(config.cfg, "config.model.cfg")
    return build_network(sections, size, dtype=jnp.dtype(config.dtype), momentum=config.batch_norm_momentum)


def _anchors(config):
    return config.anchors or (TINY_ANCHORS if config.name == "yolov3_tiny" else YOLOV3_ANCHORS)
