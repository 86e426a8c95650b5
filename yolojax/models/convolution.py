"""Convolutions that are fast on a CPU, where XLA's own are slow: in groups of channels, and of images with few channels."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
MOST_GROUPS = 32
"""Each group is a convolution of its own; more would make a program that takes long to compile."""
MOST_WEIGHTS, MOST_FILTERS = 27, 32
"""Of a convolution that is a sum of shifted channels: a 3x3 kernel of RGB images has 27 weights for each filter."""
MOST_FILTERS_OF_PHASES = 128
"""Of a convolution with a stride whose gradient of the images is made of parts; of more filters it is no faster."""
ROWS_OF_A_SUM = 8
"""Rows, at most, that are added up first in the gradient of a depthwise kernel."""


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
    if preferred_element_type not in (None, lhs.dtype):
        return of_xla(lhs, rhs)
    window = {"strides": tuple(window_strides), "padding": tuple(padding), "dilation": tuple(rhs_dilation or (1, 1))}

    def own(form):
        return _on_cpu(functools.partial(form, **window), of_xla)

    def own_by_gradient(gradient):
        return _on_cpu(_transpose_of(functools.partial(gradient, **window), of_xla), of_xla)

    channels, filters, groups = lhs.shape[-1], rhs.shape[-1], feature_group_count
    if 1 < channels == groups:
        # The gradient makes the shifted images again: kept, each weight of the kernel would take an image.
        in_images, in_kernel = map(jax.checkpoint, (own_by_gradient(_depthwise_images), own(_depthwise_by_kernel)))
        return _with_tangents(in_images, in_kernel, own(_depthwise))(lhs, rhs)
    if 1 < groups <= MOST_GROUPS:
        return _on_cpu(functools.partial(_each_group, groups, functools.partial(of_xla, groups=1)), of_xla)(lhs, rhs)
    if groups == 1 and math.prod(rhs.shape[:3]) <= MOST_WEIGHTS and 1 < filters <= MOST_FILTERS and channels <= 4:
        return _with_tangents(of_xla, of_xla, own(_few_channels))(lhs, rhs)
    if groups == 1 and max(window_strides) > 1 and min(rhs.shape[:2]) > 1 and filters <= MOST_FILTERS_OF_PHASES:
        return _with_tangents(own_by_gradient(_dense_images), of_xla, of_xla)(lhs, rhs)
    return of_xla(lhs, rhs)


Convolve = Callable[[jax.Array, jax.Array], jax.Array]


def _on_cpu(cpu: Convolve, other: Convolve) -> Convolve:
    """One function on a CPU, another one elsewhere."""
    return lambda lhs, rhs: jax.lax.platform_dependent(lhs, rhs, cpu=cpu, default=other)


def _with_tangents(in_images: Convolve, in_kernel: Convolve, convolve: Convolve) -> Convolve:
    """A convolution whose derivatives are those of other forms of it: what is fast forward can be slow when transposed."""
    function = jax.custom_jvp(lambda lhs, rhs: convolve(lhs, rhs))

    def jvp(primals, tangents):
        (lhs, rhs), (lhs_tangent, rhs_tangent) = primals, tangents
        # Images have no tangent in training, and the product of a zero would be computed.
        terms = ((in_images, lhs_tangent, rhs), (in_kernel, lhs, rhs_tangent))
        known = [form(*term) for form, *term in terms if not any(isinstance(value, SymbolicZero) for value in term)]
        y = function(lhs, rhs)
        return y, functools.reduce(jnp.add, known) if known else jnp.zeros_like(y)

    function.defjvp(jvp, symbolic_zeros=True)
    return function


def _transpose_of(gradient: Callable[[jax.Array, jax.Array, tuple[int, ...]], jax.Array], convolve: Convolve) -> Convolve:
    """A convolution written as the transpose of the gradient of its images, so that its own transpose is that gradient.

    `gradient` gets the outputs, the kernel and the shape of the images.
    """

    def transposed(lhs, rhs):
        outputs = jax.eval_shape(convolve, lhs, rhs)
        return jax.linear_transpose(lambda y: gradient(y, rhs, lhs.shape), outputs)(lhs)[0]

    return transposed


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


def _depthwise_by_kernel(x: jax.Array, kernel: jax.Array, **window: Any) -> jax.Array:
    """A depthwise convolution whose gradient of the kernel adds up in two steps; XLA makes a slow loop of one sum over all."""
    x = x.repeat(kernel.shape[-1] // x.shape[-1], axis=-1)

    def term(part, weights):
        batch, height, width, channels = part.shape
        groups = -(-height // ROWS_OF_A_SUM)
        rows = -(-height // groups)
        # The barrier and the change of shape keep the two sums, which are the transposes of these broadcasts, apart.
        spread = jax.lax.optimization_barrier(jnp.broadcast_to(weights[0].ravel(), (batch * groups * width, channels)))
        spread = jnp.broadcast_to(spread.reshape(batch, 1, groups, width, channels), (batch, rows, groups, width, channels))
        return part * spread.reshape(batch, -1, width, channels)[:, :height]

    return _sum_of_shifts(x, kernel, term, **window)


def _depthwise_images(y: jax.Array, kernel: jax.Array, shape: tuple[int, ...], **window: Any) -> jax.Array:
    """The gradient of the images of a depthwise convolution, by that of its outputs."""
    x = _images_by_phases(
        y, kernel, shape[1:3], functools.partial(_depthwise, strides=(1, 1), padding=((0, 0), (0, 0))), **window
    )
    return x.reshape(*shape, -1).sum(-1)


def _dense_images(y: jax.Array, kernel: jax.Array, shape: tuple[int, ...], **window: Any) -> jax.Array:
    """The gradient of the images of a dense convolution, by that of its outputs."""

    def convolve(y, part, dilation):
        return jax.lax.conv_general_dilated(y, part.swapaxes(2, 3), (1, 1), "VALID", None, dilation, CHANNELS_LAST)

    return _images_by_phases(y, kernel, shape[1:3], convolve, **window)


def _images_by_phases(
    y: jax.Array,
    kernel: jax.Array,
    size: Sequence[int],
    convolve: Callable[..., jax.Array],
    *,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> jax.Array:
    """The gradient of the images of a convolution, by that of its outputs, as convolutions without a stride.

    With a stride of s, every s-th row of the images takes part with the same weights: its gradient is a convolution of the
    outputs with these weights alone. XLA puts zeros between the outputs and convolves them with the whole kernel.

    Args:
        y: (B, H', W', filters), gradient of the outputs.
        kernel: (h, w, channels, filters).
        size: (height, width) of the images.
        convolve: a convolution without stride and padding, `convolve(y, part of the kernel, dilation=)`.
        strides: of the convolution whose gradient it is, as are the next two.
        padding: ((above, below), (left, right)).
        dilation: pixels from one weight to the next.

    Returns:
        (B, height, width, channels).
    """

    def phases(side, outputs, weights, stride, before, spread) -> Iterator[tuple[slice, int, tuple[int, int, int]]]:
        """For each remainder: its weights, pixels from one to the next among the outputs, and the padding of these."""
        length, common = -(-side // stride), math.gcd(stride, spread)
        for remainder in range(stride):
            places = [divmod(remainder + before - weight * spread, stride) for weight in range(weights)]
            taken = [weight for weight, (_, rest) in enumerate(places) if rest == 0]
            if taken:
                sides = (-places[taken[-1]][0], length + places[taken[0]][0] - outputs, 0)
                yield slice(taken[0], weights, stride // common), spread // common, sides
            else:
                yield slice(weights, None), 1, (0, length - outputs, 0)

    numbers = zip(size, y.shape[1:3], kernel.shape[:2], strides, [before for before, _ in padding], dilation, strict=True)
    rows, columns = (list(phases(*axis)) for axis in numbers)
    kernel = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))  # a weight for those that no output reaches
    lines = []
    for down, spread_down, above in rows:
        parts = []
        for across, spread_across, beside in columns:
            part = jnp.flip(kernel[down, across], (0, 1))
            # Not by the convolution: where its padding cuts rows off above and adds some below, XLA reads beyond the array on
            # a CPU (jaxlib 0.10.2).
            padded = jax.lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), above, beside, (0, 0, 0)))
            parts.append(convolve(padded, part, dilation=(spread_down, spread_across)))
        lines.append(_interleave(parts, 2))
    return _interleave(lines, 1)[:, : size[0], : size[1]]


def _interleave(parts: Sequence[jax.Array], axis: int) -> jax.Array:
    """The first rows (or columns) of all parts, then the second ones, and so on."""
    if len(parts) == 1:
        return parts[0]
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)


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
