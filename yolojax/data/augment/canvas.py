"""A picture that is not drawn yet: where each part of it comes from, so that all geometry together is one resampling.

Moves of a `Canvas` change numbers; `drawn` then decodes each JPEG at the size that is needed and warps it once, straight into
its place. Coordinates are continuous: pixel i covers [i, i + 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolojax.data.images import GREY
from yolojax.data.stored import REDUCTIONS, StoredJpeg
from yolojax.runtime.opencv import cv2

Affine = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) of x' = a x + b y + c, y' = d x + e y + f. In Python's numbers: NumPy takes ten times as long."""
Window = tuple[float, float, float, float]
"""x1, y1, x2, y2."""

_FRACTION_BITS = 8  # of the corners of a mask
GREY_OUTSIDE: Any = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_CONSTANT, "borderValue": (GREY, GREY, GREY)}
"""How `cv2.warpAffine` samples here."""
_SAME: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class Layer(NamedTuple):
    """A picture in its place on the sheet of a canvas.

    Attributes:
        picture: (h, w, 3) uint8 RGB, or a JPEG that is not decoded yet.
        place: from pixels of the picture to those of the sheet, without a turn.
        seen: the part of the picture that is seen, in its pixels.
    """

    picture: np.ndarray | StoredJpeg
    place: Affine
    seen: Window


class Canvas(NamedTuple):
    """What a picture is made of: a sheet with pictures on it, which is moved and cut.

    Attributes:
        shape: (h, w, 3), like an array's.
        layers: the pictures on the sheet, later ones on top.
        place: from pixels of the sheet to those of the canvas.
        seen: the part of the sheet that is seen, in its pixels; all else is grey 128.
        window: the part of the canvas in which it is seen; needed for a turned sheet, whose cut edges are not its own.
        blended: another canvas of this shape, and the ratio of this one in the blend of both.
    """

    shape: tuple[int, int, int]
    layers: tuple[Layer, ...]
    place: Affine
    seen: Window
    window: Window
    blended: tuple[Canvas, float] | None = None

    def moved(self, place: Affine, window: Window, shape: tuple[int, int, int]) -> Canvas:
        """This canvas mapped by `place`, cut to a window, on a new canvas.

        Args:
            place: from pixels of this canvas to those of the new one.
            window: what stays visible, in pixels of the new canvas.
            shape: (h, w, 3) of the new canvas.

        Raises:
            ValueError: a turn or a shear of what has been turned and cut before, which is not an upright rectangle any more.
        """
        combined, seen, seen_in = _composed(place, self.place), self.seen, window
        if not _turns(combined):
            # Cut on the sheet: so a later turn takes the cut with it.
            seen = _common(seen, _back(combined, window))
        elif not _turns(place):
            seen_in = _common(_upright(place, self.window), window)
        elif _turns(self.place):
            raise ValueError("a canvas that was turned or sheared cannot be turned or sheared again")
        layers = () if _empty(seen) or _empty(seen_in) else self.layers
        other = self.blended
        return Canvas(shape, layers, combined, seen, seen_in, other and (other[0].moved(place, window, shape), other[1]))

    def flat(self) -> list[Layer]:
        """Its pictures, placed on the canvas itself; those of which nothing is seen are left out."""
        layers = []
        for picture, place, seen in self.layers:
            seen = _common(seen, _back(place, self.seen))
            if not _empty(seen):
                layers.append(Layer(picture, _composed(self.place, place), seen))
        return layers


def canvas_of(image: np.ndarray | StoredJpeg | Canvas) -> Canvas:
    """A canvas that is one picture as it is; a canvas stays itself."""
    if isinstance(image, Canvas):
        return image
    height, width = image.shape[:2]
    whole = (0.0, 0.0, float(width), float(height))
    return Canvas((height, width, 3), (Layer(image, _SAME, whole),), _SAME, whole, whole)


