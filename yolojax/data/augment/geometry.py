"""Augmentation that moves what is in an image: transposition, flips, crops, shift, zoom and stretch.

Each operation takes a random generator first, happens with a probability, and never writes into its input. What it returns may
share memory with its input (a crop is a view), so treat both as read-only.

Coordinates are continuous: pixel i covers [i, i + 1).
"""

import math

import numpy as np

from yolojax.boxes import pairwise_iou
from yolojax.data.augment.moves import cut, flip, shift, warp
from yolojax.data.augment.moves import transpose as exchange
from yolojax.data.example import Example, clipped, place_boxes

# How far an image without boxes may be cropped and shifted, as a fraction of its width and height.
FREE_CROP = 0.5
FREE_SHIFT = 0.25

# The minimal overlaps of the constrained crop (Liu et al. 2016, section 2.2); 0 means no constraint.
OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
CROP_ASPECT = 2.0
CROP_TRIES = 50


def flip_horizontal(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Mirror the image and its boxes left to right, with `probability`."""
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    return Example(flip(image, 1), mirrored, classes)


def flip_vertical(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Mirror the image and its boxes top to bottom, with `probability`."""
    if not probability or rng.random() >= probability:
        return example
    image, boxes, classes = example
    mirrored = boxes.copy()
    mirrored[:, [1, 3]] = image.shape[0] - boxes[:, [3, 1]]
    return Example(flip(image, 0), mirrored, classes)


def transpose(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Exchange the rows and columns of the image, and x and y of its boxes, with `probability`.

    This mirrors at the diagonal from the upper left corner; with both flips it makes all turns by 90 degrees. Boxes stay as
    tight as they are.
    """
    if not probability or rng.random() >= probability:
        return example
    image, boxes, classes = example
    return Example(exchange(image), boxes[:, [1, 0, 3, 2]], classes)


def crop(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Crop the image at whole pixels, each side uniform between the image's edge and the outermost box, with `probability`.

    An image without boxes keeps at least half of its width and height.
    """
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    (left, right), (top, bottom) = (
        _crop_interval(rng, length, boxes[:, axis], boxes[:, axis + 2])
        for axis, length in enumerate((image.shape[1], image.shape[0]))
    )
    return Example(cut(image, left, top, right, bottom), boxes - np.array([[left, top, left, top]], np.float32), classes)


def translate(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Shift the image by whole pixels, uniform over the shifts that keep every box inside, with `probability`.

    Uncovered parts are grey 128. An image without boxes moves by at most a quarter of its width and height.
    """
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    height, width = image.shape[:2]
    dx = _shift(rng, width, boxes[:, 0], boxes[:, 2])
    dy = _shift(rng, height, boxes[:, 1], boxes[:, 3])
    return Example(shift(image, dx, dy), boxes + np.array([[dx, dy, dx, dy]], np.float32), classes)


def iou_crop(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    smallest: float = 0.3,
    overlaps: tuple[float, ...] = OVERLAPS,
    min_visible: float = 0.3,
) -> Example:
    """Crop to a window that overlaps at least one box by a random minimal IoU; boxes with their centre inside are kept.

    Liu et al. 2016 (SSD, arXiv:1512.02325), section 2.2. Each side of the window is uniform between `smallest` and 1 of the
    image's, its width between 1/2 and 2 of its height, its place uniform, all in whole pixels. The first of 50 such windows
    that fits is taken; if none does, the image stays as it is. An image with boxes keeps at least one.

    Args:
        rng: the random generator.
        example: the image and its boxes.
        probability: the probability of a crop.
        smallest: the smallest side of the window, as a fraction of the image's.
        overlaps: the minimal IoUs to draw from; 0 means no constraint.
        min_visible: the share, 0..1, of its area that a kept box must have in the window, to which it is clipped.

    Returns:
        The cropped example.
    """
    if not probability or rng.random() >= probability:
        return example
    image, boxes, classes = example
    height, width = image.shape[:2]
    overlap = overlaps[rng.integers(len(overlaps))]
    sides = np.maximum(1, np.rint(rng.uniform(smallest, 1, (CROP_TRIES, 2)) * [[width, height]]))
    start = np.floor(rng.random((CROP_TRIES, 2)) * ([[width, height]] - sides + 1))
    windows = np.concatenate([start, start + sides], axis=1)
    windows = windows[np.abs(np.log(sides[:, 0] / sides[:, 1])) <= np.log(CROP_ASPECT)]
    inside = clipped(boxes.astype(np.float64), (0, 0, width, height))
    centres = (inside[:, :2] + inside[:, 2:]) / 2
    centred = np.all((centres >= windows[:, None, :2]) & (centres < windows[:, None, 2:]), axis=2)
    if not len(boxes):
        fits = np.ones(len(windows), bool)
    elif overlap > 0:
        fits = np.where(centred, pairwise_iou(windows, inside), -1).max(axis=1) >= overlap
    else:
        fits = centred.any(axis=1)
    for index in np.flatnonzero(fits):
        left, top, right, bottom = (int(side) for side in windows[index])
        part = Example(image, boxes[centred[index]], classes[centred[index]])
        kept = place_boxes(part, (1, 1), (-left, -top), (0, 0, right - left, bottom - top), min_visible)
        if len(kept[0]) or not len(boxes):
            return Example(cut(image, left, top, right, bottom), *kept)
    return example


def scale(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    smallest: float = 0.5,
    largest: float = 1.5,
    aspect: float = 1.3,
    min_visible: float = 0.3,
) -> Example:
    """Zoom and stretch the image about a random point of it; its size stays the same, and uncovered parts are grey 128.

    Args:
        rng: the random generator.
        example: the image and its boxes.
        probability: the probability of a zoom.
        smallest: the smallest factor of the zoom; the factor is log-uniform.
        largest: the largest factor of the zoom.
        aspect: the largest factor on width / height, >= 1; the factor is log-uniform from its inverse up.
        min_visible: the share, 0..1, of its area that a box must keep inside the image, to which it is clipped.

    Returns:
        The zoomed example.
    """
    if not probability or rng.random() >= probability:
        return example
    height, width = example.image.shape[:2]
    zoom = log_uniform(rng, smallest, largest)
    stretch = log_uniform(rng, 1 / aspect, aspect) ** 0.5
    factors = (zoom * stretch, zoom / stretch)
    # About the point (u w, v h), which stays where it is: x' = factor * (x - u w) + u w.
    offset_x, offset_y = (
        float(rng.random() * length * (1 - factor)) for factor, length in zip(factors, (width, height), strict=True)
    )
    offsets = (offset_x, offset_y)
    window = (0, 0, width, height)
    image = warp(example.image, (factors[0], 0, offset_x, 0, factors[1], offset_y), window)
    return Example(image, *place_boxes(example, factors, offsets, window, min_visible))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between two positive ones whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _crop_interval(rng: np.random.Generator, length: int, low: np.ndarray, high: np.ndarray) -> tuple[int, int]:
    """First and one-past-last pixel, along one axis, of a crop that keeps every box from low to high whole."""
    if len(low) == 0:
        kept = int(np.ceil(rng.uniform(FREE_CROP, 1) * length))
        start = int(rng.integers(length - kept + 1))
        return start, start + kept
    start = int(rng.uniform(0, _between(0, low.min(), length - 1)))
    return start, math.ceil(rng.uniform(_between(start + 1, high.max(), length), length))


def _shift(rng: np.random.Generator, length: int, low: np.ndarray, high: np.ndarray) -> int:
    """A shift along one axis, in whole pixels, that keeps every box from low to high inside."""
    if len(low) == 0:
        free = int(FREE_SHIFT * length)
        return int(rng.integers(-free, free + 1))
    # A box that overhangs the picture already is not pushed further out.
    return int(rng.integers(-int(_between(0, low.min(), length)), int(length - _between(0, high.max(), length)) + 1))


def _between(low: int, value: np.float32, high: int) -> np.float32 | int:
    """A number moved into a range; NumPy's clip takes ten times as long for one."""
    return min(max(value, low), high)
