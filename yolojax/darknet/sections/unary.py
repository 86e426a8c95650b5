"""`[activation]` and `[dropout]`: elementwise functions of the previous layer."""

import dataclasses

import flax.linen as nn
import jax

from yolojax.darknet.activations import ACTIVATIONS, read_activation
from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import Context, Layer, LayersBefore, Operation, layer_options, register


@register
@dataclasses.dataclass(frozen=True)
class Activation(Operation):
    """An activation on its own.

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    cfg_name = "activation"
    options = layer_options(honoured="activation")

    activation: str

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, shape = before.previous()
        return Layer(cls(read_activation(section, "linear")), (source,), shape)

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        return ACTIVATIONS[self.activation](x)


@register
@dataclasses.dataclass(frozen=True)
class Dropout(Operation):
    """Dropout, in training only.

    Attributes:
        probability: that a value is dropped.
    """

    cfg_name = "dropout"
    options = layer_options(honoured="probability", training="dropblock dropblock_size_rel dropblock_size_abs")

    probability: float

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, shape = before.previous()
        probability = section.number("probability", 0.2)
        if not 0 <= probability < 1:
            section.fail(f"probability={probability:g} must be at least 0 and less than 1", "probability")
        return Layer(cls(probability), (source,), shape)

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        return nn.Dropout(self.probability, name=f"dropout{context.number:03}")(x, deterministic=not context.train)
