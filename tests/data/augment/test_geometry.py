"""Flip, crops, shift and zoom: what is in a picture moves, and its boxes with it."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.example_pictures import SEEDS, coordinates, corner_errors, noise_example, sharp_edges, wide_rectangles
from yolojax.data.augment import Example, crop, flip_horizontal, flip_vertical, iou_crop, scale, translate, transpose


def test_flip_is_its_own_inverse():
    example = noise_example()
    flip = functools.partial(flip_horizontal, np.random.default_rng(0), probability=1.0)
    once = flip(example)
    np.testing.assert_array_equal(once.image, example.image[:, ::-1])
    np.testing.assert_array_equal(once.boxes[0], [80 - 30.75, 5.5, 80 - 10.25, 40.5])
    for one, two in zip(flip(once), example, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("function", "change", "box"),
    [
        (flip_vertical, lambda image: image[::-1], [10.25, 60 - 40.5, 30.75, 60 - 5.5]),
        (transpose, lambda image: image.transpose(1, 0, 2), [5.5, 10.25, 40.5, 30.75]),
    ],
)
def test_a_vertical_flip_and_a_transposition_are_their_own_inverses_and_draw_nothing_when_they_are_off(function, change, box):
    example = noise_example()
    rng = np.random.default_rng(0)
    assert function(rng, example, probability=0.0) is example
    assert rng.random() == np.random.default_rng(0).random()
    once = function(rng, example, probability=1.0)
    np.testing.assert_array_equal(once.image, change(example.image))
    np.testing.assert_array_equal(once.boxes[0], box)
    for one, two in zip(function(rng, once, probability=1.0), example, strict=True):
        np.testing.assert_array_equal(one, two)


def test_transposition_and_the_flips_make_the_eight_ways_to_lay_a_picture_down():
    example = noise_example()
    ways = [np.rot90(part, turns) for part in (example.image, example.image[::-1]) for turns in range(4)]
    found = set()
    for bits in range(8):
        varied = transpose(np.random.default_rng(0), example, probability=bits & 1)
        varied = flip_horizontal(np.random.default_rng(0), varied, probability=bits >> 1 & 1)
        varied = flip_vertical(np.random.default_rng(0), varied, probability=bits >> 2)
        found |= {way for way, image in enumerate(ways) if np.array_equal(image, varied.image)}
    assert found == set(range(8))


_SIDES = st.tuples(*[st.floats(0, 1, width=32)] * 4)


@settings(deadline=None, max_examples=60)
@given(height=st.integers(1, 60), width=st.integers(1, 60), sides=st.lists(_SIDES, max_size=4), seed=SEEDS)
def test_boxes_stay_inside(height, width, sides, seed):
    boxes = np.array(sides, np.float32).reshape(-1, 2, 2)
    boxes = (np.sort(boxes, axis=1) * np.array([[[width, height]]], np.float32)).reshape(-1, 4)
    example = Example(np.zeros((height, width, 3), np.uint8), boxes, np.zeros(len(boxes), np.int32))
    for function in (crop, translate):
        image, moved, _ = function(np.random.default_rng(seed), example, probability=1.0)
        assert min(image.shape[:2]) >= 1
        assert (moved >= -1e-4).all() and (moved <= np.array([[*image.shape[1::-1]] * 2]) + 1e-4).all()
        np.testing.assert_allclose(moved[:, 2:] - moved[:, :2], boxes[:, 2:] - boxes[:, :2], atol=1e-4)


@pytest.mark.parametrize("box", [(-20, 10, 30, 90), (-20, -20, 200, 200), (90, 70, 120, 90), (-30, -30, -10, -10)])
def test_boxes_that_overhang_the_picture(box):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    example = Example(image, np.array([box], np.float32), np.zeros(1, np.int32))
    for seed in range(30):
        cropped = crop(np.random.default_rng(seed), example, probability=1.0)
        assert min(cropped.image.shape[:2]) >= 1
        dx, dy = (cropped.boxes - example.boxes)[0, :2].astype(int)
        rows, columns = cropped.image.shape[:2]
        np.testing.assert_array_equal(cropped.image, image[-dy : -dy + rows, -dx : -dx + columns])
        shifted = translate(np.random.default_rng(seed), example, probability=1.0)
        assert shifted.image.shape == image.shape


def test_crop_reaches_from_the_edges_to_the_boxes():
    example = Example(np.zeros((60, 80, 3), np.uint8), np.array([[20, 15, 50, 40]], np.float32), np.zeros(1, np.int32))
    rng = np.random.default_rng(0)
    results = [crop(rng, example, probability=1.0) for _ in range(600)]
    cuts = np.array([(20 - box[0], 15 - box[1]) for (box,) in (result.boxes for result in results)])
    sizes = np.array([result.image.shape[1::-1] for result in results])
    assert (cuts.min(0) == 0).all() and (cuts.max(0) == [19, 14]).all()
    ends = cuts + sizes
    assert (ends.min(0) == [51, 41]).all() and (ends.max(0) == [80, 60]).all()
    np.testing.assert_allclose(cuts.mean(0), [9.5, 7], atol=1)
    np.testing.assert_allclose(ends.mean(0), [65.5, 50.5], atol=1)


def test_translate_reaches_all_sides_and_fills_with_grey():
    image = np.full((60, 80, 3), 7, np.uint8)
    example = Example(image, np.array([[20, 15, 50, 40]], np.float32), np.zeros(1, np.int32))
    rng = np.random.default_rng(0)
    shifts = set()
    for _ in range(600):
        shifted = translate(rng, example, probability=1.0)
        dx, dy = (int(shift) for shift in (shifted.boxes - example.boxes)[0, :2])
        shifts.add((dx, dy))
        expected = np.full_like(image, 128)
        for y in range(max(0, dy), min(60, 60 + dy)):
            expected[y, max(0, dx) : min(80, 80 + dx)] = 7
        np.testing.assert_array_equal(shifted.image, expected)
    xs, ys = zip(*shifts, strict=True)
    assert (min(xs), max(xs), min(ys), max(ys)) == (-20, 30, -15, 20)


def test_pictures_without_boxes_keep_most_of_themselves():
    columns = np.broadcast_to(np.arange(200, 240, dtype=np.uint8)[None, :, None], (30, 40, 3))
    example = Example(columns, np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    rng = np.random.default_rng(0)
    widths, starts, shifts = set(), set(), set()
    for _ in range(400):
        cropped = crop(rng, example, probability=1.0).image
        widths.add(cropped.shape[1])
        starts.add(int(cropped[0, 0, 0]) - 200)
        shifted = translate(rng, example, probability=1.0).image
        rows = np.flatnonzero((shifted != 128).any((1, 2)))
        row = shifted[rows[0], :, 0].astype(int)
        shifts.add(int(np.flatnonzero(row != 128)[0] - (row[row != 128][0] - 200)))
        assert len(rows) >= 30 - 7
    assert min(widths) >= 20 and max(widths) == 40 and len(widths) > 15
    assert min(starts) == 0 and max(starts) > 15
    assert (min(shifts), max(shifts)) == (-10, 10)


NEW = {"iou_crop": iou_crop, "scale": scale}


@pytest.mark.parametrize("function", [crop, translate, *NEW.values()])
def test_boxes_follow_the_picture_to_the_sub_pixel(function):
    errors = []
    for seed in range(150):
        example = coordinates(np.random.default_rng([seed, 0]))
        errors += corner_errors(function(np.random.default_rng([seed, 1]), example, probability=1.0), [example])
    # Half a level, 1/16 pixel, for rounding; OpenCV's places, which are 32nds of a pixel; and the rest for a trace of grey.
    assert len(errors) > 1500
    assert np.abs(errors).max() < 1 / 6
    assert np.abs(np.mean(errors, axis=0)).max() < 1 / 40  # OpenCV 4 rounds places up to 32nds: 1/64 on average


@settings(deadline=None, max_examples=80)
@given(example=wide_rectangles(), seed=SEEDS)
def test_scaled_rectangles_are_where_the_boxes_say(example, seed):
    image, boxes, classes = scale(np.random.default_rng(seed), example, probability=1.0)
    assert image.shape == example.image.shape and image.dtype == np.uint8
    assert boxes.dtype == np.float32 and classes.dtype == np.int32
    height, width = image.shape[:2]
    assert (boxes >= 0).all() and (boxes <= [[width, height, width, height]]).all()
    for box, channel in zip(boxes, classes, strict=True):
        if (box[2:] - box[:2] > 4).all():
            np.testing.assert_allclose(box, sharp_edges(image, channel), atol=0.35)  # (1 - 0.5 / 1.3 ** 0.5) / 2 = 0.28


def tiles(height, width):
    """Boxes of a pixel that cover the picture."""
    ys, xs = np.divmod(np.arange(height * width), width)
    return np.stack([xs, ys, xs + 1, ys + 1], axis=1).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(example=wide_rectangles(), seed=SEEDS, share=st.sampled_from([0.0, 0.3, 0.6, 1.0]))
def test_a_scaled_box_is_kept_when_enough_of_it_is_visible(example, seed, share):
    height, width = example.image.shape[:2]
    before = tiles(height, width)
    probe = Example(example.image, before, np.arange(len(before), dtype=np.int32))
    options = {"probability": 1.0, "smallest": 1.0, "largest": 3.0}
    _, after, labels = scale(np.random.default_rng(seed), probe, min_visible=0.0, **options)
    whole = ((after > 0.01) & (after < np.array([width, height] * 2) - 0.01)).all(1)
    matrices = [np.polyfit(before[labels[whole], axis], after[whole, axis], 1) for axis in (0, 1)]
    _, boxes, classes = scale(np.random.default_rng(seed), example, min_visible=share, **options)
    for box, label in zip(example.boxes, example.classes, strict=True):
        (fx, dx), (fy, dy) = matrices
        x1, x2, y1, y2 = fx * box[0] + dx, fx * box[2] + dx, fy * box[1] + dy, fy * box[3] + dy
        visible = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
        left = max(0, visible[2] - visible[0]) * max(0, visible[3] - visible[1]) / ((x2 - x1) * (y2 - y1))
        if abs(left - share) > 1e-3:
            assert (label in classes) == (left > share)
        if label in classes:
            np.testing.assert_allclose(boxes[classes == label][0], visible, atol=0.02)


def test_zoom_and_stretch_reach_their_ends_evenly_and_about_any_place():
    box = np.array([[39.5, 29.5, 40.5, 30.5]], np.float32)
    example = Example(np.zeros((60, 80, 3), np.uint8), box, np.zeros(1, np.int32))
    rng = np.random.default_rng(0)
    options = {"probability": 1.0, "smallest": 0.5, "largest": 1.25, "aspect": 1.5, "min_visible": 1.0}
    boxes = np.array([scale(rng, example, **options).boxes[0] for _ in range(2000)], np.float64)
    factors = boxes[:, 2:] - boxes[:, :2]
    zoom, stretch = np.log(factors.prod(1)) / 2, np.log(factors[:, 0] / factors[:, 1])
    for values, low, high in ((zoom, np.log(0.5), np.log(1.25)), (stretch, -np.log(1.5), np.log(1.5))):
        np.testing.assert_allclose([values.min(), values.max()], [low, high], atol=0.01)
        np.testing.assert_allclose(values.mean(), (low + high) / 2, atol=0.03)
    # The place that stays is where x' = x: c' = f c + (1 - f) p.
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    moved = np.abs(factors - 1) > 0.1
    places = ((centres - factors * [40, 30]) / (1 - factors) / [80, 60])[moved]
    assert 0 <= places.min() < 0.02 and 0.98 < places.max() <= 1
    assert abs(places.mean() - 0.5) < 0.02


def test_zooming_out_uncovers_grey():
    image, boxes, _ = scale(
        np.random.default_rng(0),
        Example(np.full((60, 80, 3), 7, np.uint8), np.array([[0, 0, 80, 60]], np.float32), np.zeros(1, np.int32)),
        probability=1.0, smallest=0.5, largest=0.5, aspect=1.0,
    )  # fmt: skip
    (left, top), (right, bottom) = np.ceil(boxes[0, :2]).astype(int), np.floor(boxes[0, 2:]).astype(int)
    assert (image[top:bottom, left:right] == 7).mean() > 0.9
    outside = np.ones((60, 80), bool)
    outside[top - 1 : bottom + 1, left - 1 : right + 1] = False
    assert outside.sum() > 3000 and (image[outside] == 128).all()


def places(height, width):
    """A picture whose red and green are x and y."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width), np.arange(height)[:, None]
    return image


