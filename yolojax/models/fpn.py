"""The neck of YOLOv3: Redmon and Farhadi 2018, arXiv:1804.02767, section 2.3, with layers as in yolov3.cfg."""

import functools
import itertools
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.errors import InputError
from yolojax.models.layers import ConvBN, pool, scaled, upsample


class FPN(nn.Module):
    """The feature pyramid of YOLOv3 for any number of scales: one map for each feature, with its stride.

    From coarse to fine, five convolutions (1x1, 3x3, 1x1, 3x3, 1x1) make the map of a scale; the map goes through a 1x1
    convolution, is upsampled to the next finer scale, and is concatenated with the feature there. The 1x1 convolutions have 512
    channels on the coarsest scale, and half as many on each finer one: 512, 256, 128, 64, ... (times `width`); the 3x3
    convolutions have twice as many.

    In `YOLOv3` its layers belong to the network itself: they are called "neck32_conv1", not "neck/neck32_conv1".

    Attributes:
        spp: whether to add spatial pyramid pooling (windows 13, 9, 5) on the coarsest scale, as in YOLOv3-SPP.
        width, dtype, momentum, axis_name, frozen, remat: as in `YOLOv3`.
    """

    spp: bool = False
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @nn.compact
    def __call__(self, features: Sequence[jax.Array], *, strides: Sequence[int], train: bool) -> list[jax.Array]:
        if any(coarse % fine for fine, coarse in itertools.pairwise(strides)):
            raise InputError(f"the neck FPN needs strides of which each divides the next, not {tuple(strides)}")
        common = {"dtype": self.dtype, "momentum": self.momentum, "axis_name": self.axis_name}
        conv = functools.partial(ConvBN, **common, frozen=self.frozen, remat=self.remat)
        maps, x, coarser = [], features[-1], None
        for level, (stride, feature) in enumerate(zip(reversed(strides), reversed(features), strict=True)):
            narrow, wide = scale_channels(512, level, self.width), scale_channels(1024, level, self.width)
            if coarser:
                x = conv(narrow, 1, name=f"up{coarser}")(x, train=train)
                x = jnp.concatenate([upsample(x, coarser // stride), feature], axis=-1)
            x = conv(narrow, 1, name=f"neck{stride}_conv1")(x, train=train)
            x = conv(wide, 3, name=f"neck{stride}_conv2")(x, train=train)
            x = conv(narrow, 1, name=f"neck{stride}_conv3")(x, train=train)
            if self.spp and not coarser:
                x = jnp.concatenate([pool(x, 13), pool(x, 9), pool(x, 5), x], axis=-1)
                x = conv(narrow, 1, name="spp")(x, train=train)
            x = conv(wide, 3, name=f"neck{stride}_conv4")(x, train=train)
            x = conv(narrow, 1, name=f"neck{stride}_conv5")(x, train=train)
            maps.append(x)
            coarser = stride
        return maps[::-1]


def scale_channels(coarsest: int, level: int, width: float) -> int:
    """Channels of a layer on a scale: `coarsest` on the coarsest scale (level 0), half as many on each finer one.

    Args:
        coarsest: channels on the coarsest scale at width 1.
        level: how many scales are coarser.
        width: the width multiplier, as for `scaled`.
    """
    return scaled(max(4, coarsest >> level), width)
