"""CSPDarknet53, the backbone of YOLOv4: Bochkovskiy et al. 2020, arXiv:2004.10934, with layers as in yolov4.cfg.

Its stages are cross stage partial: Wang et al. 2019, arXiv:1911.11929, section 3. It has mish everywhere: Misra 2019,
arXiv:1908.08681.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.models.darknet53 import stages
from yolojax.models.layers import ConvBN, scaled
from yolojax.models.strides import check_strides


class CSPDarknet53(nn.Module):
    """The backbone of YOLOv4: (B, H, W, 3) -> features at strides 8, 16, 32 with 256, 512, 1024 channels (times `width`).

    Five stages. Each halves by a 3x3 convolution, and goes on in two branches of half the channels (in the first stage, of all
    channels): a 1x1 convolution alone; and a 1x1 convolution, 1, 2, 8, 8, 4 residual blocks (1x1 and 3x3, addition after the
    activation), and a 1x1 convolution. A last 1x1 convolution merges them. The papers have no stride 64: it is made by a sixth
    stage like the fifth, with as many channels. Stages after the coarsest of `strides` are left out.

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
        check_strides(self.strides, "CSPDarknet53")
        common = {"dtype": self.dtype, "momentum": self.momentum, "axis_name": self.axis_name}
        conv = functools.partial(ConvBN, **common, frozen=self.frozen, remat=self.remat, activation=jax.nn.mish)
        x = conv(scaled(32, self.width), 3, name="stem")(x, train=train)
        features = {}
        for stage, blocks, channels, half in stages(self.strides[-1], self.width):
            branch = channels if stage == 1 else half
            x = conv(channels, 3, stride=2, name=f"stage{stage}_down")(x, train=train)
            skip = conv(branch, 1, name=f"stage{stage}_skip")(x, train=train)
            x = conv(branch, 1, name=f"stage{stage}_enter")(x, train=train)
            for block in range(1, blocks + 1):
                y = conv(half, 1, name=f"stage{stage}_block{block}_reduce")(x, train=train)
                x = x + conv(branch, 3, name=f"stage{stage}_block{block}_expand")(y, train=train)
            x = conv(branch, 1, name=f"stage{stage}_leave")(x, train=train)
            x = conv(channels, 1, name=f"stage{stage}_merge")(jnp.concatenate([x, skip], axis=-1), train=train)
            features[2**stage] = x
        return [features[stride] for stride in self.strides]
