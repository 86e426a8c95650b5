"""Convolutions in groups of channels that are fast on a CPU, where XLA's own are a loop over the channels."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")


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
    """`jax.lax.conv_general_dilated` for `nn.Conv`; on a CPU, depthwise convolutions are sums of shifted images.

    A depthwise convolution has as many groups as channels, and one filter for each. Elsewhere, and for all other
    convolutions, this is XLA's own; so it is on a GPU and a TPU.

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

    def of_xla(lhs, rhs):
        return jax.lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation,
            rhs_dilation,
            dimension_numbers,
            feature_group_count,
            batch_group_count,
            precision,
            preferred_element_type,
            **others,
        )

    channels, filters = lhs.shape[-1], rhs.shape[-1]
    numbers = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    last = jax.lax.conv_dimension_numbers(lhs.shape, rhs.shape, CHANNELS_LAST) if lhs.ndim == 4 else None
    depthwise = 1 < channels == filters == feature_group_count and batch_group_count == 1
    if not depthwise or numbers != last or isinstance(padding, str) or set(lhs_dilation or (1,)) != {1}:
        return of_xla(lhs, rhs)
    shifted = functools.partial(
        _shifted, strides=tuple(window_strides), padding=tuple(padding), dilation=tuple(rhs_dilation or (1, 1))
    )

    # The gradient makes the shifted images again: kept, each weight of the kernel would take an image.
    @jax.checkpoint
    def convolve(lhs, rhs):
        return jax.lax.platform_dependent(lhs, rhs, cpu=shifted, default=of_xla)

    return convolve(lhs, rhs)


def _shifted(x: jax.Array, kernel: jax.Array, *, strides, padding, dilation) -> jax.Array:
    """A depthwise convolution as the sum, over the weights of the kernel, of the image shifted by the weight's place.

    XLA makes one loop over the output of it, with the channels in the lanes of the processor.
    """
    height, width = kernel.shape[:2]
    dtype, wide = x.dtype, jnp.promote_types(x.dtype, jnp.float32)  # as XLA adds up, whatever the type
    x, kernel = x.astype(wide), kernel.astype(wide)
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
            term = jax.lax.slice(x, (0, top, left, 0), end, (1, *strides, 1)) * kernel[row, column, None, None]
            total = term if total is None else total + term
    assert total is not None
    return total.astype(dtype)
