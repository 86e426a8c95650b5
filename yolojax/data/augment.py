"""Augmentation of one picture and its boxes: its configuration, and all of it in order.

Each function that is composed here takes a random generator first and is pure. What it returns may share memory with its input
(a crop is a view), so treat both as read-only.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from yolojax.data.example import Example, clip_boxes, place_boxes
from yolojax.data.geometry import crop, flip_horizontal, iou_crop, scale, translate, warp
from yolojax.data.images import letterbox_transform
from yolojax.data.mixing import mixup, mosaic
from yolojax.data.photometric import blur, hsv, noise

__all__ = [
    "AugmentConfig",
    "Example",
    "augment",
    "blur",
    "clip_boxes",
    "crop",
    "flip_horizontal",
    "hsv",
    "iou_crop",
    "mixup",
    "mosaic",
    "noise",
    "scale",
    "translate",
]


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
    iou_crop_probability: float = _field(0.0, "probability of a crop that a box overlaps by a random IoU (SSD), 0..1")
    iou_crop_smallest: float = _field(0.3, "the smallest side of that crop, as a part of the picture's; the largest is 1")
    scale_probability: float = _field(0.0, "probability that a picture is zoomed and stretched, its size kept, 0..1")
    scale_smallest: float = _field(0.5, "the smallest factor of the zoom, at most 1; log-uniform up to the largest")
    scale_largest: float = _field(1.5, "the largest factor of the zoom, at least 1")
    scale_aspect: float = _field(1.3, "the largest factor on width : height in a zoom, >= 1; its inverse is the smallest")
    blur_probability: float = _field(0.0, "probability that a picture is blurred by a Gaussian, 0..1")
    blur_sigma: float = _field(1.5, "the largest standard deviation of the blur, pixels of the picture; uniform from 0")
    noise_probability: float = _field(0.0, "probability that a picture gets Gaussian noise, 0..1")
    noise_deviation: float = _field(10.0, "the largest standard deviation of the noise, levels of 255; uniform from 0")
    mosaic_probability: float = _field(0.0, "probability that a picture is one of four on a canvas of the input's size, 0..1")
    mosaic_smallest: float = _field(0.5, "the smallest factor, at most 1, on the scale at which a picture fits the canvas")
    mosaic_largest: float = _field(1.5, "the largest factor, at least 1, on that scale; each picture has its own, log-uniform")
    mixup_probability: float = _field(0.0, "probability that a picture is blended with another, boxes of both kept, 0..1")
    mixup_alpha: float = _field(1.5, "the blend's ratio is drawn from Beta(alpha, alpha); the larger, the nearer to a half")
    mix_off_epochs: float = _field(15.0, "epochs at the end of the run without mosaic and mixup: pictures as they are")
    min_visible: float = _field(0.3, "share of a box's area that a scale, IoU crop or mosaic must leave, or it is dropped")


def augment(
    rng: np.random.Generator,
    example: Example,
    config: AugmentConfig,
    *,
    size: tuple[int, int] | None = None,
    draw_other: Callable[[np.random.Generator], Example] | None = None,
) -> Example:
    """Vary an example in all ways of `config`, each with its probability.

    In order: mosaic; flip, IoU crop, crop, translate, scale; mixup; colours, blur, noise. A mosaic comes first: it takes
    pictures as they are, and is moved as one. Mixup comes after what moves things, so that the other picture moves
    independently; it goes through the same up to there, and is fitted into this one's size. The looks come last: a camera's
    noise is not resampled, and does not end where two pictures meet. With probability 0 only flip, crop, translate and colours
    draw a random number.

    size: (height, width) of a mosaic, the network's input; None: that of the example's picture.
    draw_other: a function of rng to another Example, as it was read; None: no mosaic and no mixup.
    Returns: an example whose picture may have another size; its boxes are in the new picture's pixels.
    """
    moved = _move(rng, example, config, size, draw_other)
    if draw_other and _happens(rng, config.mixup_probability):
        other = _move(rng, draw_other(rng), config, size, draw_other)
        moved = mixup(rng, moved, _fit(other, moved.image.shape[:2]), alpha=config.mixup_alpha)
    coloured = hsv(
        rng,
        moved,
        probability=config.hsv_probability,
        hue=config.hue,
        saturation=config.saturation,
        value=config.value,
    )
    blurred = blur(rng, coloured, probability=config.blur_probability, sigma=config.blur_sigma)
    return noise(rng, blurred, probability=config.noise_probability, deviation=config.noise_deviation)


def _move(rng, example, config, size, draw_other):
    """The part of `augment` that changes where things are: mosaic, flip, crops, translate and scale."""
    if draw_other and _happens(rng, config.mosaic_probability):
        example = mosaic(
            rng,
            example,
            [draw_other(rng) for _ in range(3)],
            size=size or example.image.shape[:2],
            smallest=config.mosaic_smallest,
            largest=config.mosaic_largest,
            min_visible=config.min_visible,
        )
    example = flip_horizontal(rng, example, probability=config.flip_probability)
    example = iou_crop(
        rng,
        example,
        probability=config.iou_crop_probability,
        smallest=config.iou_crop_smallest,
        min_visible=config.min_visible,
    )
    example = crop(rng, example, probability=config.crop_probability)
    example = translate(rng, example, probability=config.translate_probability)
    return scale(
        rng,
        example,
        probability=config.scale_probability,
        smallest=config.scale_smallest,
        largest=config.scale_largest,
        aspect=config.scale_aspect,
        min_visible=config.min_visible,
    )


def _fit(example, size):
    """The example as large as fits a picture of `size` (height, width), centred to the sub-pixel, which a Letterbox is not."""
    height, width = example.image.shape[:2]
    if (height, width) == size:
        return example
    factor = letterbox_transform((height, width), size).scale
    offsets = ((size[1] - factor * width) / 2, (size[0] - factor * height) / 2)
    window = (0, 0, size[1], size[0])
    placed = place_boxes(example, (factor, factor), offsets, window, min_visible=0)
    return Example(warp(example.image, (factor, factor), offsets, window), *placed)


def _happens(rng, probability):
    return probability > 0 and rng.random() < probability
