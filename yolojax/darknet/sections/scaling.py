"""`[scale_channels]` and `[sam]`: products of two layers (attention to channels, and to pixels)."""

import dataclasses

import jax

from yolojax.darknet.activations import ACTIVATIONS, read_activation
from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import Context, Layer, LayersBefore, Operation, layer_options, register, shape_text


@dataclasses.dataclass(frozen=True)
class _Product(Operation):
    """A product of the layer that `from` names and the previous layer, by broadcasting.

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    activation: str

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        x, factors = inputs
        return ACTIVATIONS[self.activation](x * factors)


@register
@dataclasses.dataclass(frozen=True)
class ScaleChannels(_Product):
    """The layer that `from` names, times one factor per channel: squeeze and excitation (Hu et al. 2017, arXiv:1709.01507).

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    cfg_name = "scale_channels"
    options = layer_options(honoured="from activation", neutral={"scale_wh": ("0",)})

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        previous, factors = before.previous()
        (source,) = before.named(section, "from", 1)
        shape = before.layers[source].shape
        if factors != (1, 1, shape[2]):
            wanted = f"one factor per channel of layer {source}, {shape_text(shape)}"
            section.fail(f"needs {wanted}, not {shape_text(factors)}", "from")
        return Layer(cls(_read_activation(section)), (source, previous), shape)


@register
@dataclasses.dataclass(frozen=True)
class Sam(_Product):
    """The layer that `from` names, times the previous layer: spatial attention (Bochkovskiy et al. 2020, arXiv:2004.10934).

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    cfg_name = "sam"
    options = layer_options(honoured="from activation")

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        previous, shape = before.previous()
        (source,) = before.named(section, "from", 1)
        other = before.layers[source].shape
        if other != shape:
            section.fail(f"from={source} is {shape_text(other)}, which cannot be multiplied by {shape_text(shape)}", "from")
        return Layer(cls(_read_activation(section)), (source, previous), shape)


def _read_activation(section: Section) -> str:
    # Darknet accepts these two here silently and computes neither.
    if section.text("activation", "linear") in ("mish", "swish"):
        section.fail("activation cannot be mish or swish, which Darknet does not compute here", "activation")
    return read_activation(section, "linear")
