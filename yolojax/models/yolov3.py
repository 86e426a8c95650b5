"""YOLOv3 and YOLOv3-SPP: Redmon and Farhadi 2018, arXiv:1804.02767, with layers as in yolov3.cfg and yolov3-spp.cfg."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.errors import InputError
from yolojax.models.darknet53 import Darknet53
from yolojax.models.declared import train_argument
from yolojax.models.fpn import FPN, scale_channels
from yolojax.models.layers import ConvBN, Head, to_unit_range
from yolojax.models.strides import strides_of

COMMON = ("dtype", "momentum", "axis_name", "frozen", "remat")
"""Attributes of the network that its backbone and neck take over, where they declare them."""

Part = nn.Module | Callable[[], nn.Module]
"""A backbone or neck, or what makes one without arguments: a class or a partial, for example."""


class YOLOv3(nn.Module):
    """YOLOv3, by default on Darknet-53 with heads at strides 8, 16 and 32; backbone and neck are arguments.

    `model.apply(variables, images, train=...)` takes images (B, H, W, 3), RGB, uint8 or floats in [0, 1], with H and W
    multiples of the coarsest stride (32), and returns raw heads, fine to coarse, each
    (B, H / stride, W / stride, A, 5 + num_classes) float32.

    A backbone is a Flax module `backbone(x, train=train) -> features`, from images (B, H, W, 3) in [0, 1] to a list of features
    (B, H / stride, W / stride, channels), fine to coarse. Its strides are found from their shapes; if it has an attribute
    `strides`, that must say the same.

    A neck is a Flax module `neck(features, strides=strides, train=train) -> maps`, from these features and their strides to a
    list of maps of the same kind, fine to coarse. Each map gets a head, whatever their number, and has its stride by its shape.

    A head is a 3x3 convolution "detect{stride}", with 1024 channels on the coarsest scale and half as many on each finer one
    (times `width`), and the linear 1x1 convolution "head{stride}".

    A backbone or neck that does the same in training and evaluation may leave out the argument `train`.

    Where backbone and neck declare fields of the names dtype, momentum, axis_name, frozen and remat, these get the values of
    the network, also by `model.clone(axis_name=...)`. Their variables lie under "backbone" and "neck"; only those of `FPN` lie
    in the network itself, as "neck32_conv1".

    Attributes:
        num_classes: C, the number of classes, at least 1.
        spp: whether to add spatial pyramid pooling (windows 13, 9, 5) before the coarsest head, as in YOLOv3-SPP.
        width: multiplier of the channels of every layer, rounded to multiples of 4; a backbone or neck that is given has its
            own.
        dtype: dtype of the computation; parameters, batch statistics and heads are float32.
        anchors: A, the number of anchors per cell.
        momentum: momentum of the running batch statistics.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any; `jax.jit` needs none.
        frozen: regular expression that matches the paths of the layers whose batch statistics do not change in training; "" for
            none.
        remat: whether the gradient recomputes layers from their inputs, which takes less memory and a third more work.
        backbone: a backbone, or a callable without arguments that makes one; None for `Darknet53`.
        neck: a neck, or a callable without arguments that makes one; None for `FPN`.

    Raises:
        InputError: backbone or neck is something else, its features or maps are not fine to coarse with whole strides, or `spp`
            is set beside a neck.
    """

    num_classes: int
    spp: bool = False
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    anchors: int = 3
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False
    backbone: Part | None = None
    neck: Part | None = None

    # Of the images with which shapes are found without running the network: all strides up to 128 divide it.
    size: ClassVar[tuple[int, int]] = (128, 128)

    def __post_init__(self) -> None:
        if self.spp and self.neck is not None:
            raise InputError("spp=True is for the default neck; give the neck itself what it needs, as in neck=FPN(spp=True)")
        for name in ("backbone", "neck"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _part(name, getattr(self, name), _common(self)))
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        size = images.shape[1:3]
        common = _common(self)
        backbone: Any = Darknet53(self.width, **common, name="backbone") if self.backbone is None else self.backbone
        neck: Any = FPN(self.spp, self.width, **common, name="neck") if self.neck is None else self.neck
        if isinstance(neck, FPN):
            nn.share_scope(self, neck)

        features = backbone(to_unit_range(images, self.dtype), **train_argument(backbone, train))
        strides = _rising_strides(size, features, f"the backbone {type(backbone).__name__}")
        declared = getattr(backbone, "strides", None)
        if declared is not None and tuple(declared) != strides:
            raise InputError(
                f"the backbone {type(backbone).__name__} has strides {tuple(declared)}, but its features of images of "
                f"{size[0]} x {size[1]} pixels have {strides}; give it images whose sides are multiples of its coarsest stride"
            )
        maps = neck(features, strides=strides, **train_argument(neck, train))
        heads = []
        levels = enumerate(zip(_rising_strides(size, maps, f"the neck {type(neck).__name__}"), maps, strict=True))
        for level, (stride, x) in levels:
            channels = scale_channels(1024, len(maps) - 1 - level, self.width)
            x = ConvBN(channels, 3, **common, name=f"detect{stride}")(x, train=train)
            heads.append(Head(self.num_classes, self.anchors, name=f"head{stride}")(x))
        return tuple(heads)


def _common(network: YOLOv3) -> dict[str, Any]:
    return {name: getattr(network, name) for name in COMMON}


def _part(name: str, part: Part, common: dict[str, Any]) -> nn.Module:
    """The backbone or neck itself, with those of the common attributes that it declares."""
    module = part if isinstance(part, nn.Module) else part() if callable(part) else None
    if not isinstance(module, nn.Module):
        raise InputError(
            f"the {name} must be a Flax Linen module, or a callable without arguments that makes one, not {part!r}"
        )
    # Options from JSON are lists, but only a network with tuples is hashable.
    values = {field.name: getattr(module, field.name) for field in dataclasses.fields(module)}
    wanted = {key: _without_lists(value) for key, value in values.items()} | {k: v for k, v in common.items() if k in values}
    changes = {key: value for key, value in wanted.items() if value is not values[key] and value != values[key]}
    # A module that needs no change stays the same object, because Flax shares the variables of a module that is used twice.
    return module.clone(**changes) if changes else module


def _without_lists(value: Any) -> Any:
    return tuple(map(_without_lists, value)) if isinstance(value, list) else value


def _rising_strides(size: Sequence[int], maps: Any, whose: str) -> tuple[int, ...]:
    strides = strides_of(size, maps, whose)
    if any(fine >= coarse for fine, coarse in itertools.pairwise(strides)):
        raise InputError(
            f"{whose} makes maps with strides {strides} of images of {size[0]} x {size[1]} pixels; each must be coarser than "
            "the one before, and the sides of the images multiples of all of them"
        )
    return strides
