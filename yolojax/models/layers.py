"""The building blocks of the networks."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from yolojax.models.batch_norm import BatchNorm
from yolojax.models.convolution import conv_general_dilated

OBJECTNESS_PRIOR = 0.01
"""Probability of an object that an untrained network gives each slot."""

HEAD_KERNEL_STD = 0.01
"""Standard deviation of the initial kernels of the heads."""


def scaled(channels: int, width: float) -> int:
    """Channels of a layer under a width multiplier: the nearest multiple of 4, at least 4; unchanged at width 1."""
    return channels if width == 1 else max(4, 4 * round(channels * width / 4))


def layer_matches(layer: str, pattern: str) -> bool:
    """Whether a regular expression matches anywhere in a layer's path, such as "backbone/stem"; "" matches none."""
    return bool(pattern) and re.search(pattern, layer) is not None


def layer_of(path: Sequence[Any]) -> str:
    """The path of the layer that a variable belongs to, such as "backbone/stem", from its key path in the tree of variables.

    A layer is a convolution with its bias or batch normalization. The modules "conv", "bn" and "head" inside another module are
    such parts of it: the layer of (backbone, stem, conv, kernel) is "backbone/stem". In a network of somebody else, the layer
    of (encoder, Dense_0, kernel) is "encoder/Dense_0".
    """
    keys = jax.tree_util.keystr(tuple(path[:-1]), simple=True, separator="/").split("/")
    return "/".join(keys[:-1] if len(keys) > 1 and keys[-1] in ("conv", "bn", "head") else keys)


def leaky(x: jax.Array) -> jax.Array:
    """Leaky ReLU with Darknet's slope of 0.1 below 0; any shape."""
    return nn.leaky_relu(x, 0.1)


class ConvBN(nn.Module):
    """Convolution, batch normalization and an activation, as Darknet's `[convolutional] batch_normalize=1`.

    (B, H, W, C) -> (B, H / stride, W / stride, features). A stride of 2 pads one pixel on every side of a 3x3 kernel; "SAME"
    would pad only the far sides, and so shift Darknet's weights.

    Attributes:
        features: output channels.
        kernel: side of the square kernel, odd.
        stride: 1 or 2.
        dtype: dtype of the computation; parameters and statistics are float32.
        momentum: momentum of the running statistics.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any.
        frozen: regular expression; a layer whose path, such as "backbone/stem", it matches uses the running statistics in
            training too, and does not update them.
        remat: whether the gradient recomputes the layer from its input instead of storing activations (Chen et al. 2016,
            arXiv:1604.06174).
        activation: elementwise function; None for none.
    """

    features: int
    kernel: int
    stride: int = 1
    dtype: DTypeLike = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False
    activation: Callable[[jax.Array], jax.Array] | None = leaky
    drawn_on_host = True

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        padding = self.kernel // 2

        def layer(self, x):
            x = nn.Conv(
                self.features,
                (self.kernel, self.kernel),
                (self.stride, self.stride),
                padding=((padding, padding), (padding, padding)),
                use_bias=False,
                conv_general_dilated=conv_general_dilated,
                dtype=self.dtype,
                kernel_init=nn.initializers.variance_scaling(2.0, "fan_in", "normal"),
                name="conv",
            )(x)
            return BatchNorm(
                use_running_average=not train or layer_matches("/".join(self.path), self.frozen),
                momentum=self.momentum,
                epsilon=1e-5,
                dtype=self.dtype,
                axis_name=self.axis_name,
                activation=self.activation,
                name="bn",
            )(x)

        return (nn.remat(layer) if self.remat and train else layer)(self, x)


class Head(nn.Module):
    """The last, linear 1x1 convolution of a scale: (B, H, W, C) -> (B, H, W, A, 5 + num_classes) float32.

    Heads are float64 if the network computes in float64, under jax_enable_x64.

    The bias of the objectness starts at log(p / (1 - p)) with p = 0.01, so that the many slots without an object do not
    dominate the loss at the start (Lin et al. 2017, arXiv:1708.02002, section 4.1).

    Attributes:
        num_classes: C, the number of classes.
        anchors: A, the number of anchors per cell.
    """

    num_classes: int
    anchors: int
    drawn_on_host = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        outputs = 5 + self.num_classes
        x = nn.Conv(
            self.anchors * outputs,
            (1, 1),
            dtype=jnp.promote_types(x.dtype, jnp.float32),
            kernel_init=nn.initializers.normal(HEAD_KERNEL_STD),
            bias_init=objectness_prior_bias(outputs),
            name="head",
        )(x)
        return x.reshape(*x.shape[:3], self.anchors, outputs)


def upsample(x: jax.Array, factor: int = 2) -> jax.Array:
    """Nearest-neighbour upsampling; (B, H, W, C) -> (B, factor * H, factor * W, C)."""
    return x.repeat(factor, axis=1).repeat(factor, axis=2)


@jax.custom_jvp
def halve(x: jax.Array) -> jax.Array:
    """2x2 max pooling with stride 2; (B, H, W, C) -> (B, H / 2, W / 2, C).

    Of equal maxima the first one, row by row, gets the gradient, as in Darknet's `maxpool`.
    """
    return _blocks(x).max((2, 4))


@halve.defjvp
def _halve_jvp(primals, tangents):
    # Values are compared in pairs. JAX's own gradient of a maximum divides by the number of values equal to the maximum, which
    # is 0 / 0 where a compiler rounds the values and the maximum differently. It is also slower, and the gradient of a window
    # reduction is slower still.
    largest, tangent = (_blocks(x) for (x,) in (primals, tangents))
    for axis in (4, 2):
        first, second = (jax.lax.index_in_dim(largest, i, axis, keepdims=False) for i in (0, 1))
        first_tangent, second_tangent = (jax.lax.index_in_dim(tangent, i, axis, keepdims=False) for i in (0, 1))
        largest, tangent = jnp.maximum(first, second), jnp.where(first >= second, first_tangent, second_tangent)
    return largest, tangent


def _blocks(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H / 2, 2, W / 2, 2, C)."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels)


def pool(x: jax.Array, size: int) -> jax.Array:
    """Max pooling with stride 1 that keeps the size; an even window extends one further right and down, as in Darknet."""
    return nn.max_pool(x, (size, size), padding="SAME")


def to_unit_range(images: jax.Array, dtype: DTypeLike) -> jax.Array:
    """Scales uint8 images to [0, 1]; floating-point images are in that range already."""
    if images.dtype == jnp.uint8:
        return images.astype(dtype) / 255
    return images.astype(dtype)


def objectness_prior_bias(outputs: int) -> Callable[..., jax.Array]:
    """An initializer for the bias of a head with `outputs` channels per anchor: the prior's logit for objectness, else 0."""

    def init(key: Any, shape: Sequence[int], dtype: DTypeLike = np.float32) -> jax.Array:
        bias = np.zeros((shape[0] // outputs, outputs), dtype)
        bias[:, 4] = math.log(OBJECTNESS_PRIOR / (1 - OBJECTNESS_PRIOR))
        return jnp.asarray(bias.reshape(shape))

    return init
