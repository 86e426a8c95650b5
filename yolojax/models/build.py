"""The network and the grid that a configuration describes."""

import copy
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax.numpy as jnp

from yolojax.errors import InputError, first_line
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
from yolojax.models.backbones import BACKBONES, model_anchors, model_strides
from yolojax.models.declared import declares, train_argument
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.yolov3 import YOLOv3
from yolojax.parts import NO_PARTS, Parts
from yolojax.references import is_part

if TYPE_CHECKING:
    from yolojax.config import ModelConfig

# Networks built from cfgs use the layers of this package. Their module is in a later layer, and so is imported by its name.
CFG_NETWORKS = "yolojax.darknet.network"


def build_model(config: "ModelConfig", parts: Parts = NO_PARTS) -> nn.Module:
    """Builds the network that a `ModelConfig` describes.

    Args:
        config: the network.
        parts: parts that a program gives as objects.

    Raises:
        InputError: a name that is not one of yolov3, yolov3_spp, yolov3_tiny and darknet, no number of classes, or a cfg that
            cannot be honoured or is for another number.
    """
    if config.num_classes < 1:
        raise InputError("config.model.num_classes is not known; set it, or give the data class names")
    if is_part(config.name):
        return _own_model(config, parts)
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
        return YOLOv3(**common, spp=config.name == "yolov3_spp", backbone=_backbone(config, parts), neck=_neck(config, parts))
    raise InputError(f"config.model.name must be one of yolov3, yolov3_spp, yolov3_tiny, darknet, not {config.name!r}")


def build_grid(
    config: "ModelConfig", size: int | tuple[int, int], *, model: nn.Module | None = None, parts: Parts = NO_PARTS
) -> AnchorGrid:
    """Builds the AnchorGrid of a `ModelConfig` for an input size.

    The strides of a network, or a backbone, of the user's own are found from the shapes of its heads. Its anchors are those of
    the configuration, or its own attribute `anchors`, or else the published ones of as many scales.

    Args:
        config: the network and its anchors.
        size: (height, width) in pixels, or one side of a square.
        model: the network, if it has been built already.
        parts: parts that a program gives as objects.

    Raises:
        InputError: anchors and size that do not fit each other or the network.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if config.name == "darknet":
        return importlib.import_module(CFG_NETWORKS).grid_from_config(config, (height, width))
    strides = (16, 32) if config.name == "yolov3_tiny" else (8, 16, 32)
    anchors: Any = _anchors(config)
    options: dict[str, Any] = {}
    if has_other_layers(config):
        model = model or build_model(_with_classes(config), parts)
        strides, count = model_strides(model), model_anchors(model)
        anchors = _own_anchors(config, model, strides, count)
        options = {name: getattr(model, name) for name in ("xy_scales", "squared_sizes") if hasattr(model, name)}
    try:
        own = {"xy_scales": (config.xy_scale,) * len(strides), "squared_sizes": config.squared_sizes}
        return AnchorGrid((height, width), strides, anchors, **(own | options))
    except ValueError as error:
        raise InputError(f"config.model.anchors or config.data.size: {error}") from None


def _backbone(config: "ModelConfig", parts: Parts) -> nn.Module | None:
    """The backbone of a configuration; None for that of YOLOv3."""
    if is_part(config.backbone):
        return _own("backbone", config.backbone, config.backbone_options, parts)
    if config.backbone == "darknet53" and not config.backbone_options:
        return None
    try:
        return BACKBONES[config.backbone](**{"width": config.width, **config.backbone_options})
    except TypeError as error:
        raise InputError(f"config.model.backbone_options: {first_line(error)}") from error


def _neck(config: "ModelConfig", parts: Parts) -> nn.Module | None:
    """The neck of a configuration; None for that of YOLOv3."""
    return _own("neck", config.neck, config.neck_options, parts) if is_part(config.neck) else None


def _own(kind: str, name: str, options: Mapping[str, Any], parts: Parts) -> nn.Module:
    module = parts.build(kind, name, options)()
    if not isinstance(module, nn.Module):
        raise InputError(f"config.model.{kind}: {name} must return a Flax Linen module, not {type(module).__name__}")
    return module


def grid_to_fit(config: "ModelConfig", size: tuple[int, int]) -> AnchorGrid | None:
    """The grid, with squares in place of anchors, of a network that has none and for which none are published; else None."""
    if config.anchors or not has_other_layers(config):
        return None
    model = build_model(_with_classes(config))
    strides, count = model_strides(model), model_anchors(model)
    if _default_anchors(model, strides, count) is not None:
        return None
    config = copy.deepcopy(config)
    config.anchors = tuple(((float(stride), float(stride)),) * count for stride in strides)
    return build_grid(config, size, model=model)


def in_float32(model: nn.Module) -> nn.Module:
    """The network with all layers computing in float32; one that has no field `dtype` as it is."""
    return model.clone(dtype=jnp.float32) if declares(model, "dtype") else model


def has_other_layers(config: "ModelConfig") -> bool:
    """Whether the network is the user's own, or has another backbone, neck or scales than the published one of its name."""
    return is_part(config.name) or config.backbone != "darknet53" or bool(config.backbone_options) or is_part(config.neck)


def _own_model(config: "ModelConfig", parts: Parts) -> nn.Module:
    model = parts.build("model", config.name, config.options, "num_classes")(config.num_classes)
    if not isinstance(model, nn.Module):
        raise InputError(f"config.model.name: {config.name} must return a Flax Linen module, not {type(model).__name__}")
    signature = inspect.signature(type(model).__call__)
    try:
        signature.bind(model, "images", **train_argument(model, False))
    except TypeError as error:
        raise InputError(
            f"config.model.name: {config.name} is called with images, and with train if it has that argument, which does not "
            f"fit __call__{signature}: {error}"
        ) from None
    return model


def _with_classes(config: "ModelConfig") -> "ModelConfig":
    """The configuration with some number of classes where it is not known yet: the geometry of heads is the same for all."""
    if config.num_classes:
        return config
    config = copy.deepcopy(config)
    config.num_classes = 1
    return config


def _default_anchors(model: nn.Module, strides: tuple[int, ...], count: int) -> Sequence | None:
    stated = getattr(model, "anchors", None)
    if isinstance(stated, tuple | list) and stated:
        return stated
    published = {(len(known), len(known[0])): known for known in (YOLOV3_ANCHORS, TINY_ANCHORS)}
    return published.get((len(strides), count))


def _own_anchors(config: "ModelConfig", model: nn.Module, strides: tuple[int, ...], count: int) -> Sequence:
    anchors = config.anchors or _default_anchors(model, strides, count)
    scales = f"{len(strides)} scales, of strides {', '.join(map(str, strides))}, with {count} anchors each"
    if anchors is None:
        raise InputError(
            f"config.model.anchors: the network has {scales}, for which none are published: set them, or give the data "
            "with --data, which fits some to it"
        )
    if len(anchors) != len(strides) or {len(scale) for scale in anchors} != {count}:
        raise InputError(f"config.model.anchors: the network has {scales}, but {[len(scale) for scale in anchors]} are given")
    return anchors


def _anchors(config: "ModelConfig") -> tuple:
    return config.anchors or (TINY_ANCHORS if config.name == "yolov3_tiny" else YOLOV3_ANCHORS)
