"""Augmentation as a whole: coloured rectangles are found where the boxes say, whatever was done to the picture."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.augmentation import assert_same, everything, one_of
from tests.helpers.example_pictures import SEEDS, find, noise_example, rectangles, sharp_edges, wide_rectangles
from yolojax.data.augment import (
    AugmentConfig,
    Example,
    augment,
    blur,
    crop,
    flip_horizontal,
    flip_vertical,
    hsv,
    iou_crop,
    noise,
    rotate,
    scale,
    shear,
    translate,
    transpose,
)

FUNCTIONS = {
    "flip_horizontal": flip_horizontal,
    "flip_vertical": flip_vertical,
    "transpose": transpose,
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
    "rotate": rotate,
    "shear": shear,
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
        same = SINGLE[name](np.random.default_rng(seed), example, probability=0.0)
        assert all(one is other for one, other in zip(same, example, strict=True))
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
    # What is turned is no upright rectangle any more; `test_affine.py` has its boxes.
    "rotation_probability": 0.0, "shear_probability": 0.0,
}  # fmt: skip


# Where the seam of a mosaic cuts the fade of a magnified edge, its half is not there to be found.
TOLERANCE = {0.0: 0.6, 1.0: 1.1}


@settings(deadline=None, max_examples=100)
@given(mosaics=st.sampled_from([0.0, 1.0]), probability=st.sampled_from([0.5, 1.0]), **CHAIN)
def test_rectangles_are_where_the_boxes_say_after_a_chain(mosaics, probability, red, green, size, seed):
    config = everything(mixup_probability=0.0, mosaic_probability=mosaics, scale_probability=probability, **GENTLE)
    config.iou_crop_probability = config.crop_probability = 0.5
    # A warp that shrinks by 0.7 / 1.3 ** 0.5 may miss an edge by 0.2 pixels; noise and blur move its half by less than that.
    assert_found(*chain(config, red, green, size, seed), TOLERANCE[mosaics])


@settings(deadline=None, max_examples=100)
@given(mosaics=st.sampled_from([0.0, 1.0]), **CHAIN)
def test_rectangles_are_where_the_boxes_say_after_a_chain_with_mixup(mosaics, red, green, size, seed):
    config = everything(hsv_probability=0.0, mosaic_probability=mosaics, **GENTLE)
    config.iou_crop_probability = config.crop_probability = 0.5
    assert_found(*chain(config, red, green, size, seed), TOLERANCE[mosaics])


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
