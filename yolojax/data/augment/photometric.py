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
    # Sixteen random bits per value and a table take a quarter of the time of normal deviates. Levels are whole numbers, so
    # rounding the noise is the same as rounding the sum.
    levels = np.rint(drawn * _normal_quantiles()).astype(np.int16)
    bits = rng.integers(0, len(levels), example.image.shape, dtype=np.uint16)
    return example._replace(image=cv2.add(example.image, np.take(levels, bits), dtype=cv2.CV_8U))


@functools.cache
def _normal_quantiles() -> np.ndarray:
    """The standard normal distribution as 2^16 equally likely values."""
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / 2**16) for i in range(2**16)])
