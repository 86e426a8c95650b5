"""How Darknet fits pictures, against a loop over pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.darknet_fit import letterbox, resize, stretch
from yolojax.data.images import letterbox_boxes, unletterbox_boxes


def slow_resize(image, height, width):
    out = np.zeros((height, width, 3))
    for row in range(height):
        for column in range(width):
            y = row * (image.shape[0] - 1) / (height - 1) if height > 1 else 0
            x = column * (image.shape[1] - 1) / (width - 1) if width > 1 else 0
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(y - (int(y) + dy))) * (1 - abs(x - (int(x) + dx)))
                    if weight > 0:
                        out[row, column] += weight * image[int(y) + dy, int(x) + dx]
    return out


sides = st.integers(1, 12)


@settings(deadline=None, max_examples=40)
@given(sides, sides, sides, sides, st.integers(0, 99))
def test_resizing_puts_corners_on_corners(height, width, new_height, new_width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    found = resize(image, (new_height, new_width))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, slow_resize(image, new_height, new_width), atol=1e-2)


@pytest.mark.parametrize(("height", "width"), [(424, 640), (640, 424), (56, 56), (1, 300), (300, 1)])
def test_letterbox(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    fitted, transform = letterbox(image, (56, 84))
    new = (56, width * 56 // height) if 84 / width >= 56 / height else (height * 84 // width, 84)
    new = np.maximum(new, 1)
    top, left = (56 - new[0]) // 2, (84 - new[1]) // 2
    assert fitted.shape == (56, 84, 3) and fitted.dtype == np.float32
    inside = fitted[top : top + new[0], left : left + new[1]]
    np.testing.assert_allclose(inside, resize(image, tuple(new)) / 255, rtol=1e-6)
    outside = np.ones((56, 84), bool)
    outside[top : top + new[0], left : left + new[1]] = False
    assert np.all(fitted[outside] == 0.5)
    # Darknet takes boxes from the half pixel where the margin is odd.
    margin = [(84 - new[1]) / 2, (56 - new[0]) / 2]
    np.testing.assert_allclose(
        letterbox_boxes([[0, 0, width, height]], transform), [[*margin, margin[0] + new[1], margin[1] + new[0]]], rtol=1e-6
    )


def test_stretch_and_its_inverse():
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    fitted, transform = stretch(image, (56, 84))
    np.testing.assert_allclose(fitted, resize(image, (56, 84)) / 255, rtol=1e-6)
    np.testing.assert_allclose(letterbox_boxes([[0, 0, 50, 30]], transform), [[0, 0, 84, 56]], rtol=1e-6)
    boxes = np.array([[3, 4, 20, 25]], np.float32)
    np.testing.assert_allclose(unletterbox_boxes(letterbox_boxes(boxes, transform), transform), boxes, rtol=1e-5)
