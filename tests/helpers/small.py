"""A network that compiles quickly, for tests of training steps."""

import functools

import flax.linen as nn

from yolojax.models import YOLOv3Tiny
from yolojax.models.layers import ConvBN, Head, halve, to_unit_range


class Small(YOLOv3Tiny):
    """Two scales in four layers, with the attributes of YOLOv3-tiny except its width, and some of its names."""

    @nn.compact
    def __call__(self, images, *, train):
        options = {name: getattr(self, name) for name in ("dtype", "momentum", "axis_name", "frozen", "remat")}
        conv = functools.partial(ConvBN, kernel=3, stride=2, **options)
        x = halve(conv(8, name="conv1")(to_unit_range(images, self.dtype), train=train))
        fine = halve(conv(16, name="conv2")(x, train=train))
        head = functools.partial(Head, self.num_classes, self.anchors)
        return head(name="head16")(fine), head(name="head32")(halve(fine))
