"""The letterbox of `yolojax.data.images` as a JAX program, for pictures of any one size, also a symbolic one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from yolojax.data.images import GREY


class Placement(NamedTuple):
    """How pictures lie in the network's input, x' = scale * x + left, y' = scale * y + top; and their own size in pixels."""

    scale: jax.Array
    left: jax.Array
    top: jax.Array
    height: jax.Array
    width: jax.Array


def letterbox(pictures, size):
    """Fits pictures into an input of `size` (H, W) with their proportions kept, on grey 128, bilinear as OpenCV's.

    OpenCV weighs in steps of 1/2048 and so differs by up to 1 of 255; a picture of the right size stays as it is.

    Args:
        pictures: (B, h, w, 3) uint8, all of one size.
        size: (H, W) in pixels.

    Returns:
        (B, H, W, 3) uint8, and the Placement, scalars.
    """
    # In float64 whatever the setting: the size of the fitted picture is the truncated product, and must be the host's.
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in pictures.shape[1:3]]
        scale = jnp.minimum(size[0] / sides[0], size[1] / sides[1])
        fitted = [jnp.maximum(1, jnp.floor(scale * side)) for side in sides]
        margins = [jnp.floor((whole - new) / 2) for whole, new in zip(size, fitted, strict=True)]
        samples = [_sample(*of) for of in zip(size, margins, fitted, sides, strict=True)]
        placement = Placement(*(value.astype(jnp.float32) for value in (scale, *reversed(margins), *sides)))
    images, inside = pictures.astype(jnp.float32), True
    for axis, (low, high, weight, within) in enumerate(samples, start=1):
        along = [-1 if i == axis else 1 for i in range(4)]
        low, high = (jnp.take(images, index, axis, mode="clip") for index in (low, high))
        images = low + (high - low) * weight.reshape(along)
        inside = inside & within.reshape(along)
    return jnp.where(inside, jnp.round(images), float(GREY)).astype(jnp.uint8), placement


def unletterbox(boxes_xyxy, placement):
    """Boxes (B, K, 4) xyxy in the input's pixels -> the pictures' pixels, clipped to the picture."""
    scale, left, top, height, width = placement
    boxes = (boxes_xyxy - jnp.stack([left, top, left, top])[None, None]) / scale
    return jnp.clip(boxes, 0, jnp.stack([width, height, width, height])[None, None])


def _sample(length, margin, fitted, side):
    """Where the `length` pixels of one axis come from: first and second neighbour, the second's weight, whether inside."""
    at = jnp.arange(length) - margin
    source = jnp.clip((at + 0.5) * (side / fitted) - 0.5, 0, side - 1)
    low = jnp.floor(source)
    high = jnp.minimum(low + 1, side - 1)
    weight = (source - low).astype(jnp.float32)
    return low.astype(jnp.int32), high.astype(jnp.int32), weight, (at >= 0) & (at < fitted)
