"""The host pipeline: every sample a function of (seed, epoch, index), whatever the threads and wherever reading starts."""

import itertools
import subprocess
import sys

import numpy as np

from tests.helpers.text_list import GRID, PICTURES, assert_same, relist
from yolojax.data.images import letterbox, read_image
from yolojax.data.pipeline import collate, train_batches, train_sample, val_batches, val_sample
from yolojax.data.sampling import sampler
from yolojax.data.sources import open_split
from yolojax.targets import assign


def test_a_batch_reaches_over_the_end_of_an_epoch(config):
    source = open_split(config, "train")
    crossing = sampler(config.seed, 3, len(PICTURES))(2)
    assert [epoch for epoch, _ in crossing] == [0, 1, 1]
    ((batch, _),) = train_batches(source, config, [GRID], 2, 3)
    assert_same(batch, collate([train_sample(source, config, GRID, epoch, index) for epoch, index in crossing]))


def test_batches_depend_neither_on_threads_nor_on_the_first_step(config):
    source = open_split(config, "train")
    config.data.threads = 1
    expected = list(train_batches(source, config, [GRID], 0, 8))
    assert len(expected) == 8
    for threads, start in ((1, 3), (2, 0), (3, 7), (5, 2), (0, 1), (2, 8)):
        config.data.threads = threads
        np.random.seed(threads)  # noqa: NPY002 (no state outside may matter)
        assert_same(list(train_batches(open_split(config, "train"), config, [GRID], start, 8)), expected[start:])
    images = [batch.images.tobytes() for batch, _ in expected]
    assert len(set(images)) == 8


def test_two_iterations_at_once_do_not_disturb_each_other(config):
    source = open_split(config, "train")
    expected = list(train_batches(source, config, [GRID], 0, 4))
    both = itertools.zip_longest(train_batches(source, config, [GRID], 0, 4), train_batches(source, config, [GRID], 0, 4))
    for (one, two), wanted in zip(both, expected, strict=True):
        assert_same(one, wanted)
        assert_same(two, wanted)


def test_a_training_sample_follows_from_seed_epoch_and_index(config):
    source = open_split(config, "train")
    sample = train_sample(source, config, GRID, 3, 2)
    train_sample(source, config, GRID, 0, 0)
    assert_same(train_sample(source, config, GRID, 3, 2), sample)
    others = [train_sample(source, config, GRID, epoch, 2) for epoch in range(4, 8)]
    config.seed += 1
    others += [train_sample(source, config, GRID, epoch, 2) for epoch in range(3, 7)]
    pictures = {other.image.tobytes() for other in [sample, *others]}
    assert len(pictures) >= 7  # an epoch may, by chance, leave the picture as it is


def test_augmentation_can_be_switched_off(config):
    for name in ("flip", "crop", "translate", "hsv"):
        setattr(config.data.augment, f"{name}_probability", 0.0)
    source = open_split(config, "train")
    for index in range(len(PICTURES)):
        train, val = train_sample(source, config, GRID, 5, index), val_sample(source, config, GRID, index)
        assert_same([train.image, train.targets], [val.image, val.targets])


def test_targets_are_those_of_the_letterboxed_boxes(config):
    source = open_split(config, "train")
    sizes = set()
    for epoch, index in itertools.product(range(3), range(len(PICTURES))):
        sample = train_sample(source, config, GRID, epoch, index)
        image, boxes, classes = sample.original
        height, width = image.shape[:2]
        sizes.add((height, width))
        scale = min(96 / width, 64 / height)
        left, top = (96 - int(scale * width)) // 2, (64 - int(scale * height)) // 2
        np.testing.assert_array_equal(sample.image, letterbox(image, (64, 96))[0])
        rows = []
        for x1, y1, x2, y2 in boxes.astype(float).tolist():
            rows.append([scale * x1 + left, scale * y1 + top, scale * x2 + left, scale * y2 + top])
        expected = assign(np.array(rows).reshape(-1, 4), classes, GRID, max_boxes=5, iou_threshold=0.3)
        np.testing.assert_allclose(sample.targets.boxes, expected.boxes, atol=1e-4)
        assert_same(sample.targets[1:], expected[1:])
    assert len(sizes) > len(PICTURES)


