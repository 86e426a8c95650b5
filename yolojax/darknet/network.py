"""A network of the YOLO family as a Flax module, built from the layers of its cfg."""

import os

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax.darknet import operations as ops
from yolojax.darknet.cfg import read_cfg
from yolojax.darknet.layers import build_layers
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models.layers import layer_matches, to_unit_range

ACTIVATE = {
    "linear": lambda x: x,
    "leaky": lambda x: nn.leaky_relu(x, 0.1),
    "relu": nn.relu,
    "relu6": nn.relu6,
    "mish": lambda x: x * jnp.tanh(nn.softplus(x)),
    "swish": nn.swish,
    "logistic": nn.sigmoid,
    "tanh": jnp.tanh,
    "elu": nn.elu,
}
# Objectness of the slots that fill up a head with fewer anchors than another: their score is 0.
NO_OBJECT = -1e4


class DarknetNetwork(nn.Module):
    """A network built from a cfg: called as `YOLOv3`, and its raw heads come in the same layout, fine to coarse.

    Where heads have different numbers of anchors, the shorter ones end on slots whose objectness is -1e4, a score of 0.
    In training, [dropout] draws from the random stream "dropout".

    Attributes:
        layers: of `build_layers`.
        size: (height, width) of the cfg in pixels; any other that the cells of every head divide can be given.
        dtype, momentum, axis_name, frozen, remat: as in `YOLOv3`.
    """

    layers: tuple
    size: tuple
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @property
    def heads(self):
        """Numbers of the [yolo] layers, fine to coarse."""
        places = [number for number, layer in enumerate(self.layers) if isinstance(layer.operation, ops.Yolo)]
        return sorted(places, key=lambda number: -self.layers[number].shape[0])

    @property
    def num_classes(self):
        """C."""
        return self.layers[self.heads[0]].operation.classes

    @property
    def distance_power(self):
        """Of `postprocess`: that of the last layer, as Darknet takes it; None for plain suppression."""
        return getattr(self.layers[-1].operation, "distance_power", None)

    @nn.compact
    def __call__(self, images, *, train):
        images = to_unit_range(images, self.dtype)
        outputs = []
        for number, layer in enumerate(self.layers):
            inputs = [outputs[source] if source >= 0 else images for source in layer.sources]
            if isinstance(layer.operation, ops.Convolution):
                common = (self.dtype, self.momentum, self.axis_name, self.frozen, self.remat)
                x = DarknetConvolution(layer.operation, *common, name=convolution_name(number))(*inputs, train=train)
            elif isinstance(layer.operation, ops.Dropout):
                x = nn.Dropout(layer.operation.probability, name=f"dropout{number:03}")(*inputs, deterministic=not train)
            else:
                x = COMPUTE[type(layer.operation)](layer.operation, *inputs)
            outputs.append(x)
        most = max(len(self.layers[number].operation.anchors) for number in self.heads)
        return tuple(_head(self.layers[number].operation, outputs[number], most) for number in self.heads)


class DarknetConvolution(nn.Module):
    """A convolution of a cfg: (B, H, W, C) -> (B, H', W', filters); that of a head in float32 or more, as `layers.Head`."""

    operation: ops.Convolution
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        of = self.operation
        dtype = jnp.promote_types(self.dtype, jnp.float32) if of.head else self.dtype

        def layer(self, x):
            x = nn.Conv(
                of.filters,
                (of.size, of.size),
                of.strides,
                padding=((of.padding * of.dilation,) * 2,) * 2,
                kernel_dilation=of.dilation,
                feature_group_count=of.groups,
                use_bias=not of.batch_normalize,
                dtype=dtype,
                kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
                name="head" if of.head else "conv",
            )(x)
            if of.batch_normalize:
                x = nn.BatchNorm(
                    use_running_average=not train or layer_matches("/".join(self.path), self.frozen),
                    momentum=self.momentum,
                    epsilon=1e-5,
                    dtype=dtype,
                    axis_name=self.axis_name,
                    name="bn",
                )(x)
            return ACTIVATE[of.activation](x)

        return (nn.remat(layer) if self.remat and train else layer)(self, x)


