"""From raw heads to boxes and logits: Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid

RawHeads = Sequence[jax.Array | np.ndarray] | tuple[Any, Any]
"""Raw heads, fine to coarse: (B, H_s, W_s, A, 5 + C) each. The pair is in the type only because Flax's `apply` is typed so."""

# e^20 anchors is far larger than any image, and its square is still far below the largest float32.
MAX_LOG_SIZE = 20.0


@functools.partial(export.register_namedtuple_serialization, serialized_name="yolojax.decode.Predictions")
class Predictions(NamedTuple):
    """Decoded heads, with N slots and C classes.

    Attributes:
        boxes: (B, N, 4) cxcywh in pixels of the network's input.
        objectness_logits: (B, N).
        class_logits: (B, N, C).
    """

    boxes: jax.Array
    objectness_logits: jax.Array
    class_logits: jax.Array


@auto_sharded(rows=True)
def decode(raw: RawHeads, grid: AnchorGrid) -> Predictions:
    """Decodes raw heads into boxes and logits.

    Args:
        raw: for each scale, fine to coarse, (B, H_s, W_s, A, 5 + C) of tx, ty, tw, th, objectness, classes.
        grid: the grid of the network's input.

    Returns:
        The predictions, with slots in the order (scale, row, column, anchor).

    Raises:
        ValueError: the heads' shapes do not match the grid.
    """
    flat = flatten_heads(raw, grid)
    return Predictions(decode_boxes(flat[..., :4], grid.slot_geometry[None]), flat[..., 4], flat[..., 5:])


def flatten_heads(raw: RawHeads, grid: AnchorGrid) -> jax.Array:
    """Concatenates the heads of all scales; S x (B, H_s, W_s, A, 5 + C) -> (B, N, 5 + C).

    Raises:
        ValueError: the heads' shapes do not match the grid.
    """
    expected = [(*shape, grid.anchors_per_scale) for shape in grid.shapes]
    if [head.shape[1:4] for head in raw] != expected or any(head.ndim != 5 or head.shape[-1] < 6 for head in raw):
        raise ValueError(
            f"heads of shapes {[head.shape for head in raw]} do not fit the grid, which needs "
            f"{[('B', *shape, '5 + C') for shape in expected]}"
        )
    return jnp.concatenate([head.reshape(head.shape[0], -1, head.shape[-1]) for head in raw], axis=1)


def decode_boxes(t: jax.Array, geometry: jax.Array | np.ndarray) -> jax.Array:
    """Decodes box predictions: xy = (sigmoid(t_xy) + cell) * stride, wh = exp(t_wh) * anchor.

    A grid with `xy_scales` s has s * sigmoid(t_xy) - (s - 1) / 2 in place of sigmoid(t_xy); a grid with `squared_sizes` has
    (2 * sigmoid(t_wh))^2 in place of exp(t_wh). Sizes are clamped at e^20 anchors, so that nothing overflows.

    Args:
        t: (..., 4) tx, ty, tw, th.
        geometry: (..., 5), (..., 6) or (..., 7), the rows of `AnchorGrid.slot_geometry` for the same slots.

    Returns:
        (..., 4) boxes cxcywh in pixels.
    """
    geometry = jnp.asarray(geometry, t.dtype)
    xy = (place_in_cell(t[..., :2], geometry) + geometry[..., :2]) * geometry[..., 2:3]
    wh = jnp.exp(jnp.minimum(log_sizes(t[..., 2:], geometry), MAX_LOG_SIZE)) * geometry[..., 3:5]
    return jnp.concatenate([xy, wh], axis=-1)


def place_in_cell(t_xy: jax.Array, geometry: jax.Array) -> jax.Array:
    """The centre's position within its cell, in cells: (..., 2) tx, ty and rows of `AnchorGrid.slot_geometry` -> (..., 2)."""
    xy = jax.nn.sigmoid(t_xy)
    if geometry.shape[-1] == 5:
        return xy
    scale = geometry[..., 5:6]
    return scale * xy - (scale - 1) / 2


def log_sizes(t_wh: jax.Array, geometry: jax.Array) -> jax.Array:
    """Logarithms of width and height in anchors: (..., 2) tw, th and rows of `AnchorGrid.slot_geometry` -> (..., 2)."""
    return 2 * (math.log(2) + jax.nn.log_sigmoid(t_wh)) if geometry.shape[-1] == 7 else t_wh