def test_a_sample_by_hand(config):
    relist(config, "16,8,56,32,1", size=(128, 32))
    source = open_split(config, "val")
    # 128 x 32 pixels fit 96 x 64 at a scale of 0.75: 96 x 24 pixels, 20 below the top.
    sample = val_sample(source, config, GRID, 0)
    assert sample.transform == (0.75, 0, 20)
    assert (sample.image[20:44] == 0).all() and (sample.image[:20] == 128).all() and (sample.image[44:] == 128).all()
    np.testing.assert_array_equal(sample.targets.boxes[0], [27, 35, 30, 18])
    assert sample.targets.classes.tolist() == [1, -1, -1, -1, -1]
    # The box lies in cell (2, 1) of 4 x 6, slots from 26, and (1, 0) of 2 x 3, slots from 48 + 6. Centred there, the four
    # anchors overlap it by 0.089, 0.227 and 0.137, 0.173; by shape alone the third is the best.
    for rule, least, slots in (("threshold", 0.3, {27}), ("threshold", 0.15, {27, 55}), ("best", 0.3, {54})):
        config.loss.assign_rule, config.loss.assign_iou = rule, least
        targets = val_sample(source, config, GRID, 0).targets
        assert set(targets.slots[0].tolist()) - {GRID.num_slots} == slots
        assert (targets.slots[1:] == GRID.num_slots).all()


def test_pictures_without_boxes_are_negatives(config):
    sample = val_sample(open_split(config, "val"), config, GRID, 3)
    assert (sample.targets.classes == -1).all() and (sample.targets.slots == GRID.num_slots).all()
    assert not sample.targets.boxes.any() and not sample.targets.on_scale.any()
    assert sample.original.boxes.shape == (0, 4)
    relist(config, "")
    config.train.batch_size = 2
    (batch, counts), _ = train_batches(open_split(config, "train"), config, [GRID], 0, 2)
    assert (batch.targets.classes == -1).all() and batch.images.shape == (2, 64, 96, 3)
    assert counts == {"dropped_small": 0, "dropped_excess": 0, "unreadable": 0}


def test_boxes_that_are_left_out_are_counted(config):
    # The first is 0.7 pixels wide inside the picture; of the other four the two largest are kept, in their order.
    relist(config, "-0.5,0,0.7,10,0 10,10,20,20,1 30,10,60,40,2 10,50,12,52,0 50,50,90,75,1")
    config.data.max_boxes = 2
    config.train.batch_size = 3
    sample = val_sample(open_split(config, "val"), config, GRID, 0)
    assert (sample.dropped_small, sample.dropped_excess) == (1, 2)
    assert sample.targets.classes.tolist() == [2, 1]
    for name in ("flip", "crop", "translate", "hsv"):
        setattr(config.data.augment, f"{name}_probability", 0.0)
    ((_, counts),) = train_batches(open_split(config, "train"), config, [GRID], 0, 1)
    assert counts == {"dropped_small": 3, "dropped_excess": 6, "unreadable": 0}


def test_validation_batches_are_in_order_and_filled_up(config):
    source = open_split(config, "val")
    groups = list(val_batches(source, config, GRID, 3))
    assert [indices for _, _, indices in groups] == [(0, 1, 2), (3, 4, 5), (6,)]
    for batch, samples, indices in groups:
        assert batch.images.shape == (3, 64, 96, 3) and len(samples) == len(indices)
        for row, index in enumerate(indices):
            record = source.records[index]
            np.testing.assert_array_equal(batch.images[row], letterbox(read_image(record.path), (64, 96))[0])
            np.testing.assert_array_equal(samples[row].original.boxes, record.boxes)
            assert_same([member[row] for member in batch.targets], list(samples[row].targets))
    last = groups[-1][0]
    assert_same([member[:1] for member in last.targets], [member[2:] for member in last.targets])
    np.testing.assert_array_equal(last.images[0], last.images[2])
    ((batch, samples, indices),) = val_batches(source, config, GRID, 16)
    assert len(batch.images) == 16 and len(samples) == 7 and indices == tuple(range(7))


