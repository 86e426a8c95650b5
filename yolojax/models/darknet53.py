"""Darknet-53: Redmon and Farhadi 2018, arXiv:1804.02767, table 1."""

import functools
from collections.abc import Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.models.layers import ConvBN, scaled
from yolojax.models.strides import check_strides

BLOCKS = (1, 2, 8, 8, 4)
"""Residual blocks in each of the five stages."""


def stages(coarsest: int, width: float) -> Iterator[tuple[int, int, int, int]]:
    """The stages of a Darknet-53 up to a stride, of which the sixth repeats the fifth.

    Args:
        coarsest: the stride of the last stage, in pixels.
        width: the width multiplier, as for `scaled`.

    Yields:
        The number of the stage, from 1; its residual blocks; its channels; and half of them.
    """
    for stage, blocks in enumerate((*BLOCKS, BLOCKS[-1]), start=1):
        if 2**stage <= coarsest:
            yield stage, blocks, scaled(min(32 * 2**stage, 1024), width), scaled(min(16 * 2**stage, 512), width)


class Darknet53(nn.Module):
    """The backbone of YOLOv3: (B, H, W, 3) -> features at strides 8, 16, 32 with 256, 512, 1024 channels (times `width`).

    Five stages of a stride-2 convolution and 1, 2, 8, 8, 4 residual blocks (1x1 to half the channels, 3x3 back, addition
    after the activation). The paper has no stride 64: it is made by a sixth stage like the fifth, with as many channels. Stages
    after the coarsest of `strides` are left out.

    Attributes:
        width, dtype, momentum, axis_name, frozen, remat: as in `YOLOv3`.
        strides: the strides of the features that are returned: some of 2, 4, 8, 16, 32, 64, in rising order.
    """

    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False
    strides: tuple[int, ...] = (8, 16, 32)

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> list[jax.Array]:
        check_strides(self.strides, "Darknet53")
        common = {"dtype": self.dtype, "momentum": self.momentum, "axis_name": self.axis_name}
        conv = functools.partial(ConvBN, **common, frozen=self.frozen, remat=self.remat)
        x = conv(scaled(32, self.width), 3, name="stem")(x, train=train)
        features = {}
        for stage, blocks, channels, half in stages(self.strides[-1], self.width):
            x = conv(channels, 3, stride=2, name=f"stage{stage}_down")(x, train=train)
            for block in range(1, blocks + 1):
                y = conv(half, 1, name=f"stage{stage}_block{block}_reduce")(x, train=train)
                x = x + conv(channels, 3, name=f"stage{stage}_block{block}_expand")(y, train=train)
            features[2**stage] = x
        return [features[stride] for stride in self.strides]
