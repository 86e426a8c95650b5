"""The ways to fit a picture into the network's input: the letterbox of `images`, and Darknet's ways, to the pixel.

Darknet's resizing is not OpenCV's: w pixels become W by sampling at i * (w - 1) / (W - 1), so that the first and last pixels
stay at the ends. OpenCV aligns the edges of the picture, which at 56 pixels shifts the content by up to half a pixel, enough to
change what is detected.
"""

from collections.abc import Callable

import numpy as np

from yolojax.data import images
from yolojax.data.images import ImageTransform

_ROWS = 32


def stretch(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ImageTransform]:
    """Resize a picture to the input's size, whatever its proportions, as AlexeyAB's Darknet does by default.

    Args:
        image: (h, w, 3) uint8.
        size: (H, W) of the input in pixels.

    Returns:
        (H, W, 3) float32 in [0, 1], and how the picture lies in it.
    """
    height, width = image.shape[:2]
    fitted = resize(image, size)
    fitted /= np.float32(255)
    return fitted, ImageTransform((size[1] / width, size[0] / height), 0, 0)


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
    inside = canvas[top : top + new_height, left : left + new_width]
    np.divide(resize(image, (new_height, new_width)), np.float32(255), out=inside)
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
    (height, width), (new_height, new_width) = image.shape[:2], size
    above, below, down = _neighbours(height, new_height)
    left, right, across = _neighbours(width, new_width)
    # Along a row the three channels are columns of their own.
    left, right = ((3 * place[:, None] + np.arange(3)).ravel() for place in (left, right))
    down, across = down[:, None], np.repeat(across, 3)
    image, resized = image.reshape(height, -1), np.empty((new_height, 3 * new_width), np.float32)
    # A few rows at a time, in the same memory: they stay in the processor's cache.
    upper, lower = np.empty((2, min(_ROWS, new_height), 3 * width), np.float32)
    other = np.empty((min(_ROWS, new_height), 3 * new_width), np.float32)
    for first in range(0, new_height, _ROWS):
        rows = slice(first, first + _ROWS)
        out = resized[rows]
        a, b, c = upper[: len(out)], lower[: len(out)], other[: len(out)]
        a[:], b[:] = image[above[rows]], image[below[rows]]
        _blend(a, b, down[rows])
        # Every index is in range; "raise" would take through a buffer.
        a.take(left, 1, out, "clip")
        a.take(right, 1, c, "clip")
        _blend(out, c, across)
    return resized.reshape(new_height, new_width, 3)


def _neighbours(before: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `length` pixels the two of `before` pixels between which it lies, and the share of the second."""
    places = np.linspace(0, before - 1, length) if length > 1 else np.zeros(1)
    low = np.minimum(places.astype(int), max(before - 2, 0))
    return low, np.minimum(low + 1, before - 1), (places - low).astype(np.float32)


def _blend(a: np.ndarray, b: np.ndarray, part: np.ndarray) -> None:
    """Makes of a, in place, (1 - part) * a + part * b; b is lost."""
    a *= 1 - part
    b *= part
    a += b


Fit = Callable[[np.ndarray, tuple[int, int]], tuple[np.ndarray, ImageTransform]]

FITS: dict[str, Fit] = {"letterbox": images.letterbox, "darknet_letterbox": letterbox, "darknet_stretch": stretch}
"""The ways to fit a picture, by name: functions of a picture (h, w, 3) uint8 and the input's size (H, W) in pixels that return
the input and how the picture lies in it. `images.letterbox` gives uint8, Darknet's ways give float32 in [0, 1]."""


def multi_label(fit: str) -> bool:
    """Whether networks of this fit report a slot for every class above the threshold, as Darknet does, not the best alone."""
    return fit != "letterbox"
