"""The letterbox as a JAX program, against the host's."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data import darknet_fit
from yolojax.data import images as host
from yolojax.export.letterbox import FITS, letterbox, unfit

program = jax.jit(letterbox, static_argnums=1)
placement_of = jax.jit(lambda pictures, size: letterbox(pictures, size)[1], static_argnums=1)


def assert_same_placement(placement, expected):
    assert (int(placement.left), int(placement.top)) == (expected.left, expected.top)
    np.testing.assert_array_equal(placement.scale, np.float32([expected.scale] * 2))


@settings(deadline=None, max_examples=15)
@given(
    size=st.tuples(st.sampled_from([32, 96]), st.sampled_from([32, 64])),
    sides=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    seed=st.integers(0, 99),
)
def test_pictures_are_fitted_as_on_the_host(size, sides, seed):
    pictures = np.random.default_rng(seed).integers(0, 256, (2, *sides, 3), np.uint8)
    fitted, placement = program(pictures, size)
    assert fitted.dtype == np.uint8
    for image, picture in zip(np.asarray(fitted), pictures, strict=True):
        expected, transform = host.letterbox(picture, size)
        # OpenCV's weights are rounded to 1/2048.
        assert np.abs(image.astype(int) - expected).max() <= 1
        assert_same_placement(placement, transform)


def test_a_picture_of_the_right_size_stays_as_it_is():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    np.testing.assert_array_equal(program(pictures, (64, 96))[0], pictures)


TRUNCATED = [side for side in range(100, 2000) if int(416 / side * side) == 415]


@pytest.mark.parametrize("side", TRUNCATED[:: len(TRUNCATED) // 6])
def test_sizes_whose_quotient_is_rounded_down_are_placed_as_on_the_host(side):
    # For these widths 416 / w * w is 415.99... in float64, and the host's image is one pixel narrower than the input.
    size = (416, 416)
    assert_same_placement(placement_of(np.zeros((1, 10, side, 3), np.uint8), size), host.letterbox_transform((10, side), size))
    wide = np.full((1, 10, side, 3), 255, np.uint8)
    np.testing.assert_array_equal(np.asarray(program(wide, size)[0][0]) == 128, host.letterbox(wide[0], size)[0] == 128)


def test_boxes_go_back_and_are_clipped():
    sides, size = (75, 200), (64, 96)
    transform = host.letterbox_transform(sides, size)
    placement = placement_of(np.zeros((1, *sides, 3), np.uint8), size)
    boxes = np.float32([[[3, 20, 50, 40.5], [-5, -5, 200, 200], [0, 0, 9, 9]]])
    expected = host.unletterbox_boxes(boxes, transform)
    expected = np.clip(expected, 0, [[[200, 75, 200, 75]]])
    np.testing.assert_allclose(unfit(boxes, placement), expected, rtol=1e-5, atol=1e-4)
    assert expected[0, 2, 3] == 0  # a box entirely in the margin


@settings(deadline=None, max_examples=15)
@given(
    fit=st.sampled_from(["darknet_letterbox", "darknet_stretch"]),
    size=st.tuples(st.sampled_from([32, 56]), st.sampled_from([56, 64])),
    sides=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    seed=st.integers(0, 99),
)
def test_pictures_are_fitted_as_darknet_does(fit, size, sides, seed):
    pictures = np.random.default_rng(seed).integers(0, 256, (2, *sides, 3), np.uint8)
    fitted, placement = jax.jit(FITS[fit], static_argnums=1)(pictures, size)
    assert fitted.dtype == np.float32
    for image, picture in zip(fitted, pictures, strict=True):
        expected, transform = darknet_fit.FITS[fit](picture, size)
        np.testing.assert_allclose(image, expected, atol=1e-6)
        np.testing.assert_array_equal(placement.scale, np.float32(transform.scale))
        assert (float(placement.left), float(placement.top)) == (transform.left, transform.top)
    boxes = np.float32([[[3, 20, 50, 40.5], [-5, -5, 200, 200]]])
    wanted = np.clip(host.unletterbox_boxes(boxes, transform), 0, [[[sides[1], sides[0]] * 2]])
    np.testing.assert_allclose(unfit(boxes, placement), wanted, rtol=1e-4, atol=1e-3)