def canvas_with(canvases: Sequence[Canvas], shape: tuple[int, int, int]) -> Canvas:
    """A grey canvas of a shape (h, w, 3) with others on it, none of them turned or blended, as they have been moved onto it."""
    whole = (0.0, 0.0, float(shape[1]), float(shape[0]))
    return Canvas(shape, tuple(layer for canvas in canvases for layer in canvas.flat()), _SAME, whole, whole)


def drawn(canvas: Canvas, size: tuple[int, int] | None = None) -> np.ndarray:
    """Draw a canvas, as large as it is or resized.

    What is only mirrored, cut and shifted by whole pixels is then resized bilinearly, as `images.letterbox` does, to the bit.
    Everything else is resampled once, bilinearly, from its picture. A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where what
    is left of it has at least as many pixels as it takes in the result (twice as many, a side, where it is only mirrored, cut
    and shifted); never where the picture is as it was read.

    Args:
        canvas: what to draw.
        size: (height, width) in pixels; None: the canvas's own.

    Returns:
        (height, width, 3) uint8; it may share memory with a picture.

    Raises:
        UnreadablePicture: a picture cannot be decoded.
    """
    height, width = size or canvas.shape[:2]
    by_whole_pixels = len(canvas.layers) == 1 and _by_whole_pixels(canvas.flat())
    image = _whole_pixels(canvas, (height, width)) if by_whole_pixels else None
    if image is None:
        image = np.full((height, width, 3), GREY, np.uint8)
        to_size: Affine = (width / canvas.shape[1], 0.0, 0.0, 0.0, height / canvas.shape[0], 0.0)
        scaled = canvas.moved(to_size, (0.0, 0.0, width, height), (height, width, 3))
        for layer in scaled.flat():
            _paint(image, layer, scaled.window, 2 if by_whole_pixels else 1)
    if canvas.blended:
        other, ratio = canvas.blended
        image = cv2.addWeighted(image, ratio, drawn(other, (height, width)), 1 - ratio, 0)
    return image


def _whole_pixels(canvas: Canvas, size: tuple[int, int]) -> np.ndarray | None:
    """A canvas of one picture that is moved by whole pixels, resized; None where the picture is better decoded smaller."""
    ((picture, (a, _, c, _, e, f), seen),) = canvas.flat()
    height, width = canvas.shape[:2]
    untouched = seen == (0, 0, width, height) == (0, 0, *picture.shape[1::-1]) and (a, c, e, f) == (1, 0, 1, 0)
    if not untouched and _reduction(picture, 2 * max(size[0] / height, size[1] / width)) > 1:
        return None
    image = _read(picture, 1)
    x1, y1, x2, y2 = map(int, seen)
    if not untouched:
        image = image[y1:y2, x1:x2]
    if a < 0 or e < 0:
        image = cv2.flip(image, 1 if e > 0 else 0 if a > 0 else -1)
    if image.shape[:2] != (height, width):
        whole = np.full((height, width, 3), GREY, np.uint8)
        left, top = int(min(a * x1, a * x2) + c), int(min(e * y1, e * y2) + f)
        whole[top : top + image.shape[0], left : left + image.shape[1]] = image
        image = whole
    return image if size == (height, width) else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


def _by_whole_pixels(layers: list[Layer]) -> bool:
    """Whether there are any, and they are mirrored, cut and shifted by whole pixels."""
    if not layers:
        return False
    a, b, c, d, e, f = layers[0].place
    return not b and not d and abs(a) == 1 and abs(e) == 1 and not any(value % 1 for value in (c, f, *layers[0].seen))