def literal_iou(a, b):
    sides = [max(0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1)]
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1])


@settings(deadline=None, max_examples=150)
@given(
    height=st.integers(20, 90),
    width=st.integers(20, 90),
    sides=st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), max_size=4),
    overlap=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9]),
    share=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    seed=SEEDS,
)
def test_the_overlap_of_an_iou_crop(height, width, sides, overlap, share, seed):
    boxes = np.sort(np.array(sides, np.float32).reshape(-1, 2, 2), axis=1) * np.array([[[width, height]]], np.float32) * 0.9
    boxes = boxes.reshape(-1, 4) + np.array([[0, 0, 2, 2]], np.float32)
    example = Example(places(height, width), boxes, np.arange(len(boxes), dtype=np.int32))
    options = {"probability": 1.0, "overlaps": (overlap,), "min_visible": share}
    result = iou_crop(np.random.default_rng(seed), example, **options)
    if result is example:
        return
    (left, top, _), (right, bottom, _) = (int(v) for v in result.image[0, 0]), (int(v) + 1 for v in result.image[-1, -1])
    np.testing.assert_array_equal(result.image, example.image[top:bottom, left:right])
    assert 0.3 * width - 0.5 <= right - left <= width and 0.3 * height - 0.5 <= bottom - top <= height
    assert 0.5 <= (right - left) / (bottom - top) <= 2
    expected = {}
    for label, (x1, y1, x2, y2) in enumerate(boxes.astype(float)):
        inside = (max(x1, left), max(y1, top), min(x2, right), min(y2, bottom))
        area = max(0, inside[2] - inside[0]) * max(0, inside[3] - inside[1])
        centred = left <= (x1 + x2) / 2 < right and top <= (y1 + y2) / 2 < bottom
        if centred and area >= share * (x2 - x1) * (y2 - y1):
            expected[label] = np.subtract(inside, (left, top, left, top))
    assert result.classes.tolist() == list(expected)
    np.testing.assert_allclose(result.boxes, np.array(list(expected.values())).reshape(-1, 4), atol=1e-4)
    if len(boxes):
        overlaps = [literal_iou((left, top, right, bottom), box) for box in boxes.astype(float)]
        assert len(expected) and max(overlaps) >= overlap - 1e-6


