"""The host pipeline: pictures and boxes to batches, where every sample is a function of (seed, epoch, index).

Nothing here keeps random state: the samples of a step and its input size follow from the step alone (`sampling`), so a run
that resumes at a step continues as if it had never stopped.
"""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.assign_rule import build_assign, check_room, checked_targets, no_targets
from yolojax.data.augment.order import augment, augment_into
from yolojax.data.batch import Batch, ValBatch
from yolojax.data.darknet_fit import FITS
from yolojax.data.example import Example, clip_boxes
from yolojax.data.images import ImageTransform, fitted_aspect, fitted_size, letterbox_boxes, letterbox_transform
from yolojax.data.sampling import AUGMENT, class_balanced_weights, repeat_factors, sampler, step_grid
from yolojax.data.source import Source, UnreadablePicture
from yolojax.data.stored import StoredJpeg
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.threads import thread_pool
from yolojax.targets import Targets

if TYPE_CHECKING:
    from yolojax.config import Config

_Result = TypeVar("_Result")


class Sample(NamedTuple):
    """One picture, ready for the network.

    Attributes:
        image: (H, W, 3) RGB of the network's input size; uint8, or float32 in [0, 1] if it is fitted as Darknet does.
        targets: its boxes and the slots responsible for them.
        original: the example before it was fitted into the input, augmented in training. Where the fit is "letterbox" and the
            user has no augmentation of their own, a training picture is fitted as it is augmented: then the original is what
            lies within the margins of the input.
        transform: how the original lies in the input.
        dropped_small: the number of boxes left out because less than a pixel of them was inside the picture.
        dropped_excess: the number of boxes left out because there were more than `max_boxes`.
        unreadable: 1 if another picture replaces one that cannot be read, else 0.
    """

    image: np.ndarray
    targets: Targets
    original: Example
    transform: ImageTransform
    dropped_small: int
    dropped_excess: int
    unreadable: int


def train_sampler(source: Source, config: Config) -> Callable[[int], list[tuple[int, int]]]:
    """Make the function that chooses the samples of a training step, as `config.data.sampling` says.

    Args:
        source: the training pictures.
        config: the configuration of the run.

    Returns:
        A function of a step that returns its samples as (epoch, index); see `sampling.sampler`.

    Raises:
        InputError: the sampling weighs classes, but the source has no `records` to count them in.
    """
    weights = None
    if config.data.sampling != "uniform":
        records: Sequence[Record] | None = getattr(source, "records", None)
        if records is None:
            raise InputError(f"config.data.sampling: {config.data.sampling!r} needs annotated pictures; use 'uniform'")
        class_lists = [record.classes[~record.crowd] for record in records]
        if config.data.sampling == "repeat_factor":
            weights = repeat_factors(class_lists, config.data.repeat_threshold)
        else:
            weights = class_balanced_weights(class_lists)
    return sampler(config.seed, config.train.batch_size, len(source), weights)


def train_sample(source: Source, config: Config, grid: AnchorGrid, epoch: int, index: int, parts: Parts = NO_PARTS) -> Sample:
    """Make the training sample of (config.seed, epoch, index), augmented.

    Args:
        source: the training pictures.
        config: the configuration of the run.
        grid: the grid of the input size.
        epoch: the epoch, from 0.
        index: the picture, modulo len(source); indices from len(source) on show pictures again, augmented differently.
        parts: parts that a program gives as objects.

    Raises:
        UnreadablePicture: the picture cannot be read; with `config.data.on_unreadable` "skip" it is replaced by the next one
            that can be read.
        InputError: no picture can be read.
    """
    read = getattr(source, "stored_example", source.example)

    def read_decodable(epoch: int, index: int) -> Example:
        example = read(epoch, index)
        if isinstance(example.image, StoredJpeg):
            example.image.read()
        return example

    try:
        return _train_sample(source, read, config, grid, epoch, index, parts)
    except UnreadablePicture:
        if config.data.on_unreadable == "stop":
            raise
    # A JPEG was found damaged when it was drawn: this time each is tried before it is chosen.
    return _train_sample(source, read_decodable, config, grid, epoch, index, parts)


def _train_sample(
    source: Source,
    read: Callable[[int, int], Example],
    config: Config,
    grid: AnchorGrid,
    epoch: int,
    index: int,
    parts: Parts,
) -> Sample:
    """`train_sample` with the function that reads an example."""
    rng = np.random.default_rng([config.seed, AUGMENT, epoch, index])
    options = config.data.augment
    example, skipped = _readable(source, read, config, epoch, index)
    # At most one, even if several were tried: each is counted when its own turn comes.
    unreadable = int(skipped > 0)
    draw_other = None
    if epoch < config.train.epochs - options.mix_off_epochs:

        def draw_other(rng: np.random.Generator) -> Example:
            return _readable(source, read, config, epoch, int(rng.integers(len(source))))[0]

    if config.data.fit == "letterbox" and not options.more:
        image, boxes, classes, whole = augment_into(rng, example, options, grid.size, draw_other)
        transform = letterbox_transform(whole, grid.size)
        targets = _targets(boxes, classes, whole, transform, config, grid, parts)
        (height, width), (scale, left, top) = fitted_size(whole, grid.size), transform
        drawn = Example(
            image[top : top + height, left : left + width], letterbox_boxes(boxes, ImageTransform(scale, 0, 0)), classes
        )
        return Sample(image, targets[0], drawn, ImageTransform(1, left, top), *targets[1:], unreadable)
    varied = augment(rng, example, options, size=grid.size, draw_other=draw_other, parts=parts)
    return _prepare(varied, config, grid, parts, unreadable)


def _readable(
    source: Source, read: Callable[[int, int], Example], config: Config, epoch: int, index: int
) -> tuple[Example, int]:
    """The example of an index, or of the next one that can be read, and how many could not be read."""
    for skipped in range(len(source)):
        try:
            return read(epoch, (index + skipped) % len(source)), skipped
        except UnreadablePicture:
            if config.data.on_unreadable == "stop":
                raise
    raise InputError(f"{config.data.train}: none of the {len(source)} pictures can be read; check that the files are complete")


def val_sample(source: Source, config: Config, grid: AnchorGrid, index: int, parts: Parts = NO_PARTS) -> Sample | None:
    """Make the sample of a picture as it is, for evaluation; None for an unreadable picture that may be skipped."""
    try:
        return _prepare(source.example(0, index), config, grid, parts, unreadable=0)
    except UnreadablePicture:
        if config.data.on_unreadable == "stop":
            raise
        return None


def _prepare(example: Example, config: Config, grid: AnchorGrid, parts: Parts, unreadable: int) -> Sample:
    image, transform = FITS[config.data.fit](example.image, grid.size)
    targets = _targets(example.boxes, example.classes, example.image.shape[:2], transform, config, grid, parts)
    return Sample(image, targets[0], example, transform, *targets[1:], unreadable)


def _targets(
    boxes: np.ndarray,
    classes: np.ndarray,
    size: tuple[int, int],
    transform: ImageTransform,
    config: Config,
    grid: AnchorGrid,
    parts: Parts,
) -> tuple[Targets, int, int]:
    """The targets of boxes in a picture of `size` (h, w), and how many are left out as too small and as too many."""
    boxes, classes, dropped_small = clip_boxes(boxes, classes, *size)
    assign = build_assign(config.loss, config.data.max_boxes, parts)
    targets = checked_targets(assign(letterbox_boxes(boxes, transform), classes, grid), config.loss.assign_rule, grid)
    return targets, dropped_small, max(0, len(boxes) - config.data.max_boxes)


def _blank(config: Config, grid: AnchorGrid, parts: Parts) -> Sample:
    black = Example(np.zeros((*grid.size, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    return _prepare(black, config, grid, parts, unreadable=0)


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples into a batch."""
    targets = Targets(*map(np.stack, zip(*(sample.targets for sample in samples), strict=True)))
    return Batch(np.stack([sample.image for sample in samples]), targets)


def train_batches(
    source: Source,
    config: Config,
    grids: Sequence[AnchorGrid],
    start_step: int,
    stop_step: int,
    rows: Sequence[int] | np.ndarray | None = None,
    parts: Parts = NO_PARTS,
) -> Generator[tuple[Batch, dict[str, int]], None, None]:
    """Yield the batches of training steps in order; threads prefetch them.

    Args:
        source: the training pictures.
        config: the configuration of the run.
        grids: a grid for each input size; the images of a step all have one of these sizes (`step_grid`).
        start_step: the first step, from 0.
        stop_step: the step before which to stop.
        rows: the rows of each batch to read, ascending; they are the same as in the whole batch. None: all.
        parts: parts that a program gives as objects.

    Yields:
        The batch, and how many boxes and pictures were left out of it: {"dropped_small", "dropped_excess", "unreadable"}.
    """
    samples_of = train_sampler(source, config)
    empty = {grid.size: no_targets(config, grid, parts) for grid in grids}

    def jobs() -> Iterator[list[Callable[[], Sample]]]:
        for step in range(start_step, stop_step):
            grid = step_grid(config.seed, step, grids)
            samples = samples_of(step)
            samples = samples if rows is None else [samples[row] for row in rows]
            yield [functools.partial(train_sample, source, config, grid, epoch, index, parts) for epoch, index in samples]

    for samples in _in_threads(jobs(), config.data.threads):
        for sample in samples:
            check_room(sample.targets, empty[sample.image.shape[:2]], config.loss.assign_rule)
        counts = {
            name: sum(getattr(sample, name) for sample in samples) for name in ("dropped_small", "dropped_excess", "unreadable")
        }
        yield collate(samples), counts


def val_batches(
    source: Source,
    config: Config,
    grid: AnchorGrid,
    batch_size: int,
    rows: Sequence[int] | np.ndarray | None = None,
    parts: Parts = NO_PARTS,
) -> Generator[tuple[ValBatch, tuple[Sample, ...], tuple[int, ...]], None, None]:
    """Yield a split in batches, once and in order.

    Args:
        source: the pictures.
        config: the configuration of the run.
        grid: the grid of the input size.
        batch_size: the number of images in a whole batch.
        rows: the rows of each batch to read; None: all. With rows no batch is skipped, since its other rows may count: a batch
            without any readable picture is filled with blank images.
        parts: parts that a program gives as objects.

    Yields:
        A batch of `batch_size` images (or of len(rows)), filled up with copies where pictures are missing at the end or may be
        skipped; then the samples that count, and their indices.
    """
    whole = rows is None
    rows = range(batch_size) if rows is None else rows
    groups = [[first + int(row) for row in rows if first + row < len(source)] for first in range(0, len(source), batch_size)]
    empty = no_targets(config, grid, parts)
    jobs = ([functools.partial(val_sample, source, config, grid, index, parts) for index in group] for group in groups)
    for group, samples in zip(groups, _in_threads(jobs, config.data.threads), strict=True):
        read = [(index, sample) for index, sample in zip(group, samples, strict=True) if sample is not None]
        if read or not whole:
            indices = tuple(index for index, _ in read)
            samples = tuple(sample for _, sample in read)
            for sample in samples:
                check_room(sample.targets, empty, config.loss.assign_rule)
            filler = samples[-1] if samples else _blank(config, grid, parts)
            filled = samples + (filler,) * (len(rows) - len(samples))
            aspects = np.array([fitted_aspect(sample.original.image, sample.transform) for sample in filled])
            yield ValBatch(*collate(filled), aspects), samples, indices


def _in_threads(groups: Iterable[Sequence[Callable[[], _Result]]], threads: int) -> Iterator[list[_Result]]:
    """Run groups of jobs in a pool of threads and yield the results group by group, in order, two groups ahead."""
    workers = threads or min(16, os.cpu_count() or 1)
    pool = thread_pool(workers, "yolojax-data")
    waiting: collections.deque[list[Future[_Result]]] = collections.deque()
    try:
        for group in groups:
            waiting.append([pool.submit(job) for job in group])
            if len(waiting) > 2:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
