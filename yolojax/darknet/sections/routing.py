"""`[shortcut]`, `[route]` and `[upsample]`: sections that bring the outputs of layers together."""

import dataclasses

import jax
import jax.numpy as jnp

from yolojax.darknet.activations import ACTIVATIONS, read_activation
from yolojax.darknet.cfg import Section
from yolojax.darknet.sections.base import Context, Layer, LayersBefore, Operation, layer_options, register, shape_text


@register
@dataclasses.dataclass(frozen=True)
class Shortcut(Operation):
    """A sum. Inputs may differ in channels: the sum has those of the first input, and only the common ones are added.

    Attributes:
        activation: a key of `ACTIVATIONS`.
    """

    cfg_name = "shortcut"
    options = layer_options(
        honoured="from activation",
        training="assisted_excitation",
        neutral=dict.fromkeys(("weights_type", "weights_normalizion", "weights_normalization"), ("none",)),
    )

    activation: str

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        previous, shape = before.previous()
        sources = before.named(section, "from")
        for source in sources:
            other = before.layers[source].shape
            if other[:2] != shape[:2]:
                section.fail(f"from={source} is {shape_text(other)}, which cannot be added to {shape_text(shape)}", "from")
        return Layer(cls(read_activation(section, "linear")), (previous, *sources), shape)

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        x, *others = inputs
        for other in others:
            common = min(x.shape[3], other.shape[3])
            total = x[..., :common] + other[..., :common]
            x = jnp.concatenate([total, x[..., common:]], axis=3) if common < x.shape[3] else total
        return ACTIVATIONS[self.activation](x)


@register
@dataclasses.dataclass(frozen=True)
class Route(Operation):
    """A concatenation of channels.

    Attributes:
        groups: equal groups into which the channels of each input are divided.
        group: the group of each input that is taken, from 0.
    """

    cfg_name = "route"
    options = layer_options(honoured="layers groups group_id", training="stream wait_stream")

    groups: int
    group: int

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        sources = before.named(section, "layers")
        groups, group = section.whole("groups", 1, minimum=1), section.whole("group_id", 0, minimum=0)
        if group >= groups:
            section.fail(f"group_id={group} must be less than groups={groups}", "group_id")
        shapes = [before.layers[source].shape for source in sources]
        for source, shape in zip(sources, shapes, strict=True):
            if shape[:2] != shapes[0][:2]:
                both = f"{shape_text(shapes[0])} and {shape_text(shape)}"
                section.fail(f"layers {sources[0]} and {source} are {both}: they do not fit", "layers")
            if shape[2] % groups:
                section.fail(f"groups={groups} must divide the {shape[2]} channels of layer {source}", "groups")
        height, width, _ = shapes[0]
        return Layer(cls(groups, group), sources, (height, width, sum(shape[2] for shape in shapes) // groups))

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        parts = [x.shape[3] // self.groups for x in inputs]
        taken = [x[..., part * self.group : part * (self.group + 1)] for x, part in zip(inputs, parts, strict=True)]
        return jnp.concatenate(taken, axis=3)


@register
@dataclasses.dataclass(frozen=True)
class Upsample(Operation):
    """Nearest-neighbour upsampling.

    Attributes:
        stride: the factor on height and width.
        scale: the factor on the values.
    """

    cfg_name = "upsample"
    options = layer_options(honoured="stride scale")

    stride: int
    scale: float

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, (height, width, channels) = before.previous()
        stride = section.whole("stride", 2, minimum=1)
        return Layer(cls(stride, section.number("scale", 1.0)), (source,), (height * stride, width * stride, channels))

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        x = x.repeat(self.stride, axis=1).repeat(self.stride, axis=2)
        return x if self.scale == 1 else x * self.scale
