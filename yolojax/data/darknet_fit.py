"""The ways to fit a picture into the network's input: the letterbox of `images`, and Darknet's ways, to the pixel.

Darknet's resizing is not OpenCV's: w pixels become W by sampling at i * (w - 1) / (W - 1), so that the first and last pixels
stay at the ends. OpenCV aligns the edges of the picture, which at 56 pixels shifts the content by up to half a pixel, enough to
change what is detected.
"""

from collections.abc import Callable

import numpy as np

from yolojax.data import images
from yolojax.data.images import ImageTransform


def stretch(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Resize a picture to the input's size, whatever its proportions, as AlexeyAB's Darknet does by default.

    Args:
        image: (h, w, 3) uint8.
        size: (H, W) of the input in pixels.

    Returns:
        (H, W, 3) float32 in [0, 1], and how the picture lies in it.
    """
    height, width = image.shape[:2]
    return resize(image, size) / np.float32(255), ImageTransform((size[1] / width, size[0] / height), 0, 0)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Resize a picture to fit the input with its proportions kept, centred on grey 0.5, as Darknet does.

    If a margin is odd, Darknet draws the picture at the whole pixel before the half, but maps boxes by the half; so does this.

    Args:
        image: (h, w, 3) uint8.
        size: (H, W) of the input in pixels.

    Returns:
        (H, W, 3) float32 in [0, 1], and how the picture lies in it by Darknet's reckoning.
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
    """Resize bilinearly with corner pixels on corner pixels.

    Args:
        image: (h, w, 3) uint8.
        size: (H, W) in pixels.

    Returns:
        (H, W, 3) float32 in [0, 255].
    """
    for axis, length in enumerate(size):
        image = _resize_axis(image, axis, length)
    return image


def _resize_axis(image: np.ndarray, axis: int, length: int) -> np.ndarray:
    before = image.shape[axis]
    places = np.linspace(0, before - 1, length) if length > 1 else np.zeros(1)
    low = np.minimum(places.astype(int), max(before - 2, 0))
    part = np.expand_dims((places - low).astype(np.float32), tuple(i for i in range(3) if i != axis))
    return (1 - part) * image.take(low, axis) + part * image.take(np.minimum(low + 1, before - 1), axis)


Fit = Callable[[np.ndarray, tuple[int, int]], tuple[np.ndarray, ImageTransform]]

FITS: dict[str, Fit] = {"letterbox": images.letterbox, "darknet_letterbox": letterbox, "darknet_stretch": stretch}
"""The ways to fit a picture, by name: functions of a picture (h, w, 3) uint8 and the input's size (H, W) in pixels that return
the input and how the picture lies in it. `images.letterbox` gives uint8, Darknet's ways give float32 in [0, 1]."""


def multi_label(fit: str) -> bool:
    """Whether networks of this fit report a slot for every class above the threshold, as Darknet does, not the best alone."""
    return fit != "letterbox"
