"""YOLOv3-tiny, with layers as in yolov3-tiny.cfg (Redmon and Farhadi 2018, arXiv:1804.02767)."""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from yolojax.models.layers import ConvBN, Head, halve, pool, scaled, to_unit_range, upsample


class YOLOv3Tiny(nn.Module):
    """YOLOv3-tiny, with heads at strides 16 and 32; inputs, outputs and attributes are those of `YOLOv3`."""

    num_classes: int
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    anchors: int = 3
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        def conv(channels: int, kernel: int, name: str) -> Callable[[jax.Array], jax.Array]:
            common = {"dtype": self.dtype, "momentum": self.momentum, "axis_name": self.axis_name}
            layer = functools.partial(ConvBN, **common, frozen=self.frozen, remat=self.remat)
            return functools.partial(layer(scaled(channels, self.width), kernel, name=name), train=train)

        x = skip = to_unit_range(images, self.dtype)
        for stage in range(1, 6):
            skip = conv(8 * 2**stage, 3, f"conv{stage}")(x)
            x = halve(skip)
        x = pool(conv(512, 3, "conv6")(x), 2)
        x = conv(1024, 3, "conv7")(x)
        x = conv(256, 1, "neck32")(x)
        coarse = Head(self.num_classes, self.anchors, name="head32")(conv(512, 3, "detect32")(x))
        x = jnp.concatenate([upsample(conv(128, 1, "up32")(x)), skip], axis=-1)
        fine = Head(self.num_classes, self.anchors, name="head16")(conv(256, 3, "detect16")(x))
        return fine, coarse
