"""The configuration of the augmentation."""

import numpy as np

from tests.helpers.example_pictures import noise_example
from yolojax.data.augment import (
    AugmentConfig,
    augment,
    crop,
    flip_horizontal,
    hsv,
    translate,
)


def test_config_switches_each_part_and_sets_its_strength():
    example = noise_example()
    off = dict.fromkeys(("flip_probability", "crop_probability", "translate_probability", "hsv_probability"), 0.0)
    alone = {"flip": flip_horizontal, "crop": crop, "translate": translate, "hsv": hsv}
    for name, function in alone.items():
        got = augment(_Always(), example, AugmentConfig(**{**off, f"{name}_probability": 0.5}))
        expected = function(_Always(), example, probability=0.5)
        np.testing.assert_array_equal(got.image, expected.image)
        np.testing.assert_array_equal(got.boxes, expected.boxes)
    strengths = {"hue": 0.3, "saturation": 3.0, "value": 2.0}
    got = augment(_Always(), example, AugmentConfig(**off | {"hsv_probability": 0.5}, **strengths))
    expected = hsv(_Always(), example, probability=0.5, **strengths)
    np.testing.assert_array_equal(got.image, expected.image)
    assert (got.image != hsv(_Always(), example, probability=0.5).image).any()


class _Always:
    """A generator whose every draw is near the middle of its range, a little above its start."""

    def random(self):
        return 0.4

    def uniform(self, low, high):
        return low + 0.4 * (high - low)

    def integers(self, low, high):
        return low + int(0.4 * (high - low))
