"""Augmentation of one picture and its boxes: pure functions of a random generator and an `Example`.

Each takes the generator first, applies itself with a probability, and never writes into what it was given. What it
returns may share memory with its input (a crop is a view), so treat both as read-only.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from yolojax.data.images import GREY, cv2

# How far a picture without boxes may be cropped and shifted, as a part of its width and height.
FREE_CROP = 0.5
FREE_SHIFT = 0.25


class Example(NamedTuple):
    """A picture and what is in it: image (H, W, 3) uint8 RGB; boxes (n, 4) float32 xyxy, pixels; classes (n,) int32."""

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


def _field(default, doc):
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclasses.dataclass(slots=True)
class AugmentConfig:
    """How much training pictures are varied."""

    flip_probability: float = _field(0.5, "probability that a picture is mirrored left to right, 0..1")
    crop_probability: float = _field(0.5, "probability that a picture is cropped, every box kept whole, 0..1")
    translate_probability: float = _field(0.5, "probability that a picture is shifted, every box kept whole, 0..1")
    hsv_probability: float = _field(0.5, "probability that a picture's colours are varied, 0..1")
    hue: float = _field(0.1, "the largest turn of the hue either way, as a part of the colour circle")
    saturation: float = _field(1.5, "the largest factor on the saturation, >= 1; its inverse is the smallest")
    value: float = _field(1.5, "the largest factor on the brightness, >= 1; its inverse is the smallest")


def augment(rng: np.random.Generator, example: Example, config: AugmentConfig) -> Example:
    """Flip, crop, translate and vary the colours of an example, each with its probability of `config`, in that order.

    Returns: an example whose picture may have another size; boxes stay whole, in the new picture's pixels.
    """
    example = flip_horizontal(rng, example, probability=config.flip_probability)
    example = crop(rng, example, probability=config.crop_probability)
    example = translate(rng, example, probability=config.translate_probability)
    return hsv(
        rng,
        example,
        probability=config.hsv_probability,
        hue=config.hue,
        saturation=config.saturation,
        value=config.value,
    )


def flip_horizontal(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Mirror the picture and its boxes left to right."""
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    mirrored = boxes.copy()
    mirrored[:, [0, 2]] = image.shape[1] - boxes[:, [2, 0]]
    return Example(cv2.flip(image, 1), mirrored, classes)


def crop(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Cut the picture at whole pixels, each side uniform between the picture's edge and the outermost box.

    A picture without boxes keeps at least half of its width and height.
    """
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    (left, right), (top, bottom) = (
        _crop_interval(rng, length, boxes[:, axis], boxes[:, axis + 2])
        for axis, length in enumerate((image.shape[1], image.shape[0]))
    )
    return Example(image[top:bottom, left:right], boxes - np.array([[left, top, left, top]], np.float32), classes)


def translate(rng: np.random.Generator, example: Example, *, probability: float = 0.5) -> Example:
    """Shift the picture by whole pixels, uniform over the shifts that keep every box inside; the rest is grey 128.

    A picture without boxes moves by at most a quarter of its width and height.
    """
    if rng.random() >= probability:
        return example
    image, boxes, classes = example
    height, width = image.shape[:2]
    dx = _shift(rng, width, boxes[:, 0], boxes[:, 2])
    dy = _shift(rng, height, boxes[:, 1], boxes[:, 3])
    shifted = np.full_like(image, GREY)
    shifted[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = image[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    return Example(shifted, boxes + np.array([[dx, dy, dx, dy]], np.float32), classes)


def hsv(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    hue: float = 0.1,
    saturation: float = 1.5,
    value: float = 1.5,
) -> Example:
    """Turn the hue and scale saturation and brightness, over the whole picture, as Darknet does in training.

    hue: the largest turn either way, as a part of the colour circle.
    saturation, value: the largest factor; a factor is uniform from 1 to it, and inverted half of the time.
    """
    if rng.random() >= probability:
        return example
    turn = rng.uniform(-hue, hue)
    saturation_factor, value_factor = (
        rng.uniform(1, largest) ** (1 if rng.random() < 0.5 else -1) for largest in (saturation, value)
    )
    levels = np.arange(256)
    # _FULL spreads the colour circle over all 256 levels, so a turn wraps round as the byte does.
    table = np.stack(
        [
            np.rint(levels + 256 * turn) % 256,
            np.rint(np.minimum(levels * saturation_factor, 255)),
            np.rint(np.minimum(levels * value_factor, 255)),
        ],
        axis=-1,
    ).astype(np.uint8)
    varied = cv2.LUT(cv2.cvtColor(example.image, cv2.COLOR_RGB2HSV_FULL), table[:, None])
    return example._replace(image=cv2.cvtColor(varied, cv2.COLOR_HSV2RGB_FULL))


def clip_boxes(
    boxes: np.ndarray, classes: np.ndarray, height: int, width: int, minimum_size: float = 1.0
) -> tuple[np.ndarray, np.ndarray, int]:
    """Clip boxes to the picture and drop those under `minimum_size` pixels wide or high.

    boxes: (n, 4) float32 xyxy, pixels; classes: (n,) int32; height, width: of the picture, pixels.
    Returns: boxes (k, 4), classes (k,), and how many were dropped, n - k.
    """
    clipped = np.clip(boxes, 0, np.array([[width, height, width, height]], np.float32))
    keep = np.all(clipped[:, 2:] - clipped[:, :2] >= minimum_size, axis=1)
    return clipped[keep], classes[keep], len(boxes) - int(np.count_nonzero(keep))


def _crop_interval(rng, length, low, high):
    """First and one-past-last pixel, along one axis, of a crop that keeps every box from low to high whole."""
    if len(low) == 0:
        kept = int(np.ceil(rng.uniform(FREE_CROP, 1) * length))
        start = int(rng.integers(length - kept + 1))
        return start, start + kept
    start = int(rng.uniform(0, np.clip(low.min(), 0, length - 1)))
    return start, int(np.ceil(rng.uniform(np.clip(high.max(), start + 1, length), length)))


def _shift(rng, length, low, high):
    """A shift along one axis, in whole pixels, that keeps every box from low to high inside."""
    if len(low) == 0:
        free = int(FREE_SHIFT * length)
        return int(rng.integers(-free, free + 1))
    # A box that overhangs the picture already is not pushed further out.
    return int(rng.integers(-int(np.clip(low.min(), 0, length)), int(length - np.clip(high.max(), 0, length)) + 1))
