"""The moves of an image: of an array pixel by pixel, and of a canvas that is drawn later the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.example_pictures import SEEDS, noise_example, smooth_example
from yolojax.data.augment import moves
from yolojax.data.augment.canvas import Canvas, canvas_of, drawn


def random_moves(rng, image, count):
    """The image after some flips, cuts and shifts by whole pixels."""
    for _ in range(count):
        height, width = image.shape[:2]
        match int(rng.integers(3)):
            case 0:
                image = moves.flip(image, int(rng.integers(2)))
            case 1:
                (left, right), (top, bottom) = (np.sort(rng.choice(n + 1, 2, replace=False)).tolist() for n in (width, height))
                image = moves.cut(image, left, top, right, bottom)
            case 2:
                image = moves.shift(
                    image, int(rng.integers(-width, width + 1)) // 2, int(rng.integers(-height, height + 1)) // 2
                )
    return image


@settings(deadline=None, max_examples=200)
@given(seed=SEEDS, count=st.integers(0, 5))
def test_moves_by_whole_pixels_are_the_same_to_the_bit(seed, count):
    image = noise_example(seed % 7, 24, 31).image
    expected = random_moves(np.random.default_rng(seed), image, count)
    canvas = random_moves(np.random.default_rng(seed), canvas_of(image), count)
    assert isinstance(canvas, Canvas) and canvas.shape == expected.shape
    np.testing.assert_array_equal(drawn(canvas), expected)


def test_arrays_literally():
    image = noise_example(0, 6, 9).image
    np.testing.assert_array_equal(moves.flip(image, 0), image[::-1])
    np.testing.assert_array_equal(moves.flip(image, 1), image[:, ::-1])
    np.testing.assert_array_equal(moves.cut(image, 2, 1, 5, 6), image[1:6, 2:5])
    shifted = moves.shift(image, -2, 3)
    np.testing.assert_array_equal(shifted[3:, :-2], image[:-3, 2:])
    assert (shifted[:3] == 128).all() and (shifted[:, -2:] == 128).all()
    np.testing.assert_array_equal(moves.warp(image, (1, 0, 0, 0, 1, 0), (2, 1, 5, 6)), image[1:6, 2:5])


def inner(image, expected):
    """The pixels of two images where the second is smooth: an edge may lie in the next pixel."""
    neighbours = [np.roll(expected.astype(int), shift, axis) for axis in (0, 1) for shift in (-1, 1)]
    smooth = np.max([np.abs(expected - other).max(-1) for other in neighbours], axis=0) < 20
    assert smooth.mean() > 0.3
    return np.abs(image.astype(int) - expected)[smooth]


@pytest.mark.parametrize("turn", [False, True])
def test_a_canvas_is_warped_and_put_together_as_arrays_are(turn):
    images = [smooth_example(seed, 70, 90).image for seed in range(4)]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = (int(v) for v in rng.integers(30, 60, 2))
        factors = (0.6, 0.9, 0.7, 1.1)
        corners = [(x - 90 * 0.6, y - 70 * 0.6), (x, y - 70 * 0.9), (x - 90 * 0.7, y), (x, y)]
        places = [(factor, 0, left, 0, factor, top) for factor, (left, top) in zip(factors, corners, strict=True)]
        windows = [(0, 0, x, y), (x, 0, 96, y), (0, y, x, 80), (x, y, 96, 80)]
        a, b = (0.98, 0.17) if turn else (1.2, 0.0)
        place = (a, -b, float(rng.uniform(-9, 9)), b, a, float(rng.uniform(-9, 9)))
        results = []
        for kind in (np.asarray, canvas_of):
            whole = moves.collage([kind(image) for image in images], places, windows, (80, 96))
            whole = moves.cut(moves.flip(whole, 1), 5, 3, 90, 77)
            other = moves.warp(kind(images[0]), (0.8, 0, 3.5, 0, 0.8, 4.25), (0, 0, 60, 50))
            results.append(moves.blend(moves.warp(whole, place, (0, 0, 85, 74)), other, 0.6))
        expected, found = results[0], drawn(results[1])
        assert found.shape == expected.shape
        difference = inner(found, expected)
        assert difference.mean() < 1.5 and np.quantile(difference, 0.98) < 16


def test_a_blend_of_different_sizes_lies_at_the_upper_left_corner():
    one, two = noise_example(0, 20, 40).image, noise_example(1, 30, 25).image
    expected = moves.blend(one, two, 0.25)
    assert expected.shape == (30, 40, 3)
    np.testing.assert_array_equal(drawn(moves.blend(canvas_of(one), canvas_of(two), 0.25)), expected)
