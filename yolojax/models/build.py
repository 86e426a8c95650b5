"""The network and the grid that a configuration describes."""

import copy
import importlib
import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
from yolojax.models.declared import declares, image_size, train_argument
from yolojax.models.tiny import YOLOv3Tiny
from yolojax.models.yolov3 import YOLOv3
from yolojax.parts import NO_PARTS, Parts, is_part

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
        return YOLOv3(**common, spp=config.name == "yolov3_spp")
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
    anchors, options = _anchors(config), {}
    if has_other_layers(config):
        model = model or build_model(_with_classes(config), parts)
        strides, count = head_geometry(model)
        anchors = _own_anchors(config, model, strides, count)
        options = {name: getattr(model, name) for name in ("xy_scales", "squared_sizes") if hasattr(model, name)}
    try:
        return AnchorGrid((height, width), strides, anchors, **options)
    except ValueError as error:
        raise InputError(f"config.model.anchors or config.data.size: {error}") from None


def grid_to_fit(config: "ModelConfig", size: tuple[int, int]) -> AnchorGrid | None:
    """The grid, with squares in place of anchors, of a network that has none and for which none are published; else None."""
    if config.anchors or not has_other_layers(config):
        return None
    model = build_model(_with_classes(config))
    strides, count = head_geometry(model)
    if _default_anchors(model, strides, count) is not None:
        return None
    config = copy.deepcopy(config)
    config.anchors = tuple(((float(stride), float(stride)),) * count for stride in strides)
    return build_grid(config, size, model=model)


def in_float32(model: nn.Module) -> nn.Module:
    """The network with all layers computing in float32; one that has no field `dtype` as it is."""
    return model.clone(dtype=jnp.float32) if declares(model, "dtype") else model


def head_geometry(model: nn.Module) -> tuple[tuple[int, ...], int]:
    """The strides of a network's heads, fine to coarse, and the number of anchors of each cell.

    They are measured at its attribute `size`, (height, width), where it takes images of that size alone.

    Raises:
        InputError: heads of another form or order, or cells that are not squares of whole pixels.
    """
    height, width = image_size(model) or (768, 768)
    images = jax.ShapeDtypeStruct((1, height, width, 3), jnp.float32)

    def run(images):
        return model.init_with_output(jax.random.key(0), images, **train_argument(model, False))[0]

    heads: Any = jax.eval_shape(run, images)
    shapes = [tuple(getattr(head, "shape", ())) for head in heads] if isinstance(heads, tuple | list) else []
    if not shapes or {len(shape) for shape in shapes} != {5} or not all(map(math.prod, shapes)):
        found = shapes or type(heads).__name__
        raise InputError(
            f"config.model.name: the network must return a tuple of heads (B, rows, columns, anchors, 5 + classes), not {found}"
        )
    if len({shape[3] for shape in shapes}) > 1:
        raise InputError(
            f"config.model.name: every head needs the same number of anchors, not {[shape[3] for shape in shapes]}; fill up "
            "with anchors of your own"
        )
    strides = tuple(height // shape[1] for shape in shapes)
    for stride, (_, rows, columns, *_) in zip(strides, shapes, strict=True):
        if (stride * rows, stride * columns) != (height, width):
            raise InputError(
                f"config.model.name: a head of {rows} x {columns} cells for an image of {height} x {width} pixels; its cells "
                "must be squares of a whole number of pixels"
            )
    if list(strides) != sorted(strides):
        raise InputError(
            f"config.model.name: the network returns heads of strides {', '.join(map(str, strides))}; it must return them fine "
            "to coarse"
        )
    return strides, shapes[0][3]


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
