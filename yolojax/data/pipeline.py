"""The host pipeline: pictures and boxes to batches, where every sample is a function of (seed, epoch, index).

Nothing here keeps random state: the samples of a step and its input size follow from the step alone (`sampling`), so a run
that resumes at a step continues as if it had never stopped.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.assign_rule import check_room, no_targets
from yolojax.data.batch import Batch, ValBatch
from yolojax.data.images import fitted_aspect
from yolojax.data.sample import Sample, blank_sample, train_sample, val_sample
from yolojax.data.sampling import class_balanced_weights, repeat_factors, sampler, step_grid
from yolojax.data.source import Source
from yolojax.data.worker_processes import COUNTS, Forms, Make, empty_batch, forms_of, sample_processes, samples_at_once
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts
from yolojax.runtime.threads import thread_pool
from yolojax.targets import Targets

if TYPE_CHECKING:
    from yolojax.config import Config

_Result = TypeVar("_Result")


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
    """Yield the batches of training steps in order; threads, or `config.data.processes`, prefetch them.

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
    rooms = [(grid, no_targets(config, grid, parts)) for grid in grids]
    make = functools.partial(_roomy_sample, source, config, Parts(assign=parts.assign, augment=parts.augment), rooms)

    def steps() -> Iterator[tuple[int, list[tuple[int, int]]]]:
        for step in range(start_step, stop_step):
            samples = samples_of(step)
            size = grids.index(step_grid(config.seed, step, grids))
            yield size, samples if rows is None else [samples[row] for row in rows]

    if config.data.processes:
        sizes = [forms_of(blank_sample(config, grid, parts)) for grid in grids]
        yield from batches_by_processes(steps(), make, sizes, config.data.processes)
        return
    jobs = ([functools.partial(make, size, *sample) for sample in samples] for size, samples in steps())
    for samples in _in_threads(jobs, config.data.threads):
        yield collate(samples), {name: sum(getattr(sample, name) for sample in samples) for name in COUNTS}


def _roomy_sample(
    source: Source, config: Config, parts: Parts, rooms: Sequence[tuple[AnchorGrid, Targets]], size: int, epoch: int, index: int
) -> Sample:
    """A training sample of a size for whose grid and targets there is room in a batch."""
    grid, empty = rooms[size]
    sample = train_sample(source, config, grid, epoch, index, parts)
    check_room(sample.targets, empty, config.loss.assign_rule)
    return sample


def batches_by_processes(
    steps: Iterable[tuple[int, Sequence[tuple[int, int]]]], make: Make, sizes: Sequence[Forms], processes: int
) -> Iterator[tuple[Batch, dict[str, int]]]:
    """Yield batches of any samples that processes make.

    Args:
        steps: (k, [(epoch, index), ...]) for each batch, of input size number k.
        make: function (k, epoch, index) -> Sample, which has an importable name, or is a `functools.partial` of such a one.
        sizes: for each input size the shapes and dtypes of its samples (`worker_processes.forms_of`).
        processes: the number of processes.

    Yields:
        The batch, and the sums of `worker_processes.COUNTS`.

    Raises:
        InputError: as for `worker_processes.sample_processes`.
    """
    with sample_processes(processes, make, sizes) as fill:

        def jobs() -> Iterator[list[Callable[[], tuple[Batch, dict[str, int]]]]]:
            for size, samples in steps:
                batch, run = empty_batch(sizes[size], len(samples)), samples_at_once(len(samples), processes)
                starts = range(0, len(samples), run)
                yield [functools.partial(fill, size, samples[first : first + run], batch, first) for first in starts]

        with contextlib.closing(_in_threads(jobs(), processes)) as filled:
            for runs in filled:
                yield runs[0][0], {name: sum(counts[name] for _, counts in runs) for name in COUNTS}


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
            filler = samples[-1] if samples else blank_sample(config, grid, parts)
            filled = samples + (filler,) * (len(rows) - len(samples))
            aspects = np.array([fitted_aspect(sample.original.image, sample.transform) for sample in filled])
            yield ValBatch(*collate(filled), aspects), samples, indices


def _in_threads(groups: Iterable[Sequence[Callable[[], _Result]]], threads: int) -> Generator[list[_Result], None, None]:
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
