"""The ways to fit a picture into the network's input as JAX programs, for pictures of any one size, also a symbolic one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from yolojax.data.images import GREY


class Placement(NamedTuple):
    """How pictures lie in the network's input, x' = scale * x + left, y' = scale * y + top; and their own size in pixels.

    scale: (2,), of x and of y; all others are scalars.
    """

    scale: jax.Array
    left: jax.Array
    top: jax.Array
    height: jax.Array
    width: jax.Array


def letterbox(pictures, size):
    """The letterbox of `yolojax.data.images`: proportions kept, on grey 128, bilinear as OpenCV's.

    OpenCV weighs in steps of 1/2048 and so differs by up to 1 of 255; a picture of the right size stays as it is.

    Args:
        pictures: (B, h, w, 3) uint8, all of one size.
        size: (H, W) in pixels.

    Returns:
        (B, H, W, 3) uint8, and the Placement.
    """
    # In float64 whatever the setting: the size of the fitted picture is the truncated product, and must be the host's.
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in pictures.shape[1:3]]
        scale = jnp.minimum(size[0] / sides[0], size[1] / sides[1])
        fitted = [jnp.maximum(1, jnp.floor(scale * side)) for side in sides]
        margins = [jnp.floor((whole - new) / 2) for whole, new in zip(size, fitted, strict=True)]
        samples = [_sample(*of) for of in zip(size, margins, fitted, sides, strict=True)]
        placement = _placement([scale, scale], margins, sides)
    images, inside = _resample(pictures, samples)
    return jnp.where(inside, jnp.round(images), float(GREY)).astype(jnp.uint8), placement


def darknet_letterbox(pictures, size):
    """The letterbox of `yolojax.data.darknet_fit`; arguments as of `letterbox`, the pictures become float32 in [0, 1]."""
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in pictures.shape[1:3]]
        whole = [jnp.asarray(side, jnp.float64) for side in size]
        # The other side of a picture that fills one is a quotient of whole numbers, as in C.
        others = [jnp.maximum(1, jnp.floor(sides[i] * whole[1 - i] / sides[1 - i])) for i in (0, 1)]
        wide = whole[1] / sides[1] < whole[0] / sides[0]
        fitted = [jnp.where(wide, others[0], whole[0]), jnp.where(wide, whole[1], others[1])]
        halves = [(side - new) / 2 for side, new in zip(whole, fitted, strict=True)]
        return _as_darknet(pictures, size, sides, fitted, halves)


def darknet_stretch(pictures, size):
    """The stretching of `yolojax.data.darknet_fit`; as `darknet_letterbox`."""
    with jax.enable_x64(True):
        sides, fitted = ([jnp.asarray(side, jnp.float64) for side in of] for of in (pictures.shape[1:3], size))
        return _as_darknet(pictures, size, sides, fitted, [jnp.zeros_like(side) for side in sides])


def _as_darknet(pictures, size, sides, fitted, halves):
    of_axes = zip(size, map(jnp.floor, halves), fitted, sides, strict=True)
    samples = [_sample(*of, corners=True) for of in of_axes]
    scales = [new / side for new, side in zip(fitted, sides, strict=True)]
    placement = _placement(scales[::-1], halves, sides)
    images, inside = _resample(pictures, samples)
    return jnp.where(inside, images / jnp.float32(255), jnp.float32(0.5)), placement


def unfit(boxes_xyxy, placement):
    """Boxes (B, K, 4) xyxy in the input's pixels -> the pictures' pixels, clipped to the picture."""
    scale, left, top, height, width = placement
    boxes = (boxes_xyxy - jnp.stack([left, top, left, top])[None, None]) / jnp.tile(scale, 2)[None, None]
    return jnp.clip(boxes, 0, jnp.stack([width, height, width, height])[None, None])


def aspect(placement):
    """Height over width of the pictures as they lie in the input."""
    return placement.scale[1] * placement.height / (placement.scale[0] * placement.width)


def _placement(scales, margins, sides):
    return Placement(*(jnp.asarray(value, jnp.float32) for value in (jnp.stack(scales), *reversed(margins), *sides)))


def _sample(length, margin, fitted, side, corners=False):
    """Where the `length` pixels of one axis come from: first and second neighbour, the second's weight, whether inside.

    corners: corner pixels lie on corner pixels; else edges on edges.
    """
    at = jnp.arange(length) - margin
    if corners:
        source = at * ((side - 1) / jnp.maximum(fitted - 1, 1))
    else:
        source = (at + 0.5) * (side / fitted) - 0.5
    source = jnp.clip(source, 0, side - 1)
    low = jnp.floor(source)
    high = jnp.minimum(low + 1, side - 1)
    weight = (source - low).astype(jnp.float32)
    return low.astype(jnp.int32), high.astype(jnp.int32), weight, (at >= 0) & (at < fitted)


def _resample(pictures, samples):
    """Pictures (B, h, w, 3) bilinear at the samples of both axes, float32 (B, H, W, 3) in [0, 255], and which are inside."""
    images, inside = pictures.astype(jnp.float32), True
    for axis, (low, high, weight, within) in enumerate(samples, start=1):
        along = [-1 if i == axis else 1 for i in range(4)]
        low, high = (jnp.take(images, index, axis, mode="clip") for index in (low, high))
        images = low + (high - low) * weight.reshape(along)
        inside = inside & within.reshape(along)
    return images, inside


FITS = {"letterbox": letterbox, "darknet_letterbox": darknet_letterbox, "darknet_stretch": darknet_stretch}
"""By the values of config.data.fit."""
