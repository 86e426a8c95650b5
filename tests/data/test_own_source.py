"""A source of the user's own: what it must have, what is added, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import own_parts
from yolojax.config import Config
from yolojax.data.example import Example
from yolojax.data.own_source import OwnSource
from yolojax.data.pipeline import train_batches, val_batches
from yolojax.data.source import UnreadablePicture
from yolojax.data.sources import open_split, truth
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import Parts, recorded
from yolojax.targets import assign

IMAGE = np.full((32, 48, 3), 7, np.uint8)


class Least:
    """The least that a source must have."""

    names = ("cat", "dog")

    def __init__(self, example=(IMAGE, [[1, 2, 30, 20]], [1]), length=3):
        self.value, self.length = example, length

    def __len__(self):
        return self.length

    def example(self, epoch, index):
        return self.value


def config_of(source):
    config = Config()
    config.data.source = source
    config.data.size = (32, 64)
    config.data.max_boxes = 4
    return config


def opened(make):
    return (
        open_split(config_of("<x of y>"), "val", Parts(source=make))
        if callable(make)
        else OwnSource(make, "mine:source", "val")
    )


def test_the_least_that_a_source_has_is_enough():
    source = opened(Least())
    assert len(source) == 3 and source.names == ("cat", "dog") and source.fingerprint() is None and source.notes("val") == []
    example = source.example(0, 1)
    assert example.boxes.dtype == np.float32 and example.classes.dtype == np.int32
    assert source.describe(2) == "example 2 of mine:source, val" and source.title(2) == "val 2"
    boxes, classes, ignored = truth(source, 1, example)
    assert boxes.tolist() == [[1, 2, 30, 20]] and classes.tolist() == [1] and ignored.tolist() == [False]


def test_what_a_source_says_of_itself_is_kept():
    class Whole(Least):
        def describe(self, index):
            return f"row {index}"

        def title(self, index):
            return f"r{index}"

        def notes(self, split):
            return [f"{split} is small"]

        def fingerprint(self):
            return ("v1", 3)

        def truth(self, index, example):
            return example.boxes, example.classes, np.array([True])

    source = opened(Whole())
    assert (source.describe(1), source.title(1), source.notes("val")) == ("row 1", "r1", ["val is small"])
    assert source.fingerprint() == {"own": ["v1", 3], "examples": 3}
    assert truth(source, 0, source.example(0, 0))[2].tolist() == [True]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (type("S", (Least,), {"names": "cat"})(), "names must be a list of class names, not 'cat'"),
        (type("S", (Least,), {"names": ["a", "a"]})(), "names must be different"),
        (type("S", (Least,), {"names": []})(), "names must be different, at least one"),
        (type("S", (Least,), {"example": None})(), "has no example"),
        (Least(length=0), "it has no examples"),
        (object(), "names must be a list of class names, not None"),
    ],
)
def test_what_is_no_source_is_refused(source, message):
    with pytest.raises(InputError, match=rf"^config\.data\.source: mine:source, split 'val': .*{message}"):
        opened(source)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            (IMAGE.astype(np.float32), [], []),
            r"an image that is an RGB array .* of uint8, in NumPy, not \(32, 48, 3\) of float32",
        ),
        ((IMAGE[..., 0], [], []), r"not \(32, 48\) of uint8"),
        (("picture.jpg", [], []), "not str"),
        ((jnp.asarray(IMAGE), [], []), "in NumPy, not ArrayImpl"),
        ((IMAGE, [[1, 2, 3, 4]], []), "as many classes as boxes, not 0 and 1"),
        ((IMAGE, [[1, 2, np.nan, 4]], [0]), "boxes that are finite"),
        ((IMAGE, [[1, 2, 3, 4]], [0.5]), "whole numbers from 0"),
        ((IMAGE, [[1, 2, 3, 4]], [-1]), "whole numbers from 0"),
        ((IMAGE, [[1, 2, 3]], [0]), "must return an Example"),
        ({"image": IMAGE}, "must return an Example"),
        ((IMAGE, [[1, 2, 3, 4]], [2]), "class 2 has no name; the classes are cat, dog"),
    ],
)
def test_examples_are_checked(value, message):
    with pytest.raises(InputError, match=rf"split 'val': example\(0, 1\).*{message}"):
        opened(Least(value)).example(0, 1)


def test_other_values_of_what_a_source_may_have():
    class Odd(Least):
        records = ({"file": "a.jpg"},) * 3

        def notes(self, split):
            return "one line"

        def example(self, epoch, index):
            raise RuntimeError("no such row")

    source = opened(Odd())
    assert source.notes("val") == ["one line"]
    with pytest.raises(RuntimeError, match="no such row") as caught:
        source.example(0, 2)
    assert caught.value.__notes__ == ["config.data.source: mine:source, split 'val': example(0, 2)"]
    config = config_of("<x of y>")
    config.data.sampling = "repeat_factor"
    with pytest.raises(InputError, match="'repeat_factor' needs annotated pictures"):
        next(train_batches(source, config, [AnchorGrid((32, 64))], 0, 1))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (([[1, 2, 3, 4]], [0]), r"must return boxes \(n, 4\), classes \(n,\), ignored \(n,\): not enough values"),
        (([[1, 2, 3, 4]], [0], [True, False]), r"must return ignored \(1,\), one for each box, not \(2,\)"),
        (([[1, 2, 3, 4]], [0, 1], [True]), "as many classes as boxes, not 2 and 1"),
        (None, "must return boxes"),
    ],
)
def test_a_truth_is_checked(value, message):
    source = opened(Least())
    source._source.truth = lambda index, example: value
    with pytest.raises(InputError, match=rf"split 'val': truth\(0, example\).*{message}"):
        truth(source, 0, source.example(0, 0))


def test_an_assignment_with_other_room_for_some_images_is_refused():
    def growing(boxes, classes, grid, *, max_boxes):
        return assign(boxes, classes, grid, max_boxes=max_boxes + len(boxes))

    config, parts, grid = config_of("<x of y>"), Parts(assign=growing), AnchorGrid((32, 64))
    recorded(config, parts)
    for batches in (
        train_batches(opened(Least()), config, [grid], 0, 1, parts=parts),
        val_batches(opened(Least()), config, grid, 3, parts=parts),
    ):
        with pytest.raises(InputError, match=r"growing.* returns slots of shape \(5, 9\) for one image and \(4, 9\)"):
            next(batches)


def test_a_file_that_cannot_be_read_counts_as_an_unreadable_picture():
    class Broken(Least):
        def example(self, epoch, index):
            if index == 1:
                raise OSError("disk gone")
            return super().example(epoch, index)

    source, grid = opened(Broken()), AnchorGrid((32, 64))
    with pytest.raises(UnreadablePicture, match="disk gone"):
        source.example(0, 1)
    config = config_of("<x of y>")
    config.data.on_unreadable = "skip"
    ((_, _, indices),) = val_batches(source, config, grid, 4)
    assert indices == (0, 2)


def test_a_source_is_opened_by_name_with_its_options_and_by_object():
    config = config_of("tests.helpers.own_parts:source")
    config.data.options = {"length": 5}
    assert len(open_split(config, "train")) == 5 and open_split(config, "val").fingerprint()["own"]["length"] == 4
    assert len(open_split(config, "train", Parts(source=own_parts.source))) == 5
    made = []
    opened(lambda config, split: made.append((config.data.size, split)) or Least())
    assert made == [((32, 64), "val")]
    config.data.options = {"lenght": 5}
    with pytest.raises(InputError, match=r"data\.source: .*source\(config, split, \*, length=16\).*config\.data\.options"):
        open_split(config, "train")


def test_batches_use_the_users_augmentation_and_assignment():
    config = config_of("<x of y>")
    config.data.augment.flip_probability = config.data.augment.crop_probability = 0
    config.data.augment.translate_probability = config.data.augment.hsv_probability = 0
    config.data.augment.more, config.loss.assign_rule = ("<a of b>",), "tests.helpers.own_parts:rule"
    config.train.batch_size = 3

    def invert(rng, example):
        return Example(255 - example.image, example.boxes, example.classes)

    parts = Parts(augment=invert)
    recorded(config, parts)
    grid = AnchorGrid((32, 64))
    ((batch, _),) = train_batches(opened(Least()), config, [grid], 0, 1, parts=parts)
    assert batch.targets.slots.shape == (3, 4, 11) and (batch.images[:, 16, 32] == 248).all()
    ((val, _, _),) = val_batches(opened(Least()), config, grid, 3, parts=parts)
    assert val.targets.slots.shape == (3, 4, 11) and (val.images[:, 16, 32] == 7).all()
