"""What goes wrong on the way from files to batches: pictures, boxes, and the threads that must not outlive it."""

import re
import threading

import numpy as np
import pytest

from tests.helpers.picture_files import without_tables
from tests.helpers.text_list import GRID, PICTURES, assert_same, relist
from yolojax.data import pipeline
from yolojax.data.augment import Example
from yolojax.data.images import read_image, write_image
from yolojax.data.pipeline import collate, train_batches, train_sample, val_batches, val_sample
from yolojax.data.sampling import sampler
from yolojax.data.source import UnreadablePicture
from yolojax.data.sources import open_split
from yolojax.errors import InputError


def spoil(config, *indices):
    """Makes files of the list unreadable."""
    for index in indices:
        with open(config.data.train.replace("list.txt", f"{index}.png"), "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\nno more")


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("yolojax-data")]


def test_boxes_of_another_resolution_are_refused(config):
    relist(config, "10,10,20,20,1 160,120,190,150,0")
    config.data.on_unreadable = "skip"
    for batches in (
        train_batches(open_split(config, "train"), config, [GRID], 0, 1),
        val_batches(open_split(config, "val"), config, GRID, 2),
    ):
        with pytest.raises(InputError, match=r"list\.txt:1: box 160,120,190,150 lies mostly outside .*alone\.png"):
            next(batches)


def test_an_unreadable_picture_stops_the_run_by_name(config):
    spoil(config, 4)
    message = rf"^{re.escape(config.data.train)}:5: .*4\.png: .*damaged"
    source = open_split(config, "train")
    steps = [step for step in range(3) if 4 in [index for _, index in sampler(config.seed, 3, 7)(step)]]
    batches = train_batches(source, config, [GRID], 0, 3)
    for _ in range(steps[0]):
        next(batches)
    with pytest.raises(InputError, match=message):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    batches = val_batches(source, config, GRID, 4)
    assert next(batches)[2] == (0, 1, 2, 3)
    with pytest.raises(InputError, match=message):
        next(batches)


def test_unreadable_pictures_are_replaced_and_counted(config):
    config.data.on_unreadable = "skip"
    for name in ("flip", "crop", "translate", "hsv"):
        setattr(config.data.augment, f"{name}_probability", 0.0)
    source = open_split(config, "train")
    stand_in = {index: train_sample(source, config, GRID, 1, index) for index in (3, 0)}
    spoil(config, 1, 2, 6)
    for index, instead in ((1, 3), (2, 3), (6, 0)):
        sample = train_sample(source, config, GRID, 1, index)
        assert_same(sample[:-1], stand_in[instead][:-1])
        assert sample.unreadable == 1
    assert train_sample(source, config, GRID, 1, 3).unreadable == 0
    # The one picture that is shown twice is augmented twice.
    config.data.augment.hsv_probability = 1.0
    assert (train_sample(source, config, GRID, 1, 2).image != train_sample(source, config, GRID, 1, 3).image).any()
    config.train.batch_size = len(PICTURES)
    counts = [count["unreadable"] for _, count in train_batches(source, config, [GRID], 0, 4)]
    assert counts == [3, 3, 3, 3]


def test_a_jpeg_that_is_found_damaged_when_it_is_drawn(config):
    """It counts, and is replaced, like one that is found damaged when it is opened; or it stops the run by name."""
    config.data.augment.mosaic_probability, config.train.epochs = 0.5, 99
    with open(config.data.train) as file:
        lines = file.read().replace(".png", ".jpg")
    with open(config.data.train, "w") as file:
        file.write(lines)
    for index in range(7):
        path = config.data.train.replace("list.txt", f"{index}")
        write_image(path + ".jpg", read_image(path + ".png"))
    source, samples = open_split(config, "train"), {}
    for content in (lambda whole: whole[:-100], without_tables):
        path = config.data.train.replace("list.txt", "4.jpg")
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "wb") as file:
            file.write(content(whole))
        config.data.on_unreadable = "skip"
        samples[content] = [train_sample(source, config, GRID, epoch, index) for epoch in range(4) for index in range(7)]
        config.data.on_unreadable = "stop"
        with pytest.raises(UnreadablePicture, match=rf"^{re.escape(config.data.train)}:5: .*4\.jpg: .*damaged"):
            train_sample(source, config, GRID, 0, 4)
        with open(path, "wb") as file:
            file.write(whole)
    for opened, drawn in zip(*samples.values(), strict=True):
        assert_same(opened, drawn)
    assert {sample.unreadable for sample in samples[without_tables][4::7]} == {1}


def test_unreadable_pictures_are_left_out_of_a_validation(config):
    config.data.on_unreadable = "skip"
    source = open_split(config, "val")
    spoil(config, 1, 2, 3, 6)
    groups = list(val_batches(source, config, GRID, 2))
    assert [indices for _, _, indices in groups] == [(0,), (4, 5)]  # 2 and 3 are a whole batch
    batch, samples, _ = groups[0]
    assert len(samples) == 1 and len(batch.images) == 2
    assert_same(batch[:2], collate([val_sample(source, config, GRID, 0)] * 2)[:])
    height, width = samples[0].original.image.shape[:2]
    assert height != width
    np.testing.assert_allclose(batch.aspects, [height / width] * 2, rtol=1e-6)


def test_a_list_that_cannot_be_read_at_all(config):
    config.data.on_unreadable = "skip"
    spoil(config, *range(7))
    source = open_split(config, "train")
    with pytest.raises(InputError, match=r"list\.txt: none of the 7 pictures can be read"):
        next(train_batches(source, config, [GRID], 0, 1))
    assert list(val_batches(source, config, GRID, 4)) == []


class Counting:
    """A source of one picture; `limit` is the call from which it fails."""

    def __init__(self, limit=10**9):
        self.calls, self.limit, self.lock = 0, limit, threading.Lock()

    def __len__(self):
        return 100

    def example(self, epoch, index):
        with self.lock:
            self.calls += 1
            if self.calls >= self.limit:
                raise RuntimeError("the disk is on fire")
        return Example(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))


def iterations(source, config):
    return train_batches(source, config, [GRID], 0, 20), val_batches(source, config, GRID, 3)


@pytest.mark.parametrize("kind", [0, 1], ids=["train", "val"])
def test_reading_goes_ahead_a_little(config, kind):
    source = Counting()
    batches = iterations(source, config)[kind]
    assert source.calls == 0
    next(batches)
    assert len(loader_threads()) == 2
    batches.close()
    assert 3 <= source.calls <= 9
    assert loader_threads() == []


@pytest.mark.parametrize("kind", [0, 1], ids=["train", "val"])
def test_a_fault_in_a_thread_ends_the_iteration_and_the_threads(config, kind):
    batches = iterations(Counting(limit=14), config)[kind]
    with pytest.raises(RuntimeError, match="the disk is on fire"):
        list(batches)
    assert loader_threads() == []
    assert list(batches) == []


@pytest.mark.parametrize("kind", [0, 1], ids=["train", "val"])
def test_a_fault_outside_the_threads_ends_them(config, kind, monkeypatch):
    def fail(samples):
        assert loader_threads()
        raise MemoryError

    monkeypatch.setattr(pipeline, "collate", fail)
    batches = iterations(Counting(), config)[kind]
    # The traceback is held on to, and with it all that the iteration had in hand.
    with pytest.raises(MemoryError) as caught:
        next(batches)
    assert loader_threads() == []
    assert caught.traceback


def test_an_iteration_that_ends_leaves_no_threads(config):
    for batches in iterations(Counting(), config):
        assert list(batches)
        assert loader_threads() == []
