"""Box formats and overlaps, for NumPy and JAX arrays.

Every function takes boxes of shape (..., 4), in pixels or any other single unit, computes in the floating type of its inputs
and returns the kind of array that it was given. A box without area, or with its corners exchanged, counts as empty: overlaps
with it are finite, and so are their gradients.
"""

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import jax

Array = TypeVar("Array", np.ndarray, "jax.Array")


def cxcywh_to_xyxy(boxes: Array) -> Array:
    """Converts (centre x, centre y, width, height) to (left, top, right, bottom); (..., 4) -> (..., 4)."""
    xp, (boxes,) = _arrays(boxes)
    centre, size = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([centre - size / 2, centre + size / 2], axis=-1)


def xyxy_to_cxcywh(boxes: Array) -> Array:
    """Converts (left, top, right, bottom) to (centre x, centre y, width, height); (..., 4) -> (..., 4)."""
    xp, (boxes,) = _arrays(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([(low + high) / 2, high - low], axis=-1)


def iou(a: Array, b: Array) -> Array:
    """Intersection over union of xyxy boxes; (..., 4), (..., 4) broadcast -> (...), in [0, 1]; 0 where the union is empty."""
    xp, (a, b) = _arrays(a, b)
    intersection, union = _intersection_and_union(xp, a, b)
    return _divide(xp, intersection, union)


def giou(a: Array, b: Array) -> Array:
    """Generalized IoU of xyxy boxes; (..., 4), (..., 4) broadcast -> (...), in [-1, 1].

    IoU - |C \\ (A u B)| / |C| with C the smallest box around both: Rezatofighi et al. 2019, arXiv:1902.09630, algorithm 1.
    """
    xp, (a, b) = _arrays(a, b)
    intersection, union = _intersection_and_union(xp, a, b)
    hull_size = _hull_size(xp, a, b)
    hull = hull_size[..., 0] * hull_size[..., 1]
    return _divide(xp, intersection, union) - _divide(xp, hull - union, hull)


def diou(a: Array, b: Array) -> Array:
    """Distance IoU of xyxy boxes; (..., 4), (..., 4) broadcast -> (...), in [-1, 1].

    IoU - d^2 / c^2 with d the distance between the centres and c the diagonal of the smallest box around both:
    Zheng et al. 2020, arXiv:1911.08287, equation 7.
    """
    xp, (a, b) = _arrays(a, b)
    intersection, union = _intersection_and_union(xp, a, b)
    return _divide(xp, intersection, union) - _centre_penalty(xp, a, b)


def ciou(a: Array, b: Array) -> Array:
    """Complete IoU of xyxy boxes; (..., 4), (..., 4) broadcast -> (...).

    DIoU - alpha * v, where v compares the aspect ratios: Zheng et al. 2020, arXiv:1911.08287, equations 8 to 11.
    The trade-off alpha is a constant in the gradient, as in equation 12.
    """
    xp, (a, b) = _arrays(a, b)
    intersection, union = _intersection_and_union(xp, a, b)
    overlap = _divide(xp, intersection, union)
    v = 4 / math.pi**2 * (_aspect_angle(xp, a) - _aspect_angle(xp, b)) ** 2
    alpha = _constant(xp, _divide(xp, v, 1 - overlap + v))
    return overlap - _centre_penalty(xp, a, b) - alpha * v


def pairwise_iou(a: Array, b: Array) -> Array:
    """IoU of each box in one set with each box in another; xyxy (n, 4), (m, 4) -> (n, m)."""
    _, (a, b) = _arrays(a, b)
    return iou(a[:, None, :], b[None, :, :])


def namespace(*arrays: Any) -> Any:
    """The library that computes with these arrays: JAX's if any of them is JAX's, else NumPy."""
    for array in arrays:
        if hasattr(array, "__array_namespace__") and not isinstance(array, np.ndarray | np.generic):
            return array.__array_namespace__()
    return np


def _arrays(*arrays: Any) -> tuple[Any, list[Any]]:
    """The library of the arguments, and the arguments as its arrays."""
    xp = namespace(*arrays)
    return xp, [xp.asarray(array) for array in arrays]


def _intersection_and_union(xp, a, b):
    a, b = xp.broadcast_arrays(a, b)
    low = xp.maximum(a[..., :2], b[..., :2])
    high = xp.minimum(a[..., 2:], b[..., 2:])
    side = xp.maximum(high - low, 0)
    intersection = side[..., 0] * side[..., 1]
    return intersection, _area(xp, a) + _area(xp, b) - intersection


def _area(xp, boxes):
    size = xp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return size[..., 0] * size[..., 1]


def _hull_size(xp, a, b):
    a, b = xp.broadcast_arrays(a, b)
    return xp.maximum(xp.maximum(a[..., 2:], b[..., 2:]) - xp.minimum(a[..., :2], b[..., :2]), 0)


def _centre_penalty(xp, a, b):
    a, b = xp.broadcast_arrays(a, b)
    offset = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    hull_size = _hull_size(xp, a, b)
    return _divide(xp, (offset**2).sum(-1), (hull_size**2).sum(-1))


def _aspect_angle(xp, boxes):
    size = xp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    # arctan2 has no gradient at (0, 0).
    size = xp.where((size**2).sum(-1, keepdims=True) > 0, size, 1)
    return xp.arctan2(size[..., 0], size[..., 1])


def _divide(xp, numerator, denominator):
    # The denominator is replaced before the division: masking the quotient alone would leave 0 * NaN in the gradient.
    # The bound is not 0 because the gradient squares the denominator, and 1 over that square must not overflow float32.
    positive = denominator > 1e-16
    return xp.where(positive, numerator, 0) / xp.where(positive, denominator, 1)


def _constant(xp, value):
    if xp is np:
        return value
    import jax  # not at the top: the data loader uses this module without loading JAX

    return jax.lax.stop_gradient(value)
