"""Rotation, shear and any affine map: what is in a picture moves, and its boxes go around their corners."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmentation import assert_same
from tests.helpers.example_pictures import SEEDS, SLOPE, coordinates, noise_example
from yolojax.data.augment import Example, rotate, rotate_and_shear, shear, transform


class Always:
    """A generator that always does what has a probability, and draws the upper ends of ranges, times a sign."""

    def __init__(self, sign=1):
        self.sign = sign

    def random(self):
        return 0.0

    def uniform(self, low, high):
        return self.sign * high


def literal_turn(example, degrees):
    """The picture turned clockwise by a multiple of 90 degrees about its centre, pixel by pixel; the boxes' corners as well."""
    image, boxes, classes = example
    height, width = image.shape[:2]
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]

    def turned(x, y):
        dx, dy = x - width / 2, y - height / 2
        return cos * dx - sin * dy + width / 2, sin * dx + cos * dy + height / 2

    result = np.full_like(image, 128)
    for i in range(height):
        for j in range(width):
            x, y = turned(j + 0.5, i + 0.5)
            if 0 <= x < width and 0 <= y < height:
                result[math.floor(y), math.floor(x)] = image[i, j]
    around = []
    for x1, y1, x2, y2 in boxes.tolist():
        xs, ys = zip(*(turned(x, y) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))), strict=True)
        around.append([max(min(xs), 0), max(min(ys), 0), min(max(xs), width), min(max(ys), height)])
    return Example(result, np.array(around, np.float32), classes)


@pytest.mark.parametrize("size", [(48, 48), (47, 47), (60, 80), (31, 45)])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_right_angles_move_every_pixel_and_box_exactly(size, degrees):
    height, width = size
    boxes = np.array([[10.25, 5.5, 30.75, 28.5], [20, 12, width, height]], np.float32)
    example = noise_example(0, height, width)._replace(boxes=boxes)
    options = {"probability": 1.0, "degrees": float(degrees), "min_visible": 0.0}
    assert_same(rotate(Always(), example, **options), literal_turn(example, degrees))
    assert_same(rotate(Always(-1), example, **options), literal_turn(example, -degrees % 360))


def test_a_half_turn_twice_is_the_identity_and_keeps_boxes_that_touch_the_edges():
    example = noise_example(0, 33, 50)._replace(boxes=np.array([[0, 0, 50, 33], [40, 2, 50, 9]], np.float32))
    options = {"probability": 1.0, "degrees": 180.0, "min_visible": 1.0}
    once = rotate(Always(), example, **options)
    np.testing.assert_allclose(once.boxes[1], [0, 24, 10, 31], atol=1e-5)
    twice = rotate(Always(), once, **options)
    np.testing.assert_array_equal(twice.image, example.image)
    np.testing.assert_allclose(twice.boxes, example.boxes, atol=1e-5)


def test_angles_of_zero_change_nothing():
    example = noise_example()
    zero = {"rotation_probability": 1.0, "rotation_degrees": 0.0, "shear_probability": 1.0, "shear_degrees": 0.0}
    assert_same(rotate_and_shear(np.random.default_rng(0), example, **zero, min_visible=1.0), example)


def test_with_probability_0_nothing_is_drawn():
    example, rng = noise_example(), np.random.default_rng(0)
    assert rotate_and_shear(rng, example, rotation_probability=0.0, shear_probability=0.0) is example
    assert rotate(rng, example, probability=0.0) is example and shear(rng, example, probability=0.0) is example
    assert rng.random() == np.random.default_rng(0).random()