def convolution_name(number):
    """The name of a convolution's parameters: that of its layer, counted from 0 as Darknet does."""
    return f"conv{number:03}"


def network_from_cfg(path: str | os.PathLike) -> tuple[DarknetNetwork, AnchorGrid]:
    """Builds the network that a cfg file describes, and the grid of its slots.

    Raises:
        InputError: with file, line, section and option: what cannot be honoured, and layers that do not fit each other.
    """
    return build_network(read_cfg(path))


def build_network(sections, size=None, **attributes):
    """Builds the network of the sections of a cfg, and its grid.

    Args:
        sections: of `parse_cfg`.
        size: (height, width) of the grid's input in pixels; that of [net] by default.
        attributes: of `DarknetNetwork`: dtype, momentum.

    Returns:
        (DarknetNetwork, AnchorGrid).

    Raises:
        InputError: as `network_from_cfg`.
    """
    size, layers = build_layers(sections, size)
    model = DarknetNetwork(layers, size, **attributes)
    heads = [layers[number] for number in model.heads]
    if len({head.operation.classes for head in heads}) > 1:
        number = model.heads[-1]
        sections[number + 1].fail("has another number of classes than another [yolo]", "classes")
    if len({head.operation.squared_sizes for head in heads}) > 1:
        sections[model.heads[-1] + 1].fail("has another new_coords than another [yolo]", "new_coords")
    most = max(len(head.operation.anchors) for head in heads)
    try:
        grid = AnchorGrid(
            size,
            [size[0] // head.shape[0] for head in heads],
            [head.operation.anchors + ((1, 1),) * (most - len(head.operation.anchors)) for head in heads],
            [head.operation.scale_x_y for head in heads],
            heads[0].operation.squared_sizes,
        )
    except ValueError as error:
        raise InputError(f"{sections[0].path}: {error}") from None
    return model, grid


def _head(of, x, anchors):
    """The outputs of a [yolo], (B, H, W, A * (5 + C)), as those of so many anchors, (B, H, W, anchors, 5 + C)."""
    outputs, missing = 5 + of.classes, anchors - len(of.anchors)
    if missing:
        x = jnp.pad(x, [(0, 0)] * 3 + [(0, missing * outputs)])
        nothing = np.zeros((1, 1, 1, anchors, outputs), np.float32)
        nothing[..., len(of.anchors) :, 4] = NO_OBJECT
        x = x + nothing.reshape(1, 1, 1, -1)
    return x.reshape(*x.shape[:3], anchors, outputs)


def _pool(of, x):
    before = of.padding // 2
    padding = ((0, 0), (before, of.padding - before), (before, of.padding - before), (0, 0))
    window, strides = (1, of.size, of.size, 1), (1, *of.strides, 1)
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)


def _average(of, x):
    return x.mean((1, 2), keepdims=True)


def _add(of, x, *others):
    for other in others:
        common = min(x.shape[3], other.shape[3])
        total = x[..., :common] + other[..., :common]
        x = jnp.concatenate([total, x[..., common:]], axis=3) if common < x.shape[3] else total
    return ACTIVATE[of.activation](x)


def _concatenate(of, *inputs):
    parts = [x.shape[3] // of.groups for x in inputs]
    inputs = [x[..., part * of.group : part * (of.group + 1)] for x, part in zip(inputs, parts, strict=True)]
    return jnp.concatenate(inputs, axis=3)


def _upsample(of, x):
    x = x.repeat(of.stride, axis=1).repeat(of.stride, axis=2)
    return x if of.scale == 1 else x * of.scale


def _multiply(of, x, factors):
    return ACTIVATE[of.activation](x * factors)


def _activate(of, x):
    return ACTIVATE[of.activation](x)


def _outputs(of, x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


COMPUTE = {
    ops.MaxPool: _pool,
    ops.AveragePool: _average,
    ops.Shortcut: _add,
    ops.Route: _concatenate,
    ops.Upsample: _upsample,
    ops.Scale: _multiply,
    ops.Activation: _activate,
    ops.Yolo: _outputs,
}
