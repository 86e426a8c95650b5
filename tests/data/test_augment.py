"""Augmentation: coloured rectangles are found where the boxes say, whatever was done to the picture."""

import colorsys
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.augment import AugmentConfig, Example, augment, clip_boxes, crop, flip_horizontal, hsv, translate

SEEDS = st.integers(0, 2**32 - 1)
FUNCTIONS = {
    "flip_horizontal": flip_horizontal,
    "crop": crop,
    "translate": translate,
    "hsv": hsv,
    "augment": lambda rng, example, probability: augment(
        rng, example, AugmentConfig(probability, probability, probability, probability)
    ),
}


@st.composite
def rectangles(draw):
    """Up to three rectangles, red, green and blue, that do not touch, on black; class k is channel k."""
    height, width = draw(st.integers(20, 90)), draw(st.integers(40, 90))
    image = np.zeros((height, width, 3), np.uint8)
    boxes, classes = [], draw(st.lists(st.integers(0, 2), unique=True, max_size=3))
    for place, channel in enumerate(classes):
        x1 = draw(st.integers(place * width // 3, (place + 1) * width // 3 - 4))
        x2 = draw(st.integers(x1 + 1, (place + 1) * width // 3 - 1))
        y1 = draw(st.integers(0, height - 3))
        y2 = draw(st.integers(y1 + 1, height))
        image[y1:y2, x1:x2, channel] = 255
        boxes.append((x1, y1, x2, y2))
    return Example(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(classes, np.int32))


def find(image, channel):
    """The box of the pixels in which a channel is the strongest by far: grey filling and black have none."""
    strength = image.astype(int)
    ys, xs = np.nonzero((strength.argmax(-1) == channel) & (strength.max(-1) - strength.min(-1) > 60))
    return [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def noise_example(seed=0, height=60, width=80):
    rng = np.random.default_rng(seed)
    boxes = np.array([[10.25, 5.5, 30.75, 40.5], [20, 20, 70.5, 55.25]], np.float32)
    return Example(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), boxes, np.array([1, 4], np.int32))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(deadline=None, max_examples=60)
@given(example=rectangles(), seed=SEEDS)
def test_boxes_follow_the_picture(name, example, seed):
    before = (example.image.copy(), example.boxes.copy(), example.classes.copy())
    image, boxes, classes = FUNCTIONS[name](np.random.default_rng(seed), example, probability=1.0)
    assert image.dtype == np.uint8 and boxes.dtype == np.float32 and classes.dtype == np.int32
    assert boxes.shape == example.boxes.shape
    np.testing.assert_array_equal(classes, before[2])
    for box, channel in zip(boxes, classes, strict=True):
        np.testing.assert_array_equal(box, find(image, channel))
    for now, then in zip(example, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_same_seed_same_result_and_another_seed_another(name):
    example = noise_example()
    results = []
    for seed in (3, 3, *range(4, 12)):
        results.append(FUNCTIONS[name](np.random.default_rng(seed), example, probability=0.5))
    for one, two in zip(results[0], results[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert len({result.image.tobytes() + bytes(result.image.shape) for result in results}) > 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_probability(name):
    example = noise_example()
    for seed in range(20):
        assert FUNCTIONS[name](np.random.default_rng(seed), example, probability=0.0) is example
    if name != "augment":
        rng = np.random.default_rng(0)
        changed = sum(FUNCTIONS[name](rng, example, probability=0.3) is not example for _ in range(1000))
        assert 250 < changed < 350


def test_memory_that_cannot_be_written():
    example = noise_example()
    for array in example:
        array.setflags(write=False)
    for seed in range(20):
        augment(np.random.default_rng(seed), example, AugmentConfig(1.0, 1.0, 1.0, 1.0))


def test_flip_is_its_own_inverse():
    example = noise_example()
    flip = functools.partial(flip_horizontal, np.random.default_rng(0), probability=1.0)
    once = flip(example)
    np.testing.assert_array_equal(once.image, example.image[:, ::-1])
    np.testing.assert_array_equal(once.boxes[0], [80 - 30.75, 5.5, 80 - 10.25, 40.5])
    for one, two in zip(flip(once), example, strict=True):
        np.testing.assert_array_equal(one, two)


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


@settings(deadline=None, max_examples=60)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-20, 60, width=32)] * 4), max_size=6),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    minimum=st.sampled_from([1.0, 3.0]),
)
def test_clip_boxes(boxes, height, width, minimum):
    expected = []
    for index, box in enumerate(np.array(boxes, np.float32).reshape(-1, 4).tolist()):
        x1, x2 = (min(max(x, 0), width) for x in box[::2])
        y1, y2 = (min(max(y, 0), height) for y in box[1::2])
        if np.float32(x2) - np.float32(x1) >= minimum and np.float32(y2) - np.float32(y1) >= minimum:
            expected.append((index, x1, y1, x2, y2))
    array = np.array(boxes, np.float32).reshape(-1, 4)
    kept, classes, dropped = clip_boxes(array, np.arange(len(array), dtype=np.int32), height, width, minimum)
    np.testing.assert_array_equal(classes, [row[0] for row in expected])
    np.testing.assert_array_equal(kept, np.array([row[1:] for row in expected], np.float32).reshape(-1, 4))
    assert kept.dtype == np.float32 and classes.dtype == np.int32
    assert dropped == len(array) - len(expected)
