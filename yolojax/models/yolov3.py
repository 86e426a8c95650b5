"""YOLOv3 and YOLOv3-SPP: Redmon and Farhadi 2018, arXiv:1804.02767, with layers as in yolov3.cfg and yolov3-spp.cfg."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.models.darknet53 import Darknet53
from yolojax.models.layers import ConvBN, Head, pool, scaled, to_unit_range, upsample


class YOLOv3(nn.Module):
    """YOLOv3 on Darknet-53, with heads at strides 8, 16 and 32.

    `model.apply(variables, images, train=...)` takes images (B, H, W, 3), RGB, uint8 or floats in [0, 1], with H and W
    multiples of 32, and returns raw heads, fine to coarse, each (B, H / stride, W / stride, A, 5 + num_classes) float32.

    Attributes:
        num_classes: C, the number of classes, at least 1.
        spp: whether to add spatial pyramid pooling (windows 13, 9, 5) before the coarsest head, as in YOLOv3-SPP.
        width: multiplier of the channels of every layer, rounded to multiples of 4.
        dtype: dtype of the computation; parameters, batch statistics and heads are float32.
        anchors: A, the number of anchors per cell.
        momentum: momentum of the running batch statistics.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any; `jax.jit` needs none.
        frozen: regular expression that matches the paths of the layers whose batch statistics do not change in training; "" for
            none.
        remat: whether the gradient recomputes layers from their inputs, which takes less memory and a third more work.
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

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        common = {"dtype": self.dtype, "momentum": self.momentum, "axis_name": self.axis_name}
        common |= {"frozen": self.frozen, "remat": self.remat}
        conv = functools.partial(ConvBN, **common)
        backbone = Darknet53(self.width, **common, name="backbone")
        fine, middle, x = backbone(to_unit_range(images, self.dtype), train=train)

        heads = []
        for stride, half, skip in ((32, 512, middle), (16, 256, fine), (8, 128, None)):
            narrow, wide = scaled(half, self.width), scaled(2 * half, self.width)
            x = conv(narrow, 1, name=f"neck{stride}_conv1")(x, train=train)
            x = conv(wide, 3, name=f"neck{stride}_conv2")(x, train=train)
            x = conv(narrow, 1, name=f"neck{stride}_conv3")(x, train=train)
            if self.spp and stride == 32:
                x = jnp.concatenate([pool(x, 13), pool(x, 9), pool(x, 5), x], axis=-1)
                x = conv(narrow, 1, name="spp")(x, train=train)
            x = conv(wide, 3, name=f"neck{stride}_conv4")(x, train=train)
            x = conv(narrow, 1, name=f"neck{stride}_conv5")(x, train=train)
            y = conv(wide, 3, name=f"detect{stride}")(x, train=train)
            heads.append(Head(self.num_classes, self.anchors, name=f"head{stride}")(y))
            if skip is not None:
                x = conv(scaled(half // 2, self.width), 1, name=f"up{stride}")(x, train=train)
                x = jnp.concatenate([upsample(x), skip], axis=-1)
        return tuple(reversed(heads))