def test_iou_crops_are_varied_and_mostly_found():
    boxes = np.array([[10, 10, 50, 50], [60, 20, 75, 40]], np.float32)
    example = Example(places(60, 80), boxes, np.array([0, 1], np.int32))
    rng = np.random.default_rng(0)
    results = [iou_crop(rng, example, probability=1.0) for _ in range(400)]
    changed = [result for result in results if result is not example]
    widths = [result.image.shape[1] for result in changed]
    assert len(changed) > 300 and min(widths) < 30 and max(widths) > 75
    assert {tuple(result.classes) for result in changed} == {(0,), (1,), (0, 1)}
    ious = [
        max(literal_iou((0, 0, *result.image.shape[1::-1]), box) for box in result.boxes.astype(float)) for result in changed
    ]
    counts = np.histogram(ious, [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1])[0]
    assert (counts[1:5] > 10).all()


@pytest.mark.parametrize("function", NEW.values())
def test_pictures_without_boxes_and_of_a_pixel(function):
    for height, width in ((1, 1), (1, 9), (40, 1), (30, 40)):
        for boxes in (np.zeros((0, 4), np.float32), np.array([[0, 0, width, height]], np.float32)):
            image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
            example = Example(image, boxes, np.zeros(len(boxes), np.int32))
            for seed in range(20):
                result = function(np.random.default_rng(seed), example, probability=1.0)
                assert min(result.image.shape[:2]) >= 1 and result.boxes.shape == (len(result.classes), 4)
                if function is iou_crop or not len(boxes):
                    assert len(result.boxes) == len(boxes)


def test_iou_crop_of_a_picture_without_boxes_is_a_window():
    example = Example(places(40, 60), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    rng = np.random.default_rng(0)
    assert sum(iou_crop(rng, example, probability=1.0).image.shape != (40, 60, 3) for _ in range(50)) > 45
