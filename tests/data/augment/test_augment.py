"""Augmentation as a whole: coloured rectangles are found where the boxes say, whatever was done to the picture."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.example_pictures import SEEDS, find, noise_example, rectangles, sharp_edges, wide_rectangles
from yolojax.data.augment import (
    AugmentConfig,
    Example,
    augment,
    blur,
    crop,
    flip_horizontal,
    hsv,
    iou_crop,
    mixup,
    mosaic,
    noise,
    scale,
    translate,
)

FUNCTIONS = {
    "flip_horizontal": flip_horizontal,
    "crop": crop,
    "translate": translate,
    "hsv": hsv,
    "augment": lambda rng, example, probability: augment(
        rng, example, AugmentConfig(probability, probability, probability, probability)
    ),
}
SINGLE = FUNCTIONS | {
    "iou_crop": functools.partial(iou_crop, overlaps=(0.0,), min_visible=0.0),  # with others it may find no window
    "scale": scale,
    "blur": blur,
    "noise": noise,
}


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


@pytest.mark.parametrize("name", SINGLE)
def test_same_seed_same_result_and_another_seed_another(name):
    example = noise_example()
    results = []
    for seed in (3, 3, *range(4, 12)):
        results.append(SINGLE[name](np.random.default_rng(seed), example, probability=0.5))
    for one, two in zip(results[0], results[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert len({result.image.tobytes() + bytes(result.image.shape) for result in results}) > 1


@pytest.mark.parametrize("name", SINGLE)
def test_probability(name):
    example = noise_example()
    for seed in range(20):
        assert SINGLE[name](np.random.default_rng(seed), example, probability=0.0) is example
    if name != "augment":
        rng = np.random.default_rng(0)
        changed = sum(SINGLE[name](rng, example, probability=0.3) is not example for _ in range(1000))
        assert 250 < changed < 350


def test_memory_that_cannot_be_written():
    examples = [noise_example(seed) for seed in range(4)]
    for array in itertools.chain(*examples):
        array.setflags(write=False)
    for seed in range(20):
        augment(np.random.default_rng(seed), examples[0], AugmentConfig(1.0, 1.0, 1.0, 1.0))
        augment(np.random.default_rng(seed), examples[0], everything(), size=(64, 96), draw_other=one_of(examples))
        for function in SINGLE.values():
            function(np.random.default_rng(seed), examples[0], probability=1.0)


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


def everything(**changes):
    """The configuration of all augmentation at once."""
    config = AugmentConfig()
    for field in dataclasses.fields(config):
        if field.name.endswith("_probability"):
            setattr(config, field.name, 1.0)
    return dataclasses.replace(config, **changes)


def one_of(examples):
    """What draws another of a few examples."""
    return lambda rng: examples[rng.integers(len(examples))]


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


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
        blur_sigma=2.0, noise_deviation=20.0, mosaic_smallest=0.6, mosaic_largest=1.3, mixup_alpha=4.0, min_visible=0.5,
        crop_probability=crops, iou_crop_probability=crops, mixup_probability=mixes,
    )  # fmt: skip
    pictures = [noise_example(seed, 60, 80) for seed in range(6)]
    draw_other = one_of(pictures)

    def moved(rng, example):
        rng.random()  # whether there is a mosaic
        others = [draw_other(rng) for _ in range(3)]
        example = mosaic(rng, example, others, size=(64, 96), smallest=0.6, largest=1.3, min_visible=0.5)
        example = flip_horizontal(rng, example, probability=1.0)
        example = iou_crop(rng, example, probability=crops, smallest=0.5, min_visible=0.5)
        example = translate(rng, crop(rng, example, probability=crops), probability=1.0)
        return scale(rng, example, probability=1.0, smallest=0.7, largest=1.2, aspect=1.1, min_visible=0.5)

    for seed in range(20):
        rng = np.random.default_rng(seed)
        expected = moved(rng, pictures[0])
        if mixes:
            rng.random()
            expected = mixup(rng, expected, moved(rng, draw_other(rng)), alpha=4.0)
        expected = hsv(rng, expected, probability=1.0, hue=0.2, saturation=2.0, value=1.7)
        expected = blur(rng, expected, probability=1.0, sigma=2.0)
        expected = noise(rng, expected, probability=1.0, deviation=20.0)
        assert_same(augment(np.random.default_rng(seed), pictures[0], config, size=(64, 96), draw_other=draw_other), expected)


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


def chain(config, red, green, size, seed):
    """A picture with a red rectangle through all of `config`; the first of the other pictures has a green one."""
    black = Example(np.zeros((50, 70, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    others = itertools.chain([green], itertools.repeat(black))
    return augment(np.random.default_rng(seed), red, config, size=size, draw_other=lambda rng: next(others))


def assert_found(image, boxes, classes, tolerance):
    height, width = image.shape[:2]
    assert image.dtype == np.uint8 and boxes.dtype == np.float32 and classes.dtype == np.int32
    for box, channel in zip(boxes, classes, strict=True):
        if (box[2:] - box[:2] < 8).any():
            continue
        # Where a rectangle ends near the picture's edge, blur mirrors it there.
        inside = np.minimum(box, [width, height, width, height] - box) > 4
        np.testing.assert_allclose(box[inside], sharp_edges(image, channel)[inside], atol=tolerance)


CHAIN = {
    "red": wide_rectangles(channels=(0,)),
    "green": wide_rectangles(channels=(1,)),
    "size": st.tuples(st.sampled_from([96, 128, 160]), st.sampled_from([96, 128, 160])),
    "seed": SEEDS,
}
GENTLE = {
    "scale_smallest": 0.7, "mosaic_smallest": 0.7, "blur_sigma": 1.0, "noise_deviation": 4.0, "hue": 0.02, "mixup_alpha": 50.0,
    "value": 1.2, "saturation": 1.2,
}  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(probability=st.sampled_from([0.5, 1.0]), **CHAIN)
def test_rectangles_are_where_the_boxes_say_after_a_chain(probability, red, green, size, seed):
    config = everything(mixup_probability=0.0, mosaic_probability=probability, scale_probability=probability, **GENTLE)
    config.iou_crop_probability = config.crop_probability = 0.5
    # A warp that shrinks by 0.7 / 1.3 ** 0.5 may miss an edge by 0.2 pixels; noise and blur move its half by less than that.
    assert_found(*chain(config, red, green, size, seed), tolerance=0.6)


@settings(deadline=None, max_examples=100)
@given(mosaics=st.sampled_from([0.0, 1.0]), **CHAIN)
def test_rectangles_are_where_the_boxes_say_after_a_chain_with_mixup(mosaics, red, green, size, seed):
    config = everything(hsv_probability=0.0, mosaic_probability=mosaics, **GENTLE)
    config.iou_crop_probability = config.crop_probability = 0.5
    assert_found(*chain(config, red, green, size, seed), tolerance=0.6)


def test_chains_repeat_and_leave_their_input_alone():
    examples = [noise_example(seed) for seed in range(4)]
    before = [tuple(array.copy() for array in example) for example in examples]
    results = [
        augment(np.random.default_rng(seed), examples[0], everything(), size=(64, 96), draw_other=one_of(examples))
        for seed in (1, 1, 2)
    ]
    assert_same(results[0], results[1])
    assert results[0].image.tobytes() != results[2].image.tobytes()
    for example, copy in zip(examples, before, strict=True):
        assert_same(example, copy)


def test_chains_of_pictures_of_a_pixel_and_without_boxes():
    sizes = [(1, 1), (1, 9), (40, 1), (30, 40)]
    examples = [
        Example(np.full((h, w, 3), 9, np.uint8), np.array([[0, 0, w, h]] * n, np.float32).reshape(-1, 4), np.zeros(n, np.int32))
        for (h, w), n in itertools.product(sizes, (0, 1))
    ]
    for seed, example in itertools.product(range(10), examples):
        for mosaics in (0.0, 1.0):
            result = augment(
                np.random.default_rng(seed), example, everything(mosaic_probability=mosaics), draw_other=one_of(examples)
            )
            assert min(result.image.shape[:2]) >= 1 and result.boxes.shape == (len(result.classes), 4)