def _paint(image: np.ndarray, layer: Layer, window: Window, spare: int) -> None:
    """Draw a layer on an image, in the pixels whose centres it covers, from `spare` or more of its own a side for each."""
    picture, place, (x1, y1, x2, y2) = layer
    corners = [_mapped(place, x, y) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
    xs, ys = zip(*corners, strict=True)
    left, right = _pixels(max(min(xs), window[0]), min(max(xs), window[2]), image.shape[1])
    top, bottom = _pixels(max(min(ys), window[1]), min(max(ys), window[3]), image.shape[0])
    if left >= right or top >= bottom:
        return
    into = image[top:bottom, left:right]
    reduction = _reduction(picture, spare * _largest_factor(place))
    pixels, matrix = _read(picture, reduction), warp_matrix(place, (left, top), reduction)
    size = (right - left, bottom - top)
    if _turns(place):
        warped = cv2.warpAffine(pixels, matrix, size, **GREY_OUTSIDE)
        mask = np.zeros(into.shape[:2], np.uint8)
        # OpenCV counts from the centre of the first pixel.
        outline = (np.array(corners) - [[left + 0.5, top + 0.5]]) * 2**_FRACTION_BITS
        cv2.fillConvexPoly(mask, np.rint(outline).astype(np.int32), (255,), cv2.LINE_8, _FRACTION_BITS)
        cv2.copyTo(warped, mask, into)
    else:
        cv2.warpAffine(pixels, matrix, size, dst=into, **GREY_OUTSIDE)


def warp_matrix(place: Affine, start: tuple[int, int], reduction: int = 1) -> np.ndarray:
    """The matrix (2, 3) by which OpenCV warps, which counts from the centre of the first pixel, at 0.5 here.

    Args:
        place: from pixels of the picture to those of the result.
        start: x, y of the first pixel of the result that is drawn.
        reduction: how many pixels of the picture, a side, one of the reduced picture is.
    """
    a, b, c, d, e, f = place
    a, b, d, e = a * reduction, b * reduction, d * reduction, e * reduction
    return np.array([[a, b, (a + b - 1) * 0.5 + c - start[0]], [d, e, (d + e - 1) * 0.5 + f - start[1]]])


def _turns(place: Affine) -> bool:
    """Whether a map turns or shears."""
    return place[1] != 0 or place[3] != 0


def _composed(second: Affine, first: Affine) -> Affine:
    a, b, c, d, e, f = second
    p, q, r, s, t, u = first
    return a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f


def _mapped(place: Affine, x: float, y: float) -> tuple[float, float]:
    a, b, c, d, e, f = place
    return a * x + b * y + c, d * x + e * y + f


def _upright(place: Affine, window: Window) -> Window:
    """A window mapped without a turn."""
    a, _, c, _, e, f = place
    x1, y1, x2, y2 = a * window[0] + c, e * window[1] + f, a * window[2] + c, e * window[3] + f
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _back(place: Affine, window: Window) -> Window:
    """The window that is mapped, without a turn, onto another."""
    a, _, c, _, e, f = place
    return _upright((1 / a, 0.0, -c / a, 0.0, 1 / e, -f / e), window)


def _common(one: Window, two: Window) -> Window:
    return max(one[0], two[0]), max(one[1], two[1]), min(one[2], two[2]), min(one[3], two[3])


def _empty(window: Window) -> bool:
    return window[0] >= window[2] or window[1] >= window[3]


def _pixels(low: float, high: float, length: int) -> tuple[int, int]:
    """The first pixel, and the one after the last, whose centres are between two places."""
    return max(0, math.ceil(low - 0.5)), min(length, math.ceil(high - 0.5))


def _largest_factor(place: Affine) -> float:
    """How much a map enlarges in the direction in which it does most: the spectral norm of its linear part."""
    a, b, _, d, e, _ = place
    squares = a * a + b * b + d * d + e * e
    return math.sqrt((squares + math.sqrt(max(0.0, squares**2 - 4 * (a * e - b * d) ** 2))) / 2)


def _reduction(picture: np.ndarray | StoredJpeg, factor: float) -> int:
    """The largest reduction of a picture after which a map that enlarges it by `factor` still does not enlarge it."""
    if isinstance(picture, np.ndarray) or not picture.reducible:
        return 1
    return next((reduction for reduction in REDUCTIONS if factor * reduction <= 1), 1)


def _read(picture: np.ndarray | StoredJpeg, reduction: int) -> np.ndarray:
    return picture if isinstance(picture, np.ndarray) else picture.read(reduction)
