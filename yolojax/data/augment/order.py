"""All augmentation of one image and its boxes, in order."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from yolojax.data.augment.affine import rotate_and_shear
from yolojax.data.augment.canvas import canvas_of, drawn
from yolojax.data.augment.config import AugmentConfig
from yolojax.data.augment.geometry import crop, flip_horizontal, flip_vertical, iou_crop, scale, translate, transpose
from yolojax.data.augment.mixing import mixup, mosaic
from yolojax.data.augment.moves import warp
from yolojax.data.augment.photometric import blur, hsv, noise
from yolojax.data.example import Example, checked_example, place_boxes
from yolojax.data.images import centred, fitted_size, fitting_scale
from yolojax.errors import InputError
from yolojax.parts import NO_PARTS, Parts, options_of
from yolojax.references import is_part


def augment(
    rng: np.random.Generator,
    example: Example,
    config: AugmentConfig,
    *,
    size: tuple[int, int] | None = None,
    draw_other: Callable[[np.random.Generator], Example] | None = None,
    parts: Parts = NO_PARTS,
) -> Example:
    """Vary an example in all the ways of `config`, each with its probability.

    In order: transposition; mosaic; flips, IoU crop, crop, translate, scale, rotation and shear; mixup; colours, blur, noise;
    the functions of `config.more`. A mosaic comes early: it takes images as they are, each transposed or not, and is moved as
    one. Mixup comes after the geometry, so that the two images move independently; the other one goes through the same
    geometry, and is fitted into this one's size. The photometric changes come late: a camera's noise is not resampled, and does
    not end where two images meet. With probability 0 only horizontal flip, crop, translate and colours draw a random number.

    The geometry of an image is put together before it is drawn, so that it is resampled once (`canvas.drawn`). The functions of
    this package, one after the other, find the same boxes, and resample each time.

    Args:
        rng: the random generator.
        example: the image and its boxes; the image may be a `StoredJpeg`.
        config: probabilities and strengths.
        size: (height, width) of a mosaic in pixels, the network's input; None: the size of the example's image.
        draw_other: draws another example, as it was read; None: no mosaic and no mixup.
        parts: parts that a program gives as objects.

    Returns:
        An example whose image may have another size; its boxes are in the new image's pixels.

    Raises:
        InputError: a function of the user's own that cannot be found or called, or returns something else.
    """
    moved = _moved_and_mixed(rng, example, config, size, draw_other)
    varied = _coloured(rng, moved._replace(image=drawn(canvas_of(moved.image))), config)
    for name, function in build_more(config, parts):
        varied = checked_example(function(rng, varied), f"config.data.augment.more: {name}")
    return varied


def augment_into(
    rng: np.random.Generator,
    example: Example,
    config: AugmentConfig,
    size: tuple[int, int],
    draw_other: Callable[[np.random.Generator], Example] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Vary an example like `augment`, and draw it letterboxed at once: geometry and letterbox are one resampling.

    Colours, blur and noise come after it, on as many pixels as the network sees. The blur is made as much smaller as the image
    is. So is the noise what the letterbox would leave of it: bilinear resampling averages neighbours with weights a and 1 - a
    along each axis, a uniform, which leaves a deviation of 2/3.

    Args:
        rng: the random generator.
        example: the image and its boxes; the image may be a `StoredJpeg`.
        config: probabilities and strengths; `more` is not used.
        size: (H, W) of the network's input in pixels.
        draw_other: as for `augment`.

    Returns:
        The input, (H, W, 3) uint8; the boxes (n, 4) and classes (n,) that `augment` returns, in pixels of the image that it
        returns; and the (height, width) of that image, which says how it lies in the input (`images.letterbox_transform`).
    """
    moved = _moved_and_mixed(rng, example, config, size, draw_other)
    canvas = canvas_of(moved.image)
    whole = canvas.shape[:2]
    fitted = fitted_size(whole, size)
    image = drawn(canvas, fitted)
    noise_left = 1 if fitted == whole else 2 / 3
    image = _coloured(rng, moved._replace(image=image), config, fitting_scale(whole, size), noise_left).image
    return centred(image, size), moved.boxes, moved.classes, whole


