"""The ways to fit a picture into the network's input: that of `images`, and Darknet's, to the pixel.

Darknet's resizing is not OpenCV's: a picture of w pixels becomes one of W by reading it at i * (w - 1) / (W - 1), first pixel
on first, last on last. OpenCV puts edges on edges, which at 56 pixels moves what is seen by up to half a pixel, enough to find
other things.
"""

import numpy as np

from yolojax.data import images
from yolojax.data.images import ImageTransform


def stretch(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Resizes a picture to an input of `size` (H, W), whatever its proportions, as AlexeyAB's Darknet by default.

    image: (h, w, 3) uint8. Returns: (H, W, 3) float32 in [0, 1], and how the picture lies in it.
    """
    height, width = image.shape[:2]
    return resize(image, size) / np.float32(255), ImageTransform((size[1] / width, size[0] / height), 0, 0)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Resizes a picture to fit into an input of `size` (H, W) with its proportions kept, centred on grey 0.5.

    Where a margin is odd Darknet draws the picture at the whole pixel before, and takes the boxes from the half: so does this.

    image: (h, w, 3) uint8. Returns: (H, W, 3) float32 in [0, 1], and how Darknet takes the picture to lie in it.
    """
    height, width = image.shape[:2]
    if size[1] / width < size[0] / height:
        new_height, new_width = max(1, height * size[1] // width), size[1]
    else:
        new_height, new_width = size[0], max(1, width * size[0] // height)
    canvas = np.full((*size, 3), 0.5, np.float32)
    top, left = (size[0] - new_height) // 2, (size[1] - new_width) // 2
    canvas[top : top + new_height, left : left + new_width] = resize(image, (new_height, new_width)) / np.float32(255)
    scale = new_width / width, new_height / height
    return canvas, ImageTransform(scale, (size[1] - new_width) / 2, (size[0] - new_height) / 2)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resizing with corner pixels on corner pixels; (h, w, 3) uint8 -> (H, W, 3) float32 in [0, 255]."""
    for axis, length in enumerate(size):
        image = _resize_axis(image, axis, length)
    return image


def _resize_axis(image, axis, length):
    before = image.shape[axis]
    places = np.linspace(0, before - 1, length) if length > 1 else np.zeros(1)
    low = np.minimum(places.astype(int), max(before - 2, 0))
    part = np.expand_dims((places - low).astype(np.float32), tuple(i for i in range(3) if i != axis))
    return (1 - part) * image.take(low, axis) + part * image.take(np.minimum(low + 1, before - 1), axis)


FITS = {"letterbox": images.letterbox, "darknet_letterbox": letterbox, "darknet_stretch": stretch}
"""By the values of config.data.fit, functions of a picture and the size of the input."""


def multi_label(fit: str) -> bool:
    """Whether networks of this fit find a slot as every class over the threshold, as Darknet does, not as the best alone."""
    return fit != "letterbox"
