"""`[convolutional]`: a convolution with batch normalization or a bias, and an activation."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.darknet.activations import ACTIVATIONS, read_activation
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
from yolojax.models.batch_norm import BatchNorm
from yolojax.models.convolution import conv_general_dilated
from yolojax.models.layers import layer_matches


@register
@dataclasses.dataclass(frozen=True)
class Convolution(Operation):
    """A convolution.

    Attributes:
        filters: channels out.
        size: side of the square kernel in weights.
        strides: (down, across) in pixels.
        padding: on every side in pixels, at dilation 1.
        groups: groups of channels, each convolved separately.
        batch_normalize: whether it has batch normalization; otherwise it has a bias.
        activation: a key of `ACTIVATIONS`.
        head: whether a [yolo] reads it.
        dilation: pixels from one weight of the kernel to the next.
    """

    cfg_name = "convolutional"
    options = layer_options(
        honoured="filters size stride stride_x stride_y pad padding groups dilation batch_normalize activation",
        training="assisted_excitation angle grad_centr",
        neutral=dict.fromkeys(
            "antialiasing binary xnor bin_output cbn flipped dot sway rotate stretch stretch_sway".split(), ("0",)
        ),
    )

    filters: int
    size: int
    strides: tuple[int, int]
    padding: int
    groups: int
    batch_normalize: bool
    activation: str
    head: bool
    dilation: int = 1

    @classmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        source, (height, width, channels) = before.previous()
        filters, kernel = section.whole("filters", 1, minimum=1), section.whole("size", 1, minimum=1)
        groups = section.whole("groups", 1, minimum=1)
        if channels % groups or filters % groups:
            section.fail(f"groups={groups} must divide its {channels} channels and filters={filters}", "groups")
        strides = read_strides(section)
        padding = kernel // 2 if section.whole("pad", 0) else section.whole("padding", 0, minimum=0)
        dilation = section.whole("dilation", 1, minimum=1)
        if dilation > 1 and 2 * padding != kernel - 1:
            section.fail(
                f"dilation={dilation} needs an odd size and pad=1; otherwise Darknet's own sizes do not fit", "dilation"
            )
        normalize, activation = section.whole("batch_normalize", 0), read_activation(section, "logistic")
        operation = cls(filters, kernel, strides, padding, groups, bool(normalize), activation, False, dilation)
        return Layer(operation, (source,), (*count_windows((height, width), 2 * padding, kernel, strides), filters))

    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        (x,) = inputs
        common = (context.dtype, context.momentum, context.axis_name, context.frozen, context.remat)
        return DarknetConvolution(self, *common, name=convolution_name(context.number))(x, train=context.train)


class DarknetConvolution(nn.Module):
    """The Flax module of a convolution.

    (B, H, W, C) -> (B, H', W', filters). A head's outputs are float32 or wider, as in `yolojax.models.layers.Head`.

    Attributes:
        operation: the convolution.
        dtype, momentum, axis_name, frozen, remat: as in `Context`.
    """

    operation: Convolution
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False
    drawn_on_host = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        operation = self.operation
        dtype = jnp.promote_types(self.dtype, jnp.float32) if operation.head else self.dtype
        padding = operation.padding * operation.dilation

        def layer(self, x):
            x = nn.Conv(
                operation.filters,
                (operation.size, operation.size),
                operation.strides,
                padding=((padding, padding), (padding, padding)),
                kernel_dilation=operation.dilation,
                feature_group_count=operation.groups,
                conv_general_dilated=conv_general_dilated,
                use_bias=not operation.batch_normalize,
                dtype=dtype,
                kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
                name="head" if operation.head else "conv",
            )(x)
            activation = ACTIVATIONS[operation.activation]
            if not operation.batch_normalize:
                return activation(x)
            return BatchNorm(
                use_running_average=not train or layer_matches("/".join(self.path), self.frozen),
                momentum=self.momentum,
                epsilon=1e-5,
                dtype=dtype,
                axis_name=self.axis_name,
                activation=activation,
                name="bn",
            )(x)

        return (nn.remat(layer) if self.remat and train else layer)(self, x)


def convolution_name(number: int) -> str:
    """The name of a convolution's parameters, as in "conv000": the number of its layer, counted from 0 as in Darknet."""
    return f"conv{number:03}"
