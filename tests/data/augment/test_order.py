"""The order of the augmentation, against its parts one by one."""

import numpy as np
import pytest

from tests.helpers.augmentation import assert_same, everything, one_of
from tests.helpers.example_pictures import noise_example, smooth_example
from yolojax.data.augment import (
    AugmentConfig,
    Example,
    augment,
    blur,
    crop,
    flip_horizontal,
    flip_vertical,
    hsv,
    iou_crop,
    mixup,
    mosaic,
    noise,
    rotate_and_shear,
    scale,
    translate,
    transpose,
)
from yolojax.data.augment.order import build_more
from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


def test_the_default_draws_and_does_what_it_always_did():
    def never(rng):
        raise AssertionError("no other picture is needed")

    for seed in range(50):
        example = noise_example(seed)
        rngs = [np.random.default_rng(seed) for _ in range(3)]
        expected = flip_horizontal(rngs[0], example)
        expected = crop(rngs[0], expected)
        expected = translate(rngs[0], expected)
        expected = hsv(rngs[0], expected)
        assert_same(augment(rngs[1], example, AugmentConfig()), expected)
        assert_same(augment(rngs[2], example, AugmentConfig(), size=(64, 96), draw_other=never), expected)
        assert len({rng.random() for rng in rngs}) == 1


@pytest.mark.parametrize(("crops", "mixes"), [(1.0, 0.0), (0.0, 1.0)])
def test_all_of_it_in_order_and_with_its_strengths(crops, mixes):
    """With crops the two pictures of a mixup are of different sizes, and one is fitted: the rectangles below are for that."""
    config = everything(
        hue=0.2, saturation=2.0, value=1.7, iou_crop_smallest=0.5, scale_smallest=0.7, scale_largest=1.2, scale_aspect=1.1,
        blur_sigma=2.0, noise_deviation=3.0, mosaic_smallest=0.6, mosaic_largest=1.3, mixup_alpha=4.0, min_visible=0.5,
        rotation_degrees=20.0, shear_degrees=7.0,
        crop_probability=crops, iou_crop_probability=crops, mixup_probability=mixes, transpose_probability=0.0,
    )  # fmt: skip
    pictures = [smooth_example(seed, 120, 160) for seed in range(6)]
    draw_other = one_of(pictures)

    def moved(rng, example):
        rng.random()  # whether there is a mosaic
        others = [draw_other(rng) for _ in range(3)]
        example = mosaic(rng, example, others, size=(128, 192), smallest=0.6, largest=1.3, min_visible=0.5)
        example = flip_horizontal(rng, example, probability=1.0)
        example = flip_vertical(rng, example, probability=1.0)
        example = iou_crop(rng, example, probability=crops, smallest=0.5, min_visible=0.5)
        example = translate(rng, crop(rng, example, probability=crops), probability=1.0)
        example = scale(rng, example, probability=1.0, smallest=0.7, largest=1.2, aspect=1.1, min_visible=0.5)
        return rotate_and_shear(
            rng,
            example,
            rotation_probability=1.0,
            rotation_degrees=20.0,
            shear_probability=1.0,
            shear_degrees=7.0,
            min_visible=0.5,
        )

    for seed in range(20):
        rng = np.random.default_rng(seed)
        expected = moved(rng, pictures[0])
        if mixes:
            rng.random()
            expected = mixup(rng, expected, moved(rng, draw_other(rng)), alpha=4.0)
        expected = hsv(rng, expected, probability=1.0, hue=0.2, saturation=2.0, value=1.7)
        expected = blur(rng, expected, probability=1.0, sigma=2.0)
        expected = noise(rng, expected, probability=1.0, deviation=3.0)
        found = augment(np.random.default_rng(seed), pictures[0], config, size=(128, 192), draw_other=draw_other)
        assert_same(found[1:], expected[1:])
        assert_nearly(found.image, expected.image)


def test_pictures_are_transposed_as_they_are_read_before_all_else():
    pictures = [smooth_example(seed, 120, 160) for seed in range(6)]
    draw_other = one_of(pictures)

    def transposed(rng, example):
        rng.random()  # whether it is
        return transpose(np.random.default_rng(0), example, probability=1.0)

    for seed in range(10):
        rng = np.random.default_rng(seed)
        expected = augment(
            rng,
            transposed(rng, pictures[0]),
            everything(transpose_probability=0.0),
            size=(128, 192),
            draw_other=lambda rng: transposed(rng, draw_other(rng)),
        )
        found = augment(np.random.default_rng(seed), pictures[0], everything(), size=(128, 192), draw_other=draw_other)
        assert_same(found, expected)


def assert_nearly(image, expected):
    """Two resamplings of smooth pictures: the same but along the pictures' edges, at most a pixel off."""
    assert image.shape == expected.shape
    difference = np.abs(image.astype(int) - expected)
    smooth = cv2.morphologyEx(expected.max(-1), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) < 40
    assert smooth.mean() > 0.3
    assert difference[smooth].mean() < 2 and np.quantile(difference[smooth], 0.98) < 16


def test_without_other_pictures_nothing_is_mixed():
    config = everything(mixup_probability=0.0, mosaic_probability=0.0)
    example = noise_example()
    for seed in range(10):
        expected = augment(np.random.default_rng(seed), example, config)
        assert_same(augment(np.random.default_rng(seed), example, everything()), expected)


def test_the_other_picture_of_a_mixup_is_fitted_and_centred():
    sizes = {(30, 30): [20, 0, 60, 40], (10, 80): [0, 15, 80, 25], (41, 20): [40 - 400 / 41, 0, 40 + 400 / 41, 40]}
    config = AugmentConfig(0.0, 0.0, 0.0, 0.0, mixup_probability=1.0)
    example = noise_example(0, 40, 80)
    for (height, width), expected in sizes.items():
        other = Example(
            np.zeros((height, width, 3), np.uint8), np.array([[0, 0, width, height]], np.float32), np.zeros(1, np.int32)
        )
        image, boxes, _ = augment(np.random.default_rng(0), example, config, draw_other=lambda rng, other=other: other)
        assert image.shape == example.image.shape
        np.testing.assert_array_equal(boxes[:2], example.boxes)
        np.testing.assert_allclose(boxes[2], expected, rtol=1e-6)


@pytest.mark.parametrize("options", [{"tests.helpers.own_parts:dimm": {"least": 0.5}}, {"tests.helpers.own_parts:dim": 0.5}])
def test_options_for_a_function_that_is_not_there_are_refused(options):
    config = AugmentConfig(more=("tests.helpers.own_parts:dim",), options=options)
    with pytest.raises(
        InputError, match=r"^config\.data\.augment\.options: '.*' has keyword arguments for one of .*own_parts:dim, "
    ):
        build_more(config)
