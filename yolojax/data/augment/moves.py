"""What the geometric augmentations do to an image: to an array at once, to a `Canvas` when it is drawn.

Every function takes either kind as `image` and returns the same kind. The result may share memory with the image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from yolojax.data.augment.canvas import GREY_OUTSIDE, Affine, Canvas, canvas_with, warp_matrix
from yolojax.data.images import GREY
from yolojax.data.stored import StoredJpeg
from yolojax.runtime.opencv import cv2


def flip(image: Any, axis: int) -> Any:
    """Mirror top to bottom (axis 0) or left to right (axis 1)."""
    if not isinstance(image, Canvas):
        return cv2.flip(image, axis)
    height, width = image.shape[:2]
    place: Affine = (-1, 0, width, 0, 1, 0) if axis else (1, 0, 0, 0, -1, height)
    return image.moved(place, (0, 0, width, height), image.shape)


def transpose(image: np.ndarray | StoredJpeg) -> Any:
    """Exchange rows and columns, of a picture as it was read: a canvas takes no turns before its cuts."""
    return image.transpose() if isinstance(image, StoredJpeg) else cv2.transpose(image)


def cut(image: Any, left: int, top: int, right: int, bottom: int) -> Any:
    """Cut out a window, in whole pixels."""
    if not isinstance(image, Canvas):
        return image[top:bottom, left:right]
    width, height = right - left, bottom - top
    return image.moved((1, 0, -left, 0, 1, -top), (0, 0, width, height), (height, width, 3))


def shift(image: Any, dx: int, dy: int) -> Any:
    """Shift by whole pixels; uncovered parts are grey 128."""
    height, width = image.shape[:2]
    if isinstance(image, Canvas):
        return image.moved((1, 0, dx, 0, 1, dy), (0, 0, width, height), image.shape)
    shifted = np.full_like(image, GREY)
    shifted[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = image[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return shifted


def warp(image: Any, place: Affine, window: tuple[int, int, int, int]) -> Any:
    """Map an image and cut out a window, on grey 128; bilinear, exact to the sub-pixel.

    Args:
        image: (h, w, 3) uint8, or a canvas.
        place: x' = a x + b y + c, y' = d x + e y + f, in pixels.
        window: xyxy in whole pixels after the mapping.

    Returns:
        The window, (H, W, 3).
    """
    left, top, right, bottom = window
    height, width = bottom - top, right - left
    if isinstance(image, Canvas):
        a, b, c, d, e, f = place
        return image.moved((a, b, c - left, d, e, f - top), (0, 0, width, height), (height, width, 3))
    return cv2.warpAffine(image, warp_matrix(place, (left, top)), (width, height), **GREY_OUTSIDE)


def collage(
    images: Sequence[Any], places: Sequence[Affine], windows: Sequence[tuple[int, int, int, int]], size: tuple[int, int]
) -> Any:
    """Put images on a grey canvas, each mapped, and seen in a window of its own.

    Args:
        images: at least one, all of one kind.
        places: from pixels of each image to pixels of the canvas.
        windows: xyxy in whole pixels of the canvas.
        size: (height, width) of the canvas in pixels.
    """
    if isinstance(images[0], Canvas):
        shape = (*size, 3)
        moved = [image.moved(place, window, shape) for image, place, window in zip(images, places, windows, strict=True)]
        return canvas_with(moved, shape)
    canvas = np.full((*size, 3), GREY, np.uint8)
    for image, place, window in zip(images, places, windows, strict=True):
        left, top, right, bottom = window
        if left < right and top < bottom:
            canvas[top:bottom, left:right] = warp(image, place, window)
    return canvas


def blend(one: Any, two: Any, ratio: float) -> Any:
    """ratio * one + (1 - ratio) * two, both at the upper left corner of a grey canvas of the larger height and width."""
    shape = tuple(np.maximum(one.shape, two.shape).tolist())
    if isinstance(one, Canvas):
        return one._replace(shape=shape, blended=(two._replace(shape=shape), ratio))
    return cv2.addWeighted(_extended(one, shape), ratio, _extended(two, shape), 1 - ratio, 0)


def _extended(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if image.shape == shape:
        return image
    canvas = np.full(shape, GREY, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas
