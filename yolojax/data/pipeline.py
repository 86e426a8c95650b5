"""The host pipeline: pictures and boxes to batches, where every sample is a function of (seed, epoch, index).

Nothing here keeps random state: the samples of a step and its input size follow from the step alone (`sampling`), so a run
that is resumed at a step reads on as if it had never stopped.
"""

import collections
import functools
import os
from typing import NamedTuple

import numpy as np

from yolojax.data.augment import Example, augment, clip_boxes
from yolojax.data.darknet_fit import FITS
from yolojax.data.images import ImageTransform, fitted_aspect, letterbox_boxes
from yolojax.data.sampling import AUGMENT, class_balanced_weights, repeat_factors, sampler, step_grid
from yolojax.data.sources import UnreadablePicture
from yolojax.errors import InputError
from yolojax.runtime.threads import thread_pool
from yolojax.targets import Targets, assign


class Batch(NamedTuple):
    """What a step takes: images (B, H, W, 3) RGB, uint8 or float32 in [0, 1], and batched Targets."""

    images: np.ndarray
    targets: Targets


class ValBatch(NamedTuple):
    """What an evaluation takes: a Batch, and aspects (B,) float32, height over width of the pictures in the input."""

    images: np.ndarray
    targets: Targets
    aspects: np.ndarray


class Sample(NamedTuple):
    """One picture, ready for the network.

    Attributes:
        image: (H, W, 3) RGB of the network's input size; uint8, or float32 in [0, 1] where it is fitted as Darknet does.
        targets: Targets.
        original: the Example as it was read, before the letterbox (after the augmentation).
        transform: the ImageTransform between the two.
        dropped_small: boxes left out because under a pixel of them was inside the picture.
        dropped_excess: boxes left out because there were more than `max_boxes`.
        unreadable: 1 where another picture stands in for one that cannot be read, else 0.
    """

    image: np.ndarray
    targets: Targets
    original: Example
    transform: ImageTransform
    dropped_small: int
    dropped_excess: int
    unreadable: int


def train_sampler(source, config):
    """The function of a step to its samples, [(epoch, index), ...], by `config.data.sampling`; see `sampling.sampler`."""
    weights = None
    if config.data.sampling != "uniform":
        class_lists = [record.classes[~record.crowd] for record in source.records]
        if config.data.sampling == "repeat_factor":
            weights = repeat_factors(class_lists, config.data.repeat_threshold)
        else:
            weights = class_balanced_weights(class_lists)
    return sampler(config.seed, config.train.batch_size, len(source), weights)


def train_sample(source, config, grid, epoch, index):
    """The training sample of (config.seed, epoch, index), augmented; an index from len(source) on shows a picture once more.

    An unreadable picture raises, or, with `config.data.on_unreadable` "skip", is replaced by the next one that can be read.
    """
    rng = np.random.default_rng([config.seed, AUGMENT, epoch, index])
    example, skipped = _readable(source, config, epoch, index)
    mixed = epoch < config.train.epochs - config.data.augment.mix_off_epochs
    example = augment(
        rng,
        example,
        config.data.augment,
        size=grid.size,
        draw_other=(lambda rng: _readable(source, config, epoch, int(rng.integers(len(source))))[0]) if mixed else None,
    )
    # One, however many were tried: each of those is counted where its own turn comes.
    return _prepare(example, config, grid, unreadable=int(skipped > 0))


def _readable(source, config, epoch, index):
    """The example of an index, or of the next one that can be read, and how many could not be."""
    for skipped in range(len(source)):
        try:
            return source.example(epoch, (index + skipped) % len(source)), skipped
        except UnreadablePicture:
            if config.data.on_unreadable == "stop":
                raise
    raise InputError(f"{config.data.train}: none of the {len(source)} pictures can be read; see that the files are whole")


