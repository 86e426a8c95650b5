"""Mosaic and mixup: which picture shows where, and whose boxes are left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.example_pictures import SEEDS, coordinates, corner_errors, noise_example, sharp_edges, wide_rectangles
from yolojax.data.augment import Example, mixup, mosaic

EMPTY = Example(np.zeros((50, 70, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))


def uniform(level, height, width):
    """An even picture that is one object, its class its level."""
    image = np.full((height, width, 3), level, np.uint8)
    return Example(image, np.array([[0, 0, width, height]], np.float32), np.array([level], np.int32))


def test_four_pictures_meet_at_a_point_and_fill_their_quarters():
    parts = [uniform(level, 60, 80) for level in (10, 20, 30, 40)]
    points = set()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        image, boxes, classes = mosaic(rng, parts[0], parts[1:], size=(60, 80), smallest=1.0, largest=1.0, min_visible=0.0)
        x, y = (int(side) for side in boxes[0, 2:])
        points.add((x, y))
        expected = np.zeros((60, 80), np.uint8)
        expected[:y, :x], expected[:y, x:], expected[y:, :x], expected[y:, x:] = 10, 20, 30, 40
        np.testing.assert_array_equal(image, np.repeat(expected[..., None], 3, axis=2))
        assert classes.tolist() == [10, 20, 30, 40]
        np.testing.assert_array_equal(boxes, [[0, 0, x, y], [x, 0, 80, y], [0, y, x, 60], [x, y, 80, 60]])
    xs, ys = zip(*points, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (20, 60, 15, 45)


def test_each_picture_fits_the_canvas_times_its_factor_and_gaps_are_grey():
    parts = [uniform(level, 40, 20) for level in (10, 20, 30, 40)]
    sizes = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        image, boxes, _ = mosaic(rng, parts[0], parts[1:], size=(80, 80), smallest=0.1, largest=0.25)
        sizes += (boxes[:, 2:] - boxes[:, :2]).tolist()
        empty = np.ones((80, 80), bool)
        for (left, top, right, bottom), level in zip(boxes, (10, 20, 30, 40), strict=True):
            inside = image[int(np.ceil(top)) : int(bottom), int(np.ceil(left)) : int(right)]
            assert np.abs(inside[2:-2, 1:-1].astype(int) - level).max(initial=0) == 0
            empty[int(top) - 1 : int(np.ceil(bottom)) + 1, int(left) - 1 : int(np.ceil(right)) + 1] = False
        assert empty.any() and (image[empty] == 128).all()
    widths, heights = np.array(sizes).T
    np.testing.assert_allclose(heights / widths, 2, rtol=1e-4)
    np.testing.assert_allclose([heights.min(), heights.max()], [8, 20], atol=0.1)
    assert abs(np.log(heights).mean() - np.log(8 * 20) / 2) < 0.03


def test_boxes_of_a_mosaic_are_right_to_the_sub_pixel():
    errors = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        parts = [coordinates(rng, number, 20 + number, 28 - number) for number in range(4)]
        errors += corner_errors(mosaic(rng, parts[0], parts[1:], size=(60, 80), min_visible=0.0), parts)
    assert len(errors) > 1500
    assert np.abs(errors).max() < 1 / 6  # as of the scaled pictures
    assert np.abs(np.mean(errors, axis=0)).max() < 1 / 40  # OpenCV 4 rounds places up to 32nds: 1/64 on average


@settings(deadline=None, max_examples=60)
@given(
    red=wide_rectangles(channels=(0,)),
    green=wide_rectangles(channels=(1,)),
    order=st.permutations(range(4)),
    size=st.tuples(st.integers(40, 120), st.integers(40, 120)),
    seed=SEEDS,
)
def test_rectangles_of_a_mosaic_are_where_the_boxes_say(red, green, order, size, seed):
    parts = [(red, green, EMPTY, EMPTY)[place] for place in order]
    image, boxes, classes = mosaic(np.random.default_rng(seed), parts[0], parts[1:], size=size)
    assert image.shape == (*size, 3) and boxes.dtype == np.float32 and classes.dtype == np.int32
    for box, channel in zip(boxes, classes, strict=True):
        if (box[2:] - box[:2] > 6).all():
            # 40 / 90 / 2 is the smallest factor: (1 - 0.22) / 2 = 0.39.
            np.testing.assert_allclose(box, sharp_edges(image, channel), atol=0.45)


@settings(deadline=None, max_examples=40)
@given(red=wide_rectangles(channels=(0, 1)), seed=SEEDS, share=st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_a_box_is_kept_when_enough_of_it_is_visible(red, seed, share):
    height, width = red.image.shape[:2]
    ys, xs = np.divmod(np.arange(height * width), width)
    before = np.stack([xs, ys, xs + 1, ys + 1], axis=1).astype(np.float32)
    probe = Example(red.image, before, np.arange(len(before), dtype=np.int32))
    _, after, labels = mosaic(np.random.default_rng(seed), probe, [EMPTY] * 3, size=(60, 80), min_visible=0.0)
    window = (*after[:, :2].min(0), *after[:, 2:].max(0))
    whole = ((after > np.array(window[:2] * 2) + 0.01) & (after < np.array(window[2:] * 2) - 0.01)).all(1)
    (fx, dx), (fy, dy) = (np.polyfit(before[labels[whole], axis], after[whole, axis], 1) for axis in (0, 1))
    _, boxes, classes = mosaic(np.random.default_rng(seed), red, [EMPTY] * 3, size=(60, 80), min_visible=share)
    for box, label in zip(red.boxes, red.classes, strict=True):
        x1, x2, y1, y2 = fx * box[0] + dx, fx * box[2] + dx, fy * box[1] + dy, fy * box[3] + dy
        visible = [max(x1, window[0]), max(y1, window[1]), min(x2, window[2]), min(y2, window[3])]
        left = max(0, visible[2] - visible[0]) * max(0, visible[3] - visible[1]) / ((x2 - x1) * (y2 - y1))
        if abs(left - share) > 1e-3:
            assert (label in classes) == (left > share)
        if label in classes:
            np.testing.assert_allclose(boxes[classes == label][0], visible, atol=0.02)


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.tuples(*[st.tuples(st.integers(1, 40), st.integers(1, 40))] * 2),
    alpha=st.sampled_from([0.2, 1.5, 30.0]),
    seed=SEEDS,
)
def test_mixup_is_the_literal_blend(sizes, alpha, seed):
    one, two = (noise_example(number, *size) for number, size in enumerate(sizes))
    image, boxes, classes = mixup(np.random.default_rng(seed), one, two, alpha=alpha)
    ratio = np.random.default_rng(seed).beta(alpha, alpha)
    height, width = max(sizes[0][0], sizes[1][0]), max(sizes[0][1], sizes[1][1])
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    for y in range(height):
        for x in range(0, width, 3):
            first = one.image[y, x] if y < sizes[0][0] and x < sizes[0][1] else 128
            second = two.image[y, x] if y < sizes[1][0] and x < sizes[1][1] else 128
            blend = ratio * np.multiply(first, 1.0) + (1 - ratio) * np.multiply(second, 1.0)
            assert np.abs(image[y, x] - blend).max() < 0.501
    np.testing.assert_array_equal(boxes, [*one.boxes, *two.boxes])
    np.testing.assert_array_equal(classes, [*one.classes, *two.classes])
    assert boxes.dtype == np.float32 and classes.dtype == np.int32


def test_the_ratio_of_mixup_is_a_beta():
    light, dark = uniform(255, 4, 4), uniform(0, 4, 4)
    rng = np.random.default_rng(0)
    for alpha in (0.5, 1.5, 30.0):
        ratios = np.array([mixup(rng, light, dark, alpha=alpha).image[0, 0, 0] for _ in range(2000)]) / 255
        assert abs(ratios.mean() - 0.5) < 0.03
        np.testing.assert_allclose(ratios.var(), 1 / (4 * (2 * alpha + 1)), rtol=0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (64, 2), (32, 64)])
def test_pictures_of_a_pixel_and_without_boxes(size):
    parts = [uniform(1, 1, 1), EMPTY, uniform(2, 1, 50), uniform(3, 50, 1)]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        image, boxes, classes = mosaic(rng, parts[0], parts[1:], size=size)
        assert image.shape == (*size, 3) and boxes.shape == (len(classes), 4)
        assert (boxes >= 0).all() and (boxes <= np.array([[size[1], size[0]] * 2])).all()
        assert mosaic(rng, EMPTY, [EMPTY] * 3, size=size).boxes.shape == (0, 4)
    assert mixup(rng, EMPTY, EMPTY).boxes.shape == (0, 4)
