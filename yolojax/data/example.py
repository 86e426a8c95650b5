"""An example, which is an image with its boxes and classes, and the clipping of boxes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolojax.errors import InputError

# Where a row of `place_all_boxes` has what belongs to x1, y1, x2 and y2.
_SIZES, _FACTORS, _OFFSETS, _LOW, _HIGH = ([a, b, a, b] for a, b in ((1, 0), (2, 3), (4, 5), (6, 7), (8, 9)))


class Example(NamedTuple):
    """An image and what is in it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) float32 xyxy in pixels of the image.
        classes: (n,) int32.
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


def checked_example(value: Any, where: str) -> Example:
    """Take what a function of the user's own returns as an example.

    Args:
        value: (image, boxes, classes).
        where: the function, for the message.

    Returns:
        The example, with boxes of float32 and classes of int32.

    Raises:
        InputError: something else than an `Example`.
    """
    try:
        image, boxes, classes = value
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        classes = np.asarray(classes).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} must return an Example (image, boxes (n, 4), classes (n,)): {error}") from error
    problem = None
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        found = f"{image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        problem = f"an image that is an RGB array (H, W, 3) of uint8, in NumPy, not {found}"
    elif len(boxes) != len(classes):
        problem = f"as many classes as boxes, not {len(classes)} and {len(boxes)}"
    elif not np.isfinite(boxes).all():
        problem = "boxes that are finite"
    elif (len(classes) and (classes.astype(np.int32) != classes).any()) or (classes < 0).any():
        problem = f"classes that are whole numbers from 0, not {classes[:5].tolist()}"
    if problem:
        raise InputError(f"{where} must return {problem}")
    return Example(image, boxes, classes.astype(np.int32))


def clip_boxes(
    boxes: np.ndarray, classes: np.ndarray, height: int, width: int, minimum_size: float = 1.0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Clip boxes to the image and drop those that become too narrow or too low.

    Args:
        boxes: (n, 4) float32 xyxy in pixels.
        classes: (n,) int32.
        height: height of the image in pixels.
        width: width of the image in pixels.
        minimum_size: the least width and height, in pixels, of a box that is kept.

    Returns:
        Boxes (k, 4), classes (k,), and how many were dropped, n - k.
    """
    inside = clipped(boxes, (0, 0, width, height))
    keep = (inside[:, 2] - inside[:, 0] >= minimum_size) & (inside[:, 3] - inside[:, 1] >= minimum_size)
    return inside[keep], classes[keep], len(boxes) - int(np.count_nonzero(keep))


def clipped(boxes: np.ndarray, window: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes (n, 4) xyxy clipped to a window, x1, y1, x2, y2."""
    # NumPy's clip takes three times as long for so few numbers.
    limits = np.array([(*window[:2], *window[:2]), (*window[2:], *window[2:])], boxes.dtype)
    inside = np.maximum(boxes, limits[:1])
    return np.minimum(inside, limits[1:], out=inside)


def place_boxes(
    example: Example,
    factors: tuple[float, float],
    offsets: tuple[float, float],
    window: tuple[float, float, float, float],
    min_visible: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Move the boxes of an image that is scaled about its origin, then shifted, and then seen through a window.

    Args:
        example: the image and its boxes.
        factors: (x, y) of the scaling.
        offsets: (x, y) of the shift in pixels: x' = factor * x + offset.
        window: xyxy in pixels after the shift.
        min_visible: the share, 0..1, of a box's area in the image that must lie in the window for the box to be kept; boxes
            that are not visible at all never are.

    Returns:
        Boxes (k, 4) float32, clipped to the window, in the shifted coordinates, and classes (k,).
    """
    return place_all_boxes([example], [(*factors, *offsets)], [window], min_visible)


def place_all_boxes(
    examples: Sequence[Example],
    places: Sequence[tuple[float, float, float, float]],
    windows: Sequence[tuple[float, float, float, float]],
    min_visible: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Move the boxes of several images as `place_boxes` does, each with its own factors and offsets, seen in its own window.

    Args:
        examples: the images and their boxes.
        places: (x factor, y factor, x offset, y offset) of each.
        windows: xyxy of each.
        min_visible: as for `place_boxes`.

    Returns:
        Boxes (k, 4) float32 and classes (k,), in order.
    """
    rows = [
        (height, width, fx, fy, dx, dy, *window)
        for (height, width, _), (fx, fy, dx, dy), window in zip(
            (example.image.shape for example in examples), places, windows, strict=True
        )
    ]
    one = len(examples) == 1
    boxes = examples[0].boxes if one else np.concatenate([example.boxes for example in examples])
    classes = examples[0].classes if one else np.concatenate([example.classes for example in examples])
    numbers = np.array(rows, np.float64)
    if not one:
        numbers = np.repeat(numbers, [len(example.boxes) for example in examples], axis=0)
    # In float64, and clipped to the image first: what a box claims outside it could never be seen.
    whole = np.minimum(np.maximum(boxes, 0.0, dtype=np.float64), numbers[:, _SIZES])
    whole *= numbers[:, _FACTORS]
    whole += numbers[:, _OFFSETS]
    visible = np.minimum(np.maximum(whole, numbers[:, _LOW]), numbers[:, _HIGH])
    sides, visible_sides = whole[:, 2:] - whole[:, :2], visible[:, 2:] - visible[:, :2]
    visible_area = visible_sides[:, 0] * visible_sides[:, 1]
    keep = (visible_area > 0) & (visible_area >= min_visible * (sides[:, 0] * sides[:, 1]))
    return visible[keep].astype(np.float32), classes[keep]
