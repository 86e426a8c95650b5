"""Samples: a training picture is varied and fitted at once, and is what it would be if it were varied first and fitted then."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.augmentation import everything
from tests.helpers.example_pictures import sharp_edges, smooth_example
from tests.helpers.text_list import GRID, assert_same
from yolojax.config import Config
from yolojax.data.annotations import Record
from yolojax.data.augment import augment
from yolojax.data.darknet_fit import FITS
from yolojax.data.example import Example
from yolojax.data.formats.read import Annotations
from yolojax.data.images import centred, letterbox, write_image
from yolojax.data.sample import blank_sample, train_sample, val_sample
from yolojax.data.sampling import AUGMENT
from yolojax.data.sources import ListSource
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts, recorded

WIDE = AnchorGrid((96, 160), (16, 32), GRID.anchors)


class Given:
    """A source of examples in memory."""

    names = tuple("abcdefgh")

    def __init__(self, *examples):
        self.examples = examples

    def __len__(self):
        return len(self.examples)

    def example(self, epoch, index):
        return self.examples[index]


def config_of(augment, fit="letterbox"):
    config = Config(seed=5)
    config.data.augment, config.data.fit = augment, fit
    config.data.max_boxes, config.train.epochs = 20, 99.0
    return config


def literally(source, config, grid, epoch, index):
    """The example that `augment` makes with the sample's random numbers."""
    return augment(
        np.random.default_rng([config.seed, AUGMENT, epoch, index]),
        source.example(epoch, index),
        config.data.augment,
        size=grid.size,
        draw_other=lambda rng: source.example(epoch, int(rng.integers(len(source)))),
    )


HALF = {name: 0.5 for name in everything().__slots__ if name.endswith("_probability")}


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_sample_is_the_letterboxed_augmentation(noise):
    source = Given(*(smooth_example(seed, 150 + 20 * seed, 240 - 15 * seed) for seed in range(5)))
    config = config_of(dataclasses.replace(everything(), **HALF | {"noise_probability": noise}, noise_deviation=12.0))
    differences = []
    for epoch in range(8):
        for index in range(5):
            sample = train_sample(source, config, WIDE, epoch, index)
            whole = literally(source, config, WIDE, epoch, index)
            assert_same(sample.original.classes, whole.classes)
            assert sample.image.shape == (96, 160, 3) and sample.image.dtype == np.uint8
            expected, transform = letterbox(whole.image, WIDE.size)
            np.testing.assert_allclose(sample.original.boxes, whole.boxes * transform.scale, atol=1e-4)
            assert sample.transform == (1, transform.left, transform.top)
            np.testing.assert_array_equal(centred(sample.original.image, WIDE.size), sample.image)
            again, place = letterbox(sample.original.image, WIDE.size)
            if place.scale == 1:  # else rounding has left it a pixel too narrow
                np.testing.assert_array_equal(again, sample.image)
            differences.append(np.abs(sample.image.astype(int) - expected).mean())
    # Edges of pictures on grey are in the next pixel at most, noise and blur are as strong as they were.
    assert np.median(differences) < (4 if noise else 2) and max(differences) < 8


def test_what_moves_by_whole_pixels_alone_is_the_same_to_the_bit():
    source = Given(*(smooth_example(seed, 150, 240) for seed in range(3)))
    options = {name: 0.0 for name in HALF} | {"flip_probability": 0.5, "crop_probability": 0.5, "translate_probability": 0.5}
    config = config_of(dataclasses.replace(everything(), **options))
    for epoch in range(10):
        for index in range(3):
            sample = train_sample(source, config, WIDE, epoch, index)
            np.testing.assert_array_equal(
                sample.image, letterbox(literally(source, config, WIDE, epoch, index).image, WIDE.size)[0]
            )


