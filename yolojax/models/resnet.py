"""Residual networks: He et al. 2015, arXiv:1512.03385, table 1."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.errors import InputError
from yolojax.models.layers import ConvBN, scaled
from yolojax.models.strides import check_strides

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Residual blocks in conv2_x to conv5_x, by the depth of the network."""

BOTTLENECKS = (50, 101, 152)
"""The depths whose blocks are bottlenecks: 1x1, 3x3, and 1x1 to four times the channels."""


class ResNet(nn.Module):
    """ResNet without its classifier: (B, H, W, 3) -> features at strides 8, 16, 32.

    They have 128, 256, 512 channels at the depths 18 and 34, else 512, 1024, 2048 (times `width`). This is the variant called
    v1.5: batch normalization after each convolution, the addition before the last ReLU, projections where the shape changes
    (option B of the paper), and in bottlenecks the stride of 2 in the 3x3 convolution, where the paper has it in the first 1x1.
    The paper has no stride 64: it is made by a further stage like conv5_x, with as many channels. Stages after the coarsest of
    `strides` are left out.

    Attributes:
        depth: 18, 34, 50, 101 or 152.
        width, dtype, momentum, axis_name, frozen, remat: as in `YOLOv3`.
        strides: the strides of the features that are returned: some of 2, 4, 8, 16, 32, 64, in rising order.
    """

    depth: int = 50
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False
    strides: tuple[int, ...] = (8, 16, 32)

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> list[jax.Array]:
        check_strides(self.strides, "ResNet")
        if self.depth not in STAGES:
            raise InputError(f"the depth of a ResNet must be one of {', '.join(map(str, STAGES))}, not {self.depth}")
        x = self._conv(64, 7, "stem", stride=2)(x, train=train)
        features = {2: x}
        for stage, blocks in enumerate((*STAGES[self.depth], STAGES[self.depth][-1]), start=2):
            if 2**stage > self.strides[-1]:
                break
            if stage == 2:
                x = jax.lax.reduce_window(
                    x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
                )
            for block in range(1, blocks + 1):
                stride = 2 if block == 1 and stage > 2 else 1
                x = self._block(x, min(16 * 2**stage, 512), stride, f"stage{stage}_block{block}", train)
            features[2**stage] = x
        return [features[stride] for stride in self.strides]

    def _conv(self, channels: int, kernel: int, name: str, *, stride: int = 1, activation=nn.relu) -> ConvBN:
        common = (self.dtype, self.momentum, self.axis_name, self.frozen, self.remat, activation)
        return ConvBN(scaled(channels, self.width), kernel, stride, *common, name=name)

    def _block(self, x: jax.Array, channels: int, stride: int, name: str, train: bool) -> jax.Array:
        if self.depth in BOTTLENECKS:
            layers = ((channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1))
        else:
            layers = ((channels, 3, stride), (channels, 3, 1))
        y = x
        for number, (features, kernel, step) in enumerate(layers, start=1):
            activation = nn.relu if number < len(layers) else None
            y = self._conv(features, kernel, f"{name}_conv{number}", stride=step, activation=activation)(y, train=train)
        if stride > 1 or x.shape[-1] != y.shape[-1]:
            x = self._conv(layers[-1][0], 1, f"{name}_shortcut", stride=stride, activation=None)(x, train=train)
        return nn.relu(x + y)
