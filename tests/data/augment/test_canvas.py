"""Canvases: how a picture is drawn once, straight into its place, and a JPEG decoded at the size that is needed."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.example_pictures import SEEDS, coordinates, noise_example, smooth_example
from yolojax.data.augment import moves
from yolojax.data.augment.canvas import canvas_of, drawn
from yolojax.data.images import letterbox
from yolojax.data.stored import StoredJpeg


def test_an_untouched_picture_is_itself_and_is_resized_as_the_letterbox_does():
    image = noise_example(0, 60, 80).image
    assert drawn(canvas_of(image)) is image
    np.testing.assert_array_equal(drawn(canvas_of(image), (30, 40)), letterbox(image, (30, 40))[0])
    canvas = canvas_of(image)
    assert canvas_of(canvas) is canvas


@pytest.mark.parametrize("size", [(30, 40), (90, 120), (17, 61)])
def test_a_picture_moved_by_whole_pixels_is_resized_as_the_moved_array(size):
    image = noise_example(0, 60, 80).image
    array, canvas = (
        moves.shift(moves.cut(moves.flip(picture, 1), 3, 5, 70, 51), 6, -9) for picture in (image, canvas_of(image))
    )
    np.testing.assert_array_equal(drawn(canvas, size), cv2.resize(array, size[::-1]))


def random_chain(rng, image):
    """Zoom, flip, cut and shift, then a turn, then a zoom, as the augmentation does; and the map of all this."""
    height, width = image.shape[:2]
    fx, fy = rng.uniform(0.6, 1.5, 2).tolist()
    total = np.array([[fx, 0, rng.uniform(-4, 4)], [0, fy, rng.uniform(-4, 4)], [0, 0, 1]])
    image = moves.warp(image, (fx, 0, total[0, 2], 0, fy, total[1, 2]), (0, 0, width, height))
    image = moves.cut(moves.flip(image, 1), 2, 1, width - 1, height - 3)
    total = np.array([[-1, 0, width - 2], [0, 1, -1], [0, 0, 1]]) @ total
    angle = rng.uniform(-0.4, 0.4)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    image = moves.warp(image, (cos, -sin, 3.0, sin, cos, -2.0), (0, 0, width - 3, height - 4))
    total = np.array([[cos, -sin, 3], [sin, cos, -2], [0, 0, 1]]) @ total
    image = moves.warp(image, (0.9, 0, 1.5, 0, 0.9, 0.5), (0, 0, width - 3, height - 4))
    return image, np.array([[0.9, 0, 1.5], [0, 0.9, 0.5], [0, 0, 1]]) @ total


def test_every_pixel_shows_the_place_it_came_from():
    """The picture says itself where each of its pixels was: the composed map is right to an eighth of a pixel."""
    errors = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        image = coordinates(rng).image
        canvas, total = random_chain(rng, canvas_of(image))
        height, width = (2 * side for side in canvas.shape[:2])
        result = drawn(canvas, (height, width)).astype(float)
        inverse = np.linalg.inv(np.diag([2.0, 2.0, 1.0]) @ total)
        for i, j in np.ndindex(height, width):
            x, y, _ = inverse @ [j + 0.5, i + 0.5, 1]
            if result[i, j, 2] == 0 and 1 < x < 27 and 1 < y < 23:
                errors.append((result[i, j, :2] - 16) / 8 + 0.5 - [x, y])
    assert len(errors) > 20_000
    assert np.abs(errors).max() < 1 / 8


@settings(deadline=None, max_examples=100)
@given(seed=SEEDS, size=st.tuples(st.integers(10, 120), st.integers(10, 120)))
def test_what_is_cut_stays_away_and_the_rest_is_there(seed, size):
    """White on grey: each pixel of the result is one or the other as its centre was in the picture, and in every window."""
    rng = np.random.default_rng(seed)
    image = np.full((40, 50, 3), 255, np.uint8)
    left, top, right, bottom = 4, 6, 41, 33
    canvas = moves.shift(moves.cut(canvas_of(image), left, top, right, bottom), 5, -3)
    angle = rng.uniform(-0.3, 0.3)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    canvas = moves.warp(canvas, (cos, -sin, 4.0, sin, cos, -3.0), (0, 0, 37, 27))
    result = drawn(canvas, size)[..., 0].astype(int)
    x, y = np.meshgrid((np.arange(size[1]) + 0.5) * 37 / size[1], (np.arange(size[0]) + 0.5) * 27 / size[0])
    # Back through the turn, to the cut and shifted picture, which is white from (5, 0) to (37, 24).
    u, v = cos * (x - 4) + sin * (y + 3), -sin * (x - 4) + cos * (y + 3)
    inside = np.min([u - 5, 37 - u, v, 24 - v], axis=0)
    pixel = max(1, 37 / size[1], 27 / size[0])
    assert (result[inside > pixel] == 255).all()
    assert (result[inside < -pixel] == 128).all()


def test_turned_twice_is_refused():
    turned = moves.warp(canvas_of(noise_example().image), (0.9, 0.1, 0, -0.1, 0.9, 0), (0, 0, 80, 60))
    with pytest.raises(ValueError, match="cannot be turned or sheared again"):
        moves.warp(turned, (0.9, 0.1, 0, -0.1, 0.9, 0), (0, 0, 80, 60))


class Asked(StoredJpeg):
    """A JPEG that remembers how small it was decoded."""

    def read(self, reduction=1):
        ASKED.append(reduction)
        return super().read(reduction)


ASKED = []


def asked(canvas, size=None):
    ASKED.clear()
    return drawn(canvas, size), list(ASKED)


def stored(image):
    content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    return Asked(content, "a.jpg", "list.txt:1", image.shape, True)


def test_a_jpeg_is_decoded_no_larger_than_needed_and_no_smaller():
    picture = canvas_of(stored(smooth_example(0, 160, 240).image))

    def zoomed(factor):
        return moves.warp(picture, (factor, 0, 0.3, 0, factor, 0.6), (0, 0, 240, 160))

    for factor, reduction in ((1.5, 1), (0.51, 1), (0.5, 2), (0.26, 2), (0.25, 4), (0.13, 4), (0.125, 8), (0.01, 8)):
        assert asked(zoomed(factor))[1] == [reduction]
    # The result is half as large, so half as much is needed.
    assert asked(zoomed(1.0), (80, 120))[1] == [2]
    # As it is, it is never decoded smaller; moved by whole pixels, at twice the size that is seen, or larger.
    assert asked(picture, (20, 30))[1] == [1]
    shifted = moves.shift(picture, 3, 5)
    for size, reduction in (((160, 240), 1), ((41, 61), 1), ((40, 60), 2), ((20, 30), 4), ((10, 15), 8)):
        assert asked(shifted, size)[1] == [reduction]
    # What lies outside is not decoded at all.
    assert asked(moves.warp(picture, (0.5, 0, 300, 0, 0.5, 0), (0, 0, 240, 160)))[1] == []


@pytest.mark.parametrize("factor", [0.45, 0.2, 0.1])
def test_a_jpeg_decoded_smaller_shows_the_same_in_the_same_place(factor):
    image = smooth_example(5, 161, 243).image
    jpeg = stored(image)
    place = (factor, 0.1 * factor, 2.3, -0.1 * factor, factor, 7.1)
    results = [drawn(moves.warp(canvas_of(picture), place, (0, 0, 120, 90))).astype(int) for picture in (jpeg, jpeg.read())]
    assert np.abs(results[0] - results[1]).mean() < 1.5
    shifted = np.roll(results[1], 1, axis=1)
    assert np.abs(results[0] - results[1]).mean() < 0.5 * np.abs(results[0] - shifted).mean()