@pytest.mark.parametrize("fit", ["darknet_letterbox", "darknet_stretch"])
def test_darknets_fits_are_darknets(fit):
    source = Given(*(smooth_example(seed, 100, 140) for seed in range(3)))
    config = config_of(dataclasses.replace(everything(), **HALF), fit)
    for epoch in range(6):
        sample = train_sample(source, config, WIDE, epoch, epoch % 3)
        whole = literally(source, config, WIDE, epoch, epoch % 3)
        assert_same(list(sample.original), list(whole))
        expected, transform = FITS[fit](whole.image, WIDE.size)
        np.testing.assert_array_equal(sample.image, expected)
        assert sample.transform == transform


def test_functions_of_the_users_own_get_the_picture_at_its_size():
    source = Given(*(smooth_example(seed, 100, 140) for seed in range(3)))
    config = config_of(dataclasses.replace(everything(), **HALF))
    seen = []

    def look(rng, example):
        assert type(example.image) is np.ndarray and example.image.dtype == np.uint8
        seen.append(example)
        return example._replace(image=255 - example.image)

    config.data.augment.more = ("<a of b>",)
    parts = Parts(augment=look)
    recorded(config, parts)
    more = config.data.augment.more
    for index in range(3):
        sample = train_sample(source, config, WIDE, 0, index, parts)
        config.data.augment.more = ()
        assert_same(list(seen[-1]), list(literally(source, config, WIDE, 0, index)))
        config.data.augment.more = more
        np.testing.assert_array_equal(sample.image, letterbox(255 - seen[-1].image, WIDE.size)[0])
    assert {example.image.shape for example in seen} != {(96, 160, 3)}


def painted(folder, count):
    """JPEGs of a red rectangle on black, each with its box, as a source that decodes them when they are drawn."""
    records = []
    for number in range(count):
        rng = np.random.default_rng(number)
        image = np.zeros((240, 320, 3), np.uint8)
        left, top = rng.integers(20, 150, 2).tolist()
        box = (left, top, left + int(rng.integers(80, 140)), top + int(rng.integers(50, 80)))
        image[box[1] : box[3], box[0] : box[2], 0] = 255
        path = str(folder / f"{number}.jpg")
        write_image(path, image)
        records.append(Record(path, np.array([box], np.float32), np.zeros(1, np.int32), f"list:{number}"))
    return ListSource(Annotations(("red",), records, []))


def test_painted_rectangles_lie_where_the_boxes_say(tmp_path):
    """With the mosaic off: one rectangle a picture, in the network's input, to a pixel, however it got there."""
    source = painted(tmp_path, 6)
    options = HALF | {"mosaic_probability": 0.0, "mixup_probability": 0.0, "rotation_probability": 0.0}
    options |= {"shear_probability": 0.0, "noise_probability": 0.0, "hsv_probability": 0.0}
    config = config_of(dataclasses.replace(everything(), **options))
    found = 0
    for epoch in range(30):
        for index in range(6):
            sample = train_sample(source, config, WIDE, epoch, index)
            image, boxes, _ = sample.original
            for box in boxes.astype(float):
                # At the picture's edge blur mirrors what ends there.
                inside = np.abs(box - [0, 0, *image.shape[1::-1]]) > 3
                if (box[2:] - box[:2] < 8).any():
                    continue
                # The letterbox rounds the picture's size down: it is up to a pixel smaller than its scale says.
                truncated = np.array([0, 0, 1, 1])[inside]
                edges = sharp_edges(image, 0)[inside]
                assert (edges < box[inside] + 0.7).all() and (edges > box[inside] - 0.7 - truncated).all()
                found += 1
    assert found > 120


def test_a_picture_for_nothing():
    sample = blank_sample(config_of(everything()), WIDE, NO_PARTS)
    assert not sample.image[48, 80].any() and (sample.targets.classes == -1).all()
    source = Given(Example(np.zeros((96, 160, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32)))
    assert_same(val_sample(source, config_of(everything()), WIDE, 0), sample)