def test_some_rows_of_training_batches_are_those_of_the_whole_ones(config):
    source = open_split(config, "train")
    whole = list(train_batches(source, config, [GRID], 1, 4))
    parts = [list(train_batches(source, config, [GRID], 1, 4, rows)) for rows in ([0, 2], [1])]
    for (batch, counts), (even, even_counts), (odd, odd_counts) in zip(whole, *parts, strict=True):
        assert_same([even.images, *even.targets], [member[[0, 2]] for member in (batch.images, *batch.targets)])
        assert_same([odd.images, *odd.targets], [member[[1]] for member in (batch.images, *batch.targets)])
        assert {name: even_counts[name] + odd_counts[name] for name in counts} == counts


def test_some_rows_of_validation_batches_cover_the_split_once(config):
    source = open_split(config, "val")
    whole = {}
    for _, samples, indices in val_batches(source, config, GRID, 3):
        whole.update(zip(indices, samples, strict=True))
    parts = [list(val_batches(source, config, GRID, 3, rows)) for rows in ([0], [1, 2])]
    assert [indices for _, _, indices in parts[0]] == [(0,), (3,), (6,)]
    assert [indices for _, _, indices in parts[1]] == [(1, 2), (4, 5), ()]
    for part, size in zip(parts, (1, 2), strict=True):
        for batch, samples, indices in part:
            assert len(batch.images) == len(batch.targets.boxes) == size
            for row, (index, sample) in enumerate(zip(indices, samples, strict=True)):
                assert_same([batch.images[row], *sample.targets], [whole[index].image, *whole[index].targets])


def test_types_and_shapes_of_a_batch(config):
    (batch, counts), *_ = train_batches(open_split(config, "train"), config, [GRID], 0, 2)
    assert batch.images.dtype == np.uint8 and batch.images.shape == (3, 64, 96, 3) and batch.images.flags.c_contiguous
    shapes = {name: (member.shape, member.dtype) for name, member in batch.targets._asdict().items()}
    assert shapes == {
        "boxes": ((3, 5, 4), np.float32),
        "classes": ((3, 5), np.int32),
        "slots": ((3, 5, 4), np.int32),
        "on_scale": ((3, 5, 2), np.bool_),
    }
    assert set(map(type, counts.values())) == {int}


def test_digits_go_through_the_pipeline(digits_config):
    digits_config.train.batch_size = 6
    source = open_split(digits_config, "train")
    expected = list(train_batches(source, digits_config, [GRID], 0, 5))
    assert_same(list(train_batches(source, digits_config, [GRID], 3, 5)), expected[3:])
    batch = expected[0][0]
    assert batch.images.shape == (6, 64, 96, 3)
    assert (batch.targets.classes[:, 0] >= 0).all() and batch.targets.classes.max() <= 9


def test_the_host_side_does_without_jax():
    code = "import sys, yolojax.config, yolojax.data.pipeline; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_samples_of_an_evaluation_keep_the_size_of_their_pictures_and_not_the_pixels(config):
    source = open_split(config, "val")
    ((_, samples, _), *_) = val_batches(source, config, GRID, 4)
    for index, sample in enumerate(samples):
        whole = val_sample(source, config, GRID, index)
        assert sample.original.image.shape == whole.original.image.shape and not any(sample.original.image.strides)
        np.testing.assert_array_equal(sample.original.boxes, whole.original.boxes)
        np.testing.assert_array_equal(sample.image, whole.image)