def val_sample(source, config, grid, index):
    """The sample of a picture as it is, for evaluation; None for an unreadable one that may be skipped."""
    try:
        return _prepare(source.example(0, index), config, grid, unreadable=0)
    except UnreadablePicture:
        if config.data.on_unreadable == "stop":
            raise
        return None


def _prepare(example, config, grid, unreadable):
    image, transform = FITS[config.data.fit](example.image, grid.size)
    height, width = example.image.shape[:2]
    boxes, classes, dropped_small = clip_boxes(example.boxes, example.classes, height, width)
    targets = assign(
        letterbox_boxes(boxes, transform),
        classes,
        grid,
        max_boxes=config.data.max_boxes,
        iou_threshold=config.loss.assign_iou,
        rule=config.loss.assign_rule,
    )
    excess = max(0, len(boxes) - config.data.max_boxes)
    return Sample(image, targets, example, transform, dropped_small, excess, unreadable)


def _blank(config, grid):
    nothing = Example(np.zeros((*grid.size, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    return _prepare(nothing, config, grid, unreadable=0)


def collate(samples):
    """Stacks samples into a Batch."""
    targets = Targets(*map(np.stack, zip(*(sample.targets for sample in samples), strict=True)))
    return Batch(np.stack([sample.image for sample in samples]), targets)


def train_batches(source, config, grids, start_step, stop_step, rows=None):
    """Yields (Batch, counts) for the steps from `start_step` to before `stop_step`, made by threads ahead of time.

    grids holds an AnchorGrid for each input size; the pictures of a step all have one of these sizes (`step_grid`).
    counts is {"dropped_small", "dropped_excess", "unreadable"}: numbers of boxes and pictures left out of this batch. With
    rows, ascending integers, only those rows of each batch are read, and counted; they are as in the whole batch.
    """
    samples_of = train_sampler(source, config)

    def jobs():
        for step in range(start_step, stop_step):
            grid = step_grid(config.seed, step, grids)
            samples = samples_of(step)
            samples = samples if rows is None else [samples[row] for row in rows]
            yield [functools.partial(train_sample, source, config, grid, epoch, index) for epoch, index in samples]

    for samples in _in_threads(jobs(), config.data.threads):
        counts = {
            name: sum(getattr(sample, name) for sample in samples) for name in ("dropped_small", "dropped_excess", "unreadable")
        }
        yield collate(samples), counts


def val_batches(source, config, grid, batch_size, rows=None):
    """Yields (ValBatch, samples, indices) over a split once, in order.

    The batch always holds `batch_size` pictures, the last one filled up with copies; samples and indices name those that
    count, without the unreadable pictures that may be skipped. With rows, integers, only those rows of each batch are read, and
    every batch is there, as its other rows may count: filled up with blank pictures where none of these can be read.
    """
    whole = rows is None
    rows = range(batch_size) if whole else rows
    groups = [[first + int(row) for row in rows if first + row < len(source)] for first in range(0, len(source), batch_size)]
    jobs = ([functools.partial(val_sample, source, config, grid, index) for index in group] for group in groups)
    for group, samples in zip(groups, _in_threads(jobs, config.data.threads), strict=True):
        read = [(index, sample) for index, sample in zip(group, samples, strict=True) if sample is not None]
        if read or not whole:
            read_indices, samples = zip(*read, strict=True) if read else ((), ())
            filler = samples[-1] if samples else _blank(config, grid)
            filled = samples + (filler,) * (len(rows) - len(samples))
            aspects = np.array([fitted_aspect(sample.original.image, sample.transform) for sample in filled])
            yield ValBatch(*collate(filled), aspects), samples, read_indices


def _in_threads(groups, threads):
    """Runs groups of jobs in a pool of threads and yields the results group by group, in order, two groups ahead."""
    workers = threads or min(16, os.cpu_count() or 1)
    pool = thread_pool(workers, "yolojax-data")
    waiting = collections.deque()
    try:
        for group in groups:
            waiting.append([pool.submit(job) for job in group])
            if len(waiting) > 2:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
