"""Convolutions that are fast on a CPU, where XLA's own are slow: in groups of channels, and of images with few channels."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
MOST_GROUPS = 32
"""Each group is a convolution of its own; more would make a program that takes long to compile."""
MOST_WEIGHTS, MOST_FILTERS = 27, 32
"""Of a convolution that is a sum of shifted channels: a 3x3 kernel of RGB images has 27 weights for each filter."""


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]] | str,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    **others: Any,
) -> jax.Array:
    """`jax.lax.conv_general_dilated` for `nn.Conv`, with other programs for a CPU where these are faster.

    On a CPU a depthwise convolution, which has as many groups as channels, is a sum of shifted images; one in up to
    `MOST_GROUPS` groups is a convolution for each; and one of few channels to few filters, as the first of a network, is a sum
    of shifted channels (`python benchmarks/convolutions.py` measures them). All others, and all on a GPU or TPU, are XLA's own.

    Args:
        lhs: (B, H, W, C).
        rhs: (h, w, C / feature_group_count, filters).
        window_strides: (down, across).
        padding: ((above, below), (left, right)), or the name of one.
        lhs_dilation: as for `jax.lax.conv_general_dilated`, as are all that follow.
        rhs_dilation: pixels from one weight to the next, (down, across).
        dimension_numbers: the order of the axes.
        feature_group_count: groups of channels.
        batch_group_count: groups of images.
        precision: of XLA's own convolution.
        preferred_element_type: of XLA's own convolution.
        others: further keyword arguments.

    Returns:
        (B, H', W', filters).
    """

    def of_xla(lhs, rhs, groups=feature_group_count):
        return jax.lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            dimension_numbers,
            groups,
            batch_group_count,
            precision,
            preferred_element_type,
            **others,
        )

    numbers = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    last = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, CHANNELS_LAST) if lhs.ndim == 4 else None
    if numbers != last or batch_group_count != 1 or isinstance(padding, str) or set(lhs_dilation or (1,)) != {1}:
        return of_xla(lhs, rhs)
    window = {"strides": tuple(window_strides), "padding": tuple(padding), "dilation": tuple(rhs_dilation or (1, 1))}
    channels, filters, groups = lhs.shape[-1], rhs.shape[-1], feature_group_count
    if 1 < channels == groups:
        # The gradient makes the shifted images again: kept, each weight of the kernel would take an image.
        return jax.checkpoint(_on_cpu(functools.partial(_depthwise, **window), of_xla))(lhs, rhs)
    if 1 < groups <= MOST_GROUPS:
        return _on_cpu(functools.partial(_each_group, groups, functools.partial(of_xla, groups=1)), of_xla)(lhs, rhs)
    if groups == 1 and math.prod(rhs.shape[:3]) <= MOST_WEIGHTS and 1 < filters <= MOST_FILTERS and channels <= 4:
        return _with_gradient_of(of_xla, _on_cpu(functools.partial(_few_channels, **window), of_xla))(lhs, rhs)
    return of_xla(lhs, rhs)


Convolve = Callable[[jax.Array, jax.Array], jax.Array]


def _on_cpu(cpu: Convolve, other: Convolve) -> Convolve:
    """One function on a CPU, another one elsewhere."""
    return lambda lhs, rhs: jax.lax.platform_dependent(lhs, rhs, cpu=cpu, default=other)


def _with_gradient_of(linear: Convolve, convolve: Convolve) -> Convolve:
    """A convolution with the derivatives of another form of it: 27 sums over all pixels would take longer than XLA's own."""
    function = jax.custom_jvp(convolve)

    def jvp(primals, tangents):
        (lhs, rhs), (lhs_tangent, rhs_tangent) = primals, tangents
        # Images have no tangent in training, and the product of a zero would be computed.
        terms = ((lhs_tangent, rhs), (lhs, rhs_tangent))
        known = [linear(*term) for term in terms if not any(isinstance(value, SymbolicZero) for value in term)]
        y = function(lhs, rhs)
        return y, functools.reduce(jnp.add, known) if known else jnp.zeros_like(y)

    function.defjvp(jvp, symbolic_zeros=True)
    return function


def _each_group(groups: int, convolve: Convolve, lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """A convolution for each group of channels; XLA's own gradient of the kernel takes up to 100 times as long."""
    parts = zip(jnp.split(lhs, groups, axis=-1), jnp.split(rhs, groups, axis=-1), strict=True)
    return jnp.concatenate([convolve(x, kernel) for x, kernel in parts], axis=-1)


def _depthwise(x: jax.Array, kernel: jax.Array, **window: Any) -> jax.Array:
    """A depthwise convolution as the sum, over the weights of the kernel, of the image shifted by the weight's place.

    XLA makes one loop over the output of it, with the channels in the lanes of the processor.
    """
    x = x.repeat(kernel.shape[-1] // x.shape[-1], axis=-1)
    return _sum_of_shifts(x, kernel, lambda part, weights: part * weights[0], **window)


def _few_channels(x: jax.Array, kernel: jax.Array, **window: Any) -> jax.Array:
    """A convolution as the sum of shifted channels, each times its weights for all filters, which are in the lanes."""

    def terms(part, weights):
        products = [part[..., channel : channel + 1] * weights[channel] for channel in range(x.shape[-1])]
        return functools.reduce(jnp.add, products)

    return _sum_of_shifts(x, kernel, terms, **window)


def _sum_of_shifts(x: jax.Array, kernel: jax.Array, term: Convolve, *, strides, padding, dilation) -> jax.Array:
    """The sum over the places of a kernel of a term of the image shifted there, (B, H', W', C), and of the weights there."""
    height, width = kernel.shape[:2]
    dtype, wide = x.dtype, jnp.promote_types(x.dtype, jnp.float32)  # as XLA adds up, whatever the type
    x, kernel = x.astype(wide), kernel.astype(wide)[..., None, None, None, :]
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    last = [
        (side - step * (weights - 1) - 1) // stride * stride + 1
        for side, step, weights, stride in zip(x.shape[1:3], dilation, (height, width), strides, strict=True)
    ]
    total = None
    for row in range(height):
        for column in range(width):
            top, left = row * dilation[0], column * dilation[1]
            end = (x.shape[0], top + last[0], left + last[1], x.shape[3])
            part = jax.lax.slice(x, (0, top, left, 0), end, (1, *strides, 1))
            product = term(part, kernel[row, column])
            total = product if total is None else total + product
    assert total is not None
    return total.astype(dtype)
