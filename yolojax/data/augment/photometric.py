"""Augmentation that changes what an image looks like and leaves its boxes alone: colours, blur and noise.

Each operation takes a random generator first, happens with a probability, and never writes into its input.
"""

import functools
import statistics

import numpy as np

from yolojax.data.example import Example
from yolojax.runtime.opencv import cv2


def hsv(
    rng: np.random.Generator,
    example: Example,
    *,
    probability: float = 0.5,
    hue: float = 0.1,
    saturation: float = 1.5,
    value: float = 1.5,
) -> Example:
    """Turn the hue and scale saturation and brightness of the whole image, as Darknet does in training.

    Args:
        rng: the random generator.
        example: the image and its boxes.
        probability: the probability of a change.
        hue: the largest turn either way, as a fraction of the colour circle.
        saturation: the largest factor; the factor is uniform from 1 to it, and inverted half of the time.
        value: the largest factor on the brightness, drawn likewise.

    Returns:
        The example with new colours.
    """
    if rng.random() >= probability:
        return example
    turn = rng.uniform(-hue, hue)
    saturation_factor, value_factor = (
        rng.uniform(1, largest) ** (1 if rng.random() < 0.5 else -1) for largest in (saturation, value)
    )
    levels = cv2.cvtColor(example.image, cv2.COLOR_RGB2HSV_FULL)
    varied = cv2.transform(levels, np.diag([1.0, saturation_factor, value_factor]))
    # _FULL spreads the colour circle over all 256 levels, so a turn wraps round as the byte does. It is added to whole rows,
    # which is faster than to every third value.
    rows = varied.reshape(len(varied), -1)
    turned = np.zeros(rows.shape[1], np.uint8)
    turned[::3] = round(256 * turn) % 256
    rows += turned[None]
    return example._replace(image=cv2.cvtColor(varied, cv2.COLOR_HSV2RGB_FULL))


def blur(rng: np.random.Generator, example: Example, *, probability: float = 0.5, sigma: float = 1.5) -> Example:
    """Blur the image with a Gaussian whose standard deviation is uniform from 0 to `sigma` pixels, with `probability`."""
    if not probability or rng.random() >= probability:
        return example
    drawn = rng.uniform(0, sigma)
    side = 2 * int(np.ceil(3 * drawn)) + 1
    return example._replace(image=cv2.GaussianBlur(example.image, (side, side), drawn))


def noise(rng: np.random.Generator, example: Example, *, probability: float = 0.5, deviation: float = 10.0) -> Example:
    """Add Gaussian noise to every value, with `probability`.

    Its standard deviation is uniform from 0 to `deviation` levels of 255.
    """
    if not probability or rng.random() >= probability:
        return example
    drawn = rng.uniform(0, deviation)
    levels, shape = _normal_levels(), example.image.shape
    spare = len(levels) - example.image.size
    start = int(rng.integers(spare if spare > 0 else len(levels)))
    if spare > 0:
        some = levels[start : start + example.image.size].reshape(shape)
    else:
        some = np.resize(np.roll(levels, -start), shape)  # over and over
    factor = drawn / _LEVELS_A_DEVIATION
    return example._replace(image=cv2.addWeighted(example.image, 1, some, factor, -factor * _MIDDLE))


# Random numbers for every value of an image take fifty times as long as to add them: an image gets those of a random place in a
# list of many.
_NORMAL_LEVELS = 2**22
_MIDDLE, _LEVELS_A_DEVIATION = 128, 30


@functools.cache
def _normal_levels() -> np.ndarray:
    """Normal deviates, always the same, as bytes: 128 + 30 * deviate, cut at 4.25 deviations."""
    normal = statistics.NormalDist(_MIDDLE, _LEVELS_A_DEVIATION)
    quantiles = np.array([normal.inv_cdf((i + 0.5) / 2**16) for i in range(2**16)])
    table = np.clip(np.rint(quantiles), 0, 255).astype(np.uint8)
    return table[np.random.default_rng(0).integers(0, 2**16, _NORMAL_LEVELS, dtype=np.uint16)]