def build_more(
    config: AugmentConfig, parts: Parts = NO_PARTS
) -> list[tuple[str, Callable[[np.random.Generator, Example], Example]]]:
    """The user's own functions of a configuration with their names, in order.

    Args:
        config: names and options.
        parts: parts that a program gives as objects.

    Raises:
        InputError: a function that cannot be found or called, or options for one that is not there.
    """
    for name, value in config.options.items():
        if is_part(name) and (name not in config.more or not isinstance(value, Mapping)):
            raise InputError(
                f"config.data.augment.options: {name!r} has keyword arguments for one of config.data.augment.more, which are "
                f"{', '.join(config.more)}, not {value!r}"
            )
    return [(name, parts.build("augment", name, options_of(config.options, name), "rng", "example")) for name in config.more]


def _moved_and_mixed(
    rng: np.random.Generator,
    example: Example,
    config: AugmentConfig,
    size: tuple[int, int] | None,
    draw_other: Callable[[np.random.Generator], Example] | None,
) -> Example:
    """The example on a canvas that is not drawn yet, after all that changes where things are and what they are mixed with."""
    moved = _move(rng, example, config, size, draw_other)
    if draw_other and _happens(rng, config.mixup_probability):
        other = _move(rng, draw_other(rng), config, size, draw_other)
        moved = mixup(rng, moved, _fit(other, moved.image.shape[:2]), alpha=config.mixup_alpha)
    return moved


def _coloured(
    rng: np.random.Generator, example: Example, config: AugmentConfig, scale: float = 1, noise_left: float = 1
) -> Example:
    """The part of `augment` that changes what an image looks like: colours, blur and noise."""
    coloured = hsv(
        rng,
        example,
        probability=config.hsv_probability,
        hue=config.hue,
        saturation=config.saturation,
        value=config.value,
    )
    blurred = blur(rng, coloured, probability=config.blur_probability, sigma=config.blur_sigma * scale)
    return noise(rng, blurred, probability=config.noise_probability, deviation=config.noise_deviation * noise_left)


def _transposed(rng: np.random.Generator, example: Example, config: AugmentConfig) -> Example:
    """The example, transposed or not, on a canvas that is not drawn yet."""
    example = transpose(rng, example, probability=config.transpose_probability)
    # Only in this module: whoever gets an Example from here gets an array.
    return example._replace(image=cast(Any, canvas_of(example.image)))


def _move(
    rng: np.random.Generator,
    example: Example,
    config: AugmentConfig,
    size: tuple[int, int] | None,
    draw_other: Callable[[np.random.Generator], Example] | None,
) -> Example:
    """The part of `augment` that changes where things are, up to the shear."""
    example = _transposed(rng, example, config)
    if draw_other and _happens(rng, config.mosaic_probability):
        example = mosaic(
            rng,
            example,
            [_transposed(rng, draw_other(rng), config) for _ in range(3)],
            size=size or example.image.shape[:2],
            smallest=config.mosaic_smallest,
            largest=config.mosaic_largest,
            min_visible=config.min_visible,
        )
    example = flip_horizontal(rng, example, probability=config.flip_probability)
    example = flip_vertical(rng, example, probability=config.vertical_flip_probability)
    example = iou_crop(
        rng,
        example,
        probability=config.iou_crop_probability,
        smallest=config.iou_crop_smallest,
        min_visible=config.min_visible,
    )
    example = crop(rng, example, probability=config.crop_probability)
    example = translate(rng, example, probability=config.translate_probability)
    example = scale(
        rng,
        example,
        probability=config.scale_probability,
        smallest=config.scale_smallest,
        largest=config.scale_largest,
        aspect=config.scale_aspect,
        min_visible=config.min_visible,
    )
    return rotate_and_shear(
        rng,
        example,
        rotation_probability=config.rotation_probability,
        rotation_degrees=config.rotation_degrees,
        shear_probability=config.shear_probability,
        shear_degrees=config.shear_degrees,
        min_visible=config.min_visible,
    )


def _fit(example: Example, size: tuple[int, int]) -> Example:
    """The example as large as fits an image of `size` (height, width), centred to the sub-pixel (`letterbox` rounds)."""
    height, width = example.image.shape[:2]
    if (height, width) == size:
        return example
    factor = fitting_scale((height, width), size)
    offsets = ((size[1] - factor * width) / 2, (size[0] - factor * height) / 2)
    window = (0, 0, size[1], size[0])
    placed = place_boxes(example, (factor, factor), offsets, window, min_visible=0)
    return Example(warp(example.image, (factor, 0, offsets[0], 0, factor, offsets[1]), window), *placed)


def _happens(rng: np.random.Generator, probability: float) -> bool:
    return probability > 0 and rng.random() < probability
