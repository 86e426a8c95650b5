"""Raw heads to boxes and logits: Redmon and Farhadi 2018, arXiv:1804.02767, section 2.1."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

# e^20 anchors is far beyond any picture, and its square is still far below the largest float32.
MAX_LOG_SIZE = 20.0


class Predictions(NamedTuple):
    """Decoded heads; N slots, C classes.

    Attributes:
        boxes: (B, N, 4) cxcywh in pixels of the network's input.
        objectness_logits: (B, N).
        class_logits: (B, N, C).
    """

    boxes: jax.Array
    objectness_logits: jax.Array
    class_logits: jax.Array


def decode(raw, grid):
    """Decodes raw heads into boxes and logits.

    Args:
        raw: for each scale, fine to coarse, (B, H_s, W_s, A, 5 + C) of tx, ty, tw, th, objectness, classes.
        grid: the AnchorGrid of the network's input.

    Returns:
        Predictions, slots in the order (scale, row, column, anchor).

    Raises:
        ValueError: heads whose shapes are not those of the grid.
    """
    flat = flatten_heads(raw, grid)
    return Predictions(decode_boxes(flat[..., :4], grid.slot_geometry[None]), flat[..., 4], flat[..., 5:])


def flatten_heads(raw, grid):
    """Puts the heads of all scales one behind the other; S x (B, H_s, W_s, A, 5 + C) -> (B, N, 5 + C).

    Raises:
        ValueError: heads whose shapes are not those of the grid.
    """
    expected = [(*shape, grid.anchors_per_scale) for shape in grid.shapes]
    if [head.shape[1:4] for head in raw] != expected or any(head.ndim != 5 or head.shape[-1] < 6 for head in raw):
        raise ValueError(
            f"heads of shapes {[head.shape for head in raw]} do not fit the grid, which needs "
            f"{[('B', *shape, '5 + C') for shape in expected]}"
        )
    return jnp.concatenate([head.reshape(head.shape[0], -1, head.shape[-1]) for head in raw], axis=1)


def decode_boxes(t, geometry):
    """Decodes box predictions: xy = (sigmoid(t_xy) + cell) * stride, wh = exp(t_wh) * anchor.

    Where the grid has `xy_scales` s, s * sigmoid(t_xy) - (s - 1) / 2 takes the sigmoid's place; where it has `squared_sizes`,
    (2 * sigmoid(t_wh))^2 takes that of the exponential.

    Args:
        t: (..., 4) tx, ty, tw, th.
        geometry: (..., 5), (..., 6) or (..., 7), rows of `AnchorGrid.slot_geometry` of the same slots.

    Returns:
        (..., 4) boxes cxcywh in pixels. t_wh is clamped at e^20 anchors, so that nothing overflows.
    """
    geometry = jnp.asarray(geometry, t.dtype)
    xy = (place_in_cell(t[..., :2], geometry) + geometry[..., :2]) * geometry[..., 2:3]
    wh = jnp.exp(jnp.minimum(log_sizes(t[..., 2:], geometry), MAX_LOG_SIZE)) * geometry[..., 3:5]
    return jnp.concatenate([xy, wh], axis=-1)


def place_in_cell(t_xy, geometry):
    """Where in its cell a centre lies, in cells: (..., 2) of tx, ty and rows of `AnchorGrid.slot_geometry` -> (..., 2)."""
    xy = jax.nn.sigmoid(t_xy)
    if geometry.shape[-1] == 5:
        return xy
    scale = geometry[..., 5:6]
    return scale * xy - (scale - 1) / 2


def log_sizes(t_wh, geometry):
    """Logarithms of width and height in anchors: (..., 2) of tw, th and rows of `AnchorGrid.slot_geometry` -> (..., 2)."""
    return 2 * (math.log(2) + jax.nn.log_sigmoid(t_wh)) if geometry.shape[-1] == 7 else t_wh
