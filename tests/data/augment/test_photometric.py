"""Colours, blur and noise: what they do to the values of a picture."""

import colorsys

import numpy as np
import pytest

from tests.helpers.example_pictures import noise_example
from yolojax.data.augment import Example, blur, hsv, noise


def hsv_of(image):
    return np.array([colorsys.rgb_to_hsv(*(pixel / 255.0)) for pixel in image.reshape(-1, 3)])


def test_hsv_moves_each_channel_by_one_amount_within_its_range():
    # Middling saturation and brightness, so that no factor of up to 1.5 saturates.
    rng = np.random.default_rng(0)
    wanted = np.stack([rng.random(40), rng.uniform(0.35, 0.6, 40), rng.uniform(0.5, 0.64, 40)], axis=-1)
    image = np.rint([[255 * np.array(colorsys.hsv_to_rgb(*pixel)) for pixel in wanted]]).astype(np.uint8)
    before = hsv_of(image)
    moves = []
    for seed in range(200):
        example = Example(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
        after = hsv_of(hsv(np.random.default_rng(seed), example, probability=1.0).image)
        turn = (after[:, 0] - before[:, 0] + 0.5) % 1 - 0.5
        saturation, value = after[:, 1] / before[:, 1], after[:, 2] / before[:, 2]
        assert np.ptp(turn) < 0.04
        assert np.ptp(saturation) < 0.15 and np.ptp(value) < 0.03
        moves.append((np.median(turn), np.log(np.median(saturation)), np.log(np.median(value))))
    moves = np.array(moves)
    limits = np.array([0.1, np.log(1.5), np.log(1.5)])
    assert (np.abs(moves) < limits + 0.02).all()
    assert (moves.min(0) < -0.85 * limits).all() and (moves.max(0) > 0.85 * limits).all()
    assert ((moves > 0).mean(0) > 0.4).all() and ((moves > 0).mean(0) < 0.6).all()


def test_hsv_without_strength_changes_almost_nothing():
    example = noise_example()
    same = hsv(np.random.default_rng(0), example, probability=1.0, hue=0.0, saturation=1.0, value=1.0)
    assert np.abs(same.image.astype(int) - example.image).max() <= 10
    assert np.abs(same.image.astype(int) - example.image).mean() < 1


def test_hsv_keeps_grey_grey_and_bright_from_wrapping():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    example = Example(levels, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    for seed in range(20):
        image = hsv(np.random.default_rng(seed), example, probability=1.0).image.astype(int)
        assert (image.max(-1) == image.min(-1)).all()
        assert (np.diff(image[0, :, 0]) >= 0).all()


def flat(level, height=60, width=80):
    return Example(np.full((height, width, 3), level, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))


def test_blur_is_a_gaussian_of_at_most_sigma():
    example = flat(0, 41, 41)
    example.image[20, 20] = 255
    example.image[20, 21] = 255
    deviations = []
    for seed in range(200):
        image = blur(np.random.default_rng(seed), example, probability=1.0, sigma=4.0).image
        rng = np.random.default_rng(seed)
        rng.random()
        deviation = rng.uniform(0, 4)
        deviations.append(deviation)
        steps = np.arange(41) - 20
        kernel = np.exp(-0.5 * (steps / deviation) ** 2)
        kernel[np.abs(steps) > np.ceil(3 * deviation)] = 0
        kernel /= kernel.sum()
        expected = 255 * kernel[:, None] * (kernel + np.roll(kernel, 1))
        assert np.abs(image - expected[..., None]).max() < 3  # OpenCV blurs bytes in fixed point
    assert min(deviations) < 0.1 and max(deviations) > 3.9


def test_blur_leaves_even_pictures_and_boxes_as_they_are():
    example = noise_example()._replace(image=flat(77).image)
    for seed in range(20):
        blurred = blur(np.random.default_rng(seed), example, probability=1.0, sigma=5.0)
        np.testing.assert_array_equal(blurred.image, example.image)
        assert blurred.boxes is example.boxes and blurred.classes is example.classes


def test_noise_is_normal_independent_and_as_strong_as_drawn():
    example = flat(128, 100, 120)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rng.random()
        deviation = rng.uniform(0, 20)
        result = noise(np.random.default_rng(seed), example, probability=1.0, deviation=20.0)
        errors = result.image.astype(float) - 128
        # Rounding to levels adds a variance of 1/12.
        np.testing.assert_allclose(errors.var(), deviation**2 + 1 / 12, rtol=0.05)
        assert abs(errors.mean()) < 0.02 * deviation + 0.02
        if deviation > 2:
            assert abs((errors**4).mean() / errors.var() ** 2 - 3) < 0.2
            assert np.abs(np.corrcoef(errors.reshape(-1, 3).T) - np.eye(3)).max() < 0.05
            assert abs(np.corrcoef(errors[:, 1:].ravel(), errors[:, :-1].ravel())[0, 1]) < 0.03
        assert result.boxes is example.boxes


def test_noise_differs_from_picture_to_picture_and_reaches_all_of_a_large_one():
    results = []
    for seed in range(4):
        result = (
            noise(np.random.default_rng(seed), flat(128, 90, 110), probability=1.0, deviation=20.0).image.astype(float) - 128
        )
        results.append(result.ravel() / result.std())
    assert np.abs(np.corrcoef(results) - np.eye(4)).max() < 0.03
    large = noise(np.random.default_rng(1), flat(128, 1300, 1200), probability=1.0, deviation=20.0).image.astype(float)
    for part in (large[:100], large[-100:]):
        np.testing.assert_allclose(part.std(), large.std(), rtol=0.02)


def test_noise_does_not_wrap():
    for level in (0, 255):
        image = noise(np.random.default_rng(1), flat(level), probability=1.0, deviation=100.0).image.astype(int)
        assert 0.4 < (image == level).mean() < 0.6
        assert np.median(np.abs(image - level)[image != level]) < 100


@pytest.mark.parametrize("function", [hsv, blur, noise])
def test_pictures_of_a_pixel(function):
    for height, width in ((1, 1), (1, 9), (40, 1)):
        for seed in range(10):
            image = function(np.random.default_rng(seed), flat(3, height, width), probability=1.0).image
            assert image.shape == (height, width, 3)