def inside_quad(x, y, corners):
    """Whether points lie in a convex quadrilateral whose corners are in clockwise order, as y runs down."""
    result = np.ones(np.broadcast(x, y).shape, bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        result &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    return result


@pytest.mark.parametrize(
    ("function", "degrees", "mapping"),
    [
        (rotate, 30.0, lambda x, y: (math.sqrt(3) / 2 * x - y / 2, x / 2 + math.sqrt(3) / 2 * y)),
        (shear, math.degrees(math.atan(0.25)), lambda x, y: (x + 0.25 * y, 0.25 * x + y)),
    ],
)
def test_a_rectangle_is_drawn_where_its_mapped_corners_are(function, degrees, mapping):
    """The coverage of each pixel by the mapped rectangle, from 16 x 16 points in it, is what the picture shows."""
    image = np.zeros((60, 90, 3), np.uint8)
    image[20:35, 30:62] = 255
    example = Example(image, np.array([[30, 20, 62, 35]], np.float32), np.zeros(1, np.int32))
    moved = function(Always(), example, probability=1.0, degrees=degrees)
    corners = [mapping(x - 45, y - 30) for x, y in ((30, 20), (62, 20), (62, 35), (30, 35))]
    corners = [(x + 45, y + 30) for x, y in corners]
    xs, ys = zip(*corners, strict=True)
    np.testing.assert_allclose(moved.boxes, [[min(xs), min(ys), max(xs), max(ys)]], atol=1e-4)
    places = (np.arange(90 * 16) + 0.5) / 16, (np.arange(60 * 16) + 0.5)[:, None] / 16
    coverage = inside_quad(*places, corners).reshape(60, 16, 90, 16).mean((1, 3))
    shown = moved.image[..., 0].astype(float)
    # Beyond this circle are the grey edges of the picture.
    near = np.hypot(np.arange(90) + 0.5 - 45, np.arange(60)[:, None] + 0.5 - 30) < 22
    # Bilinear sampling fades over a pixel, like coverage, but along the picture's axes: at corners they differ by a quarter.
    difference = np.abs(shown / 255 - coverage)[near]
    assert difference.max() < 0.3 and difference.mean() < 0.01


def random_map(rng, height, width):
    """A matrix of a turn by any angle, a slant, a zoom and a shift."""
    angle, slant = rng.uniform(-math.pi, math.pi), rng.uniform(-0.5, 0.5, 2)
    linear = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = np.array([[1, slant[0]], [slant[1], 1]]) @ linear * rng.uniform(0.6, 1.6)
    centre = np.array([width, height]) / 2
    return np.column_stack([linear, centre - linear @ centre + rng.uniform(-0.4, 0.4, 2) * [width, height]])


def test_every_pixel_shows_the_place_it_came_from_to_the_sub_pixel():
    errors = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        example = coordinates(rng)
        height, width = example.image.shape[:2]
        matrix = random_map(rng, height, width)
        image = transform(example, matrix).image
        for i, j in np.ndindex(height, width):
            x, y = np.linalg.solve(matrix[:, :2], np.array([j + 0.5, i + 0.5]) - matrix[:, 2])
            if 1 < x < width - 1 and 1 < y < height - 1:
                errors.append((image[i, j, :2].astype(float) - 16) / SLOPE + 0.5 - [x, y])
                assert image[i, j, 2] == 0
            elif not (-1 < x < width + 1 and -1 < y < height + 1):
                assert (image[i, j] == 128).all()
    # Half a level, 1/16 pixel, for rounding, and OpenCV's places, which are 32nds of a pixel.
    assert len(errors) > 10_000
    assert np.abs(errors).max() < 1 / 8
    assert np.abs(np.mean(errors, axis=0)).max() < 1 / 40


@settings(deadline=None, max_examples=100)
@given(
    height=st.integers(5, 60),
    width=st.integers(5, 60),
    sides=st.lists(st.tuples(*[st.floats(-0.25, 1.25, width=32)] * 4), max_size=4),
    share=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    seed=SEEDS,
)
def test_kept_boxes_hold_their_mapped_corners_and_enough_of_their_area(height, width, sides, share, seed):
    boxes = np.sort(np.array(sides, np.float32).reshape(-1, 2, 2), axis=1) * np.array([[[width, height]]], np.float32)
    example = Example(np.zeros((height, width, 3), np.uint8), boxes.reshape(-1, 4), np.arange(len(boxes), dtype=np.int32))
    matrix = random_map(np.random.default_rng(seed), height, width)
    _, kept, labels = transform(example, matrix, min_visible=share)
    assert kept.shape == (len(labels), 4) and kept.dtype == np.float32 and labels.dtype == np.int32
    assert (kept >= 0).all() and (kept <= [[width, height] * 2]).all() and (kept[:, 2:] >= kept[:, :2]).all()
    steps = (np.arange(60) + 0.5) / 60
    for label, box in enumerate(example.boxes.astype(float)):
        x1, y1, x2, y2 = np.clip(box, 0, [width, height] * 2)
        corners = np.array([(x, y, 1) for x in (x1, x2) for y in (y1, y2)]) @ matrix.T
        # How much of the box is seen, from 3,600 points in it.
        points = np.stack(np.broadcast_arrays(x1 + (x2 - x1) * steps, y1 + (y2 - y1) * steps[:, None], 1.0), axis=-1) @ matrix.T
        seen = np.all((points >= 0) & (points < [width, height]), axis=-1).mean() if (x2 - x1) * (y2 - y1) > 1e-3 else math.nan
        if abs(seen - max(share, 1e-9)) > 0.03 or (seen == 1 and share < 1):
            assert (label in labels) == (seen > share)
        if label not in labels:
            continue
        (new,) = kept[labels == label].astype(float)
        for corner in corners:
            if np.all(corner >= 0) and np.all(corner <= [width, height]):
                assert np.all(corner >= new[:2] - 1e-3) and np.all(corner <= new[2:] + 1e-3)
        around = [*corners.min(0), *corners.max(0)]
        np.testing.assert_allclose(new, np.clip(around, 0, [width, height] * 2), atol=1e-3)


def test_a_box_that_is_not_seen_is_dropped_though_the_box_around_it_reaches_into_the_picture():
    side = 6 * math.sqrt(2)
    example = Example(np.zeros((40, 40, 3), np.uint8), np.array([[20, 20, 20 + side, 20 + side]], np.float32), np.zeros(1, int))
    turn = np.array([[1, -1], [1, 1]]) / math.sqrt(2)  # the square becomes a diamond, 6 from its centre to its corners
    for centre, kept in ((-4, []), (-2, [[0, 0, 4, 4]])):
        shift = np.full(2, float(centre)) - turn @ np.full(2, 20 + side / 2)
        boxes = transform(example, np.column_stack([turn, shift]), min_visible=0.0).boxes
        np.testing.assert_allclose(boxes, np.array(kept).reshape(-1, 4), atol=1e-5)


def test_angles_are_uniform_and_reach_their_ends_both_ways():
    right_and_low = np.array([[59.99, 29.99, 60.01, 30.01], [39.99, 49.99, 40.01, 50.01]], np.float32)
    example = Example(np.zeros((60, 80, 3), np.uint8), right_and_low, np.arange(2, dtype=np.int32))

    def angles(function, **options):
        rng = np.random.default_rng(0)
        boxes = np.array([function(rng, example, probability=1.0, **options).boxes for _ in range(1500)], np.float64)
        (right_x, right_y), (low_x, low_y) = np.moveaxis((boxes[..., :2] + boxes[..., 2:]) / 2 - [40, 30], 0, -1)
        return np.degrees(np.arctan2(right_y, right_x)), np.degrees(np.arctan2(low_x, low_y))

    turned, other = angles(rotate, degrees=25.0)
    np.testing.assert_allclose(turned, -other, atol=1e-3)
    leaning = angles(shear, degrees=12.0)
    assert abs(np.corrcoef(leaning)[0, 1]) < 0.1
    for found, largest in ((turned, 25), (leaning[0], 12), (leaning[1], 12)):
        np.testing.assert_allclose([found.min(), found.max()], [-largest, largest], rtol=0.01)
        assert abs(found.mean()) < 0.06 * largest
        np.testing.assert_allclose(found.std(), largest / math.sqrt(3), rtol=0.05)


def test_both_together_are_one_map():
    """Boxes go around the corners under both: one after the other would go around the corners of a larger box."""
    box = np.array([[30, 20, 50, 44]], np.float32)
    example = Example(np.full((60, 80, 3), 7, np.uint8), box, np.zeros(1, np.int32))
    options = {"rotation_probability": 1.0, "rotation_degrees": 20.0, "shear_probability": 1.0, "shear_degrees": 10.0}
    image, boxes, _ = rotate_and_shear(Always(), example, **options)
    cos, sin, tan = math.cos(math.radians(20)), math.sin(math.radians(20)), math.tan(math.radians(10))
    corners = []
    for x, y in ((30, 20), (50, 20), (50, 44), (30, 44)):
        x, y = x - 40, y - 30
        x, y = cos * x - sin * y, sin * x + cos * y
        corners.append((x + tan * y + 40, tan * x + y + 30))
    np.testing.assert_allclose(boxes, [[*np.min(corners, 0), *np.max(corners, 0)]], atol=1e-4)
    assert (image[0, 0] == 128).all() and (image[30, 40] == 7).all()
    two = shear(Always(), rotate(Always(), example, probability=1.0, degrees=20.0), probability=1.0, degrees=10.0).boxes
    assert (two[:, :2] < boxes[:, :2] - 0.5).all() and (two[:, 2:] > boxes[:, 2:] + 0.5).all()


def test_pictures_without_boxes_and_of_a_pixel():
    for height, width in ((1, 1), (1, 9), (40, 1), (30, 40)):
        for boxes in (np.zeros((0, 4), np.float32), np.array([[0, 0, width, height], [-9, -9, -3, -3]], np.float32)):
            example = Example(np.full((height, width, 3), 9, np.uint8), boxes, np.zeros(len(boxes), np.int32))
            for seed in range(20):
                image, kept, classes = rotate_and_shear(np.random.default_rng(seed), example, rotation_degrees=180.0)
                assert image.shape == (height, width, 3) and kept.shape == (len(classes), 4) and kept.dtype == np.float32
