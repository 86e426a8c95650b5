"""A network that is quick to compile, for tests of steps."""

import functools

import flax.linen as nn
import jax.numpy as jnp

from yolojax.models.layers import ConvBN, Head, halve, to_unit_range


class Small(nn.Module):
    """Two scales in four layers, with the names and the attributes of YOLOv3-tiny."""

    num_classes: int = 3
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.9
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @nn.compact
    def __call__(self, images, *, train):
        options = {name: getattr(self, name) for name in ("dtype", "momentum", "axis_name", "frozen", "remat")}
        conv = functools.partial(ConvBN, kernel=3, stride=2, **options)
        x = halve(conv(8, name="conv1")(to_unit_range(images, self.dtype), train=train))
        fine = halve(conv(16, name="conv2")(x, train=train))
        return Head(self.num_classes, 3, name="head16")(fine), Head(self.num_classes, 3, name="head32")(halve(fine))
