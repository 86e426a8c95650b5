"""The network and the grid that a configuration describes."""

import importlib
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax.numpy as jnp

from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.yolov3 import YOLOv3

if TYPE_CHECKING:
    from yolojax.config import ModelConfig

# Networks built from cfgs use the layers of this package. Their module is in a later layer, and so is imported by its name.
CFG_NETWORKS = "yolojax.darknet.network"


def build_model(config: "ModelConfig") -> nn.Module:
    """Builds the network that a `ModelConfig` describes.

    Raises:
        InputError: a name that is not one of yolov3, yolov3_spp, yolov3_tiny and darknet, no number of classes, or a cfg that
            cannot be honoured or is for another number.
    """
    if config.num_classes < 1:
        raise InputError("config.model.num_classes is not known; set it, or give the data class names")
    if config.name == "darknet":
        return importlib.import_module(CFG_NETWORKS).model_from_config(config)
    common: dict[str, Any] = {
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


def build_grid(config: "ModelConfig", size: int | tuple[int, int]) -> AnchorGrid:
    """Builds the AnchorGrid of a `ModelConfig` for an input size.

    Args:
        config: the network and its anchors.
        size: (height, width) in pixels, or one side of a square.

    Raises:
        InputError: anchors and size that do not fit each other or the network.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if config.name == "darknet":
        return importlib.import_module(CFG_NETWORKS).grid_from_config(config, (height, width))
    strides = (16, 32) if config.name == "yolov3_tiny" else (8, 16, 32)
    try:
        return AnchorGrid((height, width), strides, _anchors(config))
    except ValueError as error:
        raise InputError(f"config.model.anchors or config.data.size: {error}") from None


def _anchors(config: "ModelConfig") -> tuple:
    return config.anchors or (TINY_ANCHORS if config.name == "yolov3_tiny" else YOLOV3_ANCHORS)
