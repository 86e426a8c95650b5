"""The ways to fit an image into the network's input, as JAX programs, for images of any size, even a symbolic one."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.data.images import GREY


class Placement(NamedTuple):
    """How images lie in the network's input: x' = scale[0] * x + left, y' = scale[1] * y + top.

    Attributes:
        scale: (2,) float32, of x and of y.
        left: scalar float32, in pixels of the input.
        top: scalar float32, in pixels of the input.
        height: scalar float32, of the image in its own pixels.
        width: scalar float32, of the image in its own pixels.
    """

    scale: jax.Array
    left: jax.Array
    top: jax.Array
    height: jax.Array
    width: jax.Array


def letterbox(images: jax.Array | np.ndarray, size: tuple[int, int]) -> tuple[jax.Array, Placement]:
    """The letterbox of `yolojax.data.images`: proportions kept, on grey 128, bilinear like OpenCV's.

    OpenCV's weights are multiples of 1/2048, so results differ by up to 1 of 255. An image of the right size stays as it is.

    Args:
        images: (B, h, w, 3) uint8.
        size: (H, W) of the network's input in pixels.

    Returns:
        (B, H, W, 3) uint8, and the Placement.
    """
    # Always in float64: the size of the fitted image is a truncated product, and must be the same as on the host.
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in images.shape[1:3]]
        scale = jnp.minimum(size[0] / sides[0], size[1] / sides[1])
        fitted = [jnp.maximum(1, jnp.floor(scale * side)) for side in sides]
        margins = [jnp.floor((whole - new) / 2) for whole, new in zip(size, fitted, strict=True)]
        samples = [_sample(*axis) for axis in zip(size, margins, fitted, sides, strict=True)]
        placement = _placement([scale, scale], margins, sides)
    resampled, inside = _resample(images, samples)
    return jnp.where(inside, jnp.round(resampled), float(GREY)).astype(jnp.uint8), placement


def darknet_letterbox(images: jax.Array | np.ndarray, size: tuple[int, int]) -> tuple[jax.Array, Placement]:
    """The letterbox of `yolojax.data.darknet_fit`; as `letterbox`, except that it returns float32 images in [0, 1]."""
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in images.shape[1:3]]
        whole = [jnp.asarray(side, jnp.float64) for side in size]
        # The side that does not fill the input is an integer quotient, as in C.
        others = [jnp.maximum(1, jnp.floor(sides[i] * whole[1 - i] / sides[1 - i])) for i in (0, 1)]
        wide = whole[1] / sides[1] < whole[0] / sides[0]
        fitted = [jnp.where(wide, others[0], whole[0]), jnp.where(wide, whole[1], others[1])]
        halves = [(side - new) / 2 for side, new in zip(whole, fitted, strict=True)]
        return _as_darknet(images, size, sides, fitted, halves)


def darknet_stretch(images: jax.Array | np.ndarray, size: tuple[int, int]) -> tuple[jax.Array, Placement]:
    """The stretching of `yolojax.data.darknet_fit`; as `darknet_letterbox`."""
    with jax.enable_x64(True):
        sides = [jnp.asarray(side, jnp.float64) for side in images.shape[1:3]]
        fitted = [jnp.asarray(side, jnp.float64) for side in size]
        return _as_darknet(images, size, sides, fitted, [jnp.zeros_like(side) for side in sides])


def _as_darknet(images, size, sides, fitted, halves):
    axes = zip(size, map(jnp.floor, halves), fitted, sides, strict=True)
    samples = [_sample(*axis, corners=True) for axis in axes]
    scales = [new / side for new, side in zip(fitted, sides, strict=True)]
    placement = _placement(scales[::-1], halves, sides)
    resampled, inside = _resample(images, samples)
    return jnp.where(inside, resampled / jnp.float32(255), jnp.float32(0.5)), placement


def unfit(boxes_xyxy: jax.Array | np.ndarray, placement: Placement) -> jax.Array:
    """Maps boxes (B, K, 4) xyxy from pixels of the input to pixels of the images, clipped to the image."""
    scale, left, top, height, width = placement
    boxes = (boxes_xyxy - jnp.stack([left, top, left, top])[None, None]) / jnp.tile(scale, 2)[None, None]
    return jnp.clip(boxes, 0, jnp.stack([width, height, width, height])[None, None])


def aspect(placement: Placement) -> jax.Array:
    """Height over width, a scalar, of the images as they lie in the input."""
    return placement.scale[1] * placement.height / (placement.scale[0] * placement.width)


def _placement(scales, margins, sides):
    return Placement(*(jnp.asarray(value, jnp.float32) for value in (jnp.stack(scales), *reversed(margins), *sides)))


def _sample(length, margin, fitted, side, corners=False):
    """Where the pixels of one axis come from.

    Args:
        length: the length of the axis in the network's input.
        margin: where the fitted image begins on it.
        fitted: length of the fitted image.
        side: length of the image.
        corners: whether the centres of corner pixels are aligned, rather than the edges of images.

    Returns:
        Index of the first neighbour, index of the second, weight of the second, whether the pixel is inside; all (length,).
    """
    offset = jnp.arange(length) - margin
    if corners:
        source = offset * ((side - 1) / jnp.maximum(fitted - 1, 1))
    else:
        source = (offset + 0.5) * (side / fitted) - 0.5
    source = jnp.clip(source, 0, side - 1)
    low = jnp.floor(source)
    high = jnp.minimum(low + 1, side - 1)
    weight = (source - low).astype(jnp.float32)
    return low.astype(jnp.int32), high.astype(jnp.int32), weight, (offset >= 0) & (offset < fitted)


def _resample(images, samples):
    """Interpolates images (B, h, w, 3) at the samples of both axes: float32 (B, H, W, 3) in [0, 255], and which are inside."""
    resampled, inside = images.astype(jnp.float32), True
    for axis, (low, high, weight, within) in enumerate(samples, start=1):
        along = [-1 if i == axis else 1 for i in range(4)]
        low, high = (jnp.take(resampled, index, axis, mode="clip") for index in (low, high))
        resampled = low + (high - low) * weight.reshape(along)
        inside = inside & within.reshape(along)
    return resampled, inside


FITS = {"letterbox": letterbox, "darknet_letterbox": darknet_letterbox, "darknet_stretch": darknet_stretch}
"""By value of config.data.fit."""
