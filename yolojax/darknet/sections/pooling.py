"""`[maxpool]` and `[avgpool]`."""

import dataclasses

import jax
import jax.numpy as jnp

from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import (
    Context,
    Layer,
    LayersBefore,
    Operation,
    count_windows,
    layer_options,
    read_strides,
    register,
)


@register
@dataclasses.dataclass(frozen=True)
class MaxPool(Operation):
    """Max-pooling.

    Attributes:
        size: side of the square window in pixels.
        strides: (down, across) in pixels.
        padding: pixels on both sides in total; the smaller half comes first.
    """

    cfg_name = "maxpool"
    options = layer_options(
        honoured="size stride stride_x stride_y padding",
        neutral={"maxpool_depth": ("0",), "out_channels": ("1",), "antialiasing": ("0",)},
    )

    size: int
    strides: tuple[int, int]
    padding: int

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, (height, width, channels) = before.previous()
        strides = read_strides(section)
        window = section.whole("size", section.whole("stride", 1), minimum=1)
        padding = section.whole("padding", window - 1, minimum=0)
        if padding // 2 >= window or (padding + 1) // 2 >= window + max(strides):
            section.fail(f"padding={padding} leaves windows without a pixel", "padding")
        shape = (*count_windows((height, width), padding, window, strides), channels)
        return Layer(cls(window, strides, padding), (source,), shape)

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        before = self.padding // 2
        padding = ((0, 0), (before, self.padding - before), (before, self.padding - before), (0, 0))
        window, strides = (1, self.size, self.size, 1), (1, *self.strides, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)


@register
@dataclasses.dataclass(frozen=True)
class AveragePool(Operation):
    """The mean over all pixels, 1 x 1."""

    cfg_name = "avgpool"
    options = layer_options()

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, (_, _, channels) = before.previous()
        return Layer(cls(), (source,), (1, 1, channels))

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        return x.mean((1, 2), keepdims=True)
