"""The host pipeline: pictures and boxes to batches, where every sample is a function of (seed, epoch, index).

Nothing here keeps random state: the samples of a step and its input size follow from the step alone (`sampling`), so a run
that is resumed at a step reads on as if it had never stopped.
"""

import collections
import concurrent.futures
import contextlib
import functools
import math
import os
import threading
from typing import NamedTuple

import numpy as np

from yolojax.data import digits
from yolojax.data.annotations import check_boxes_in_picture, read_names, read_text_list
from yolojax.data.augment import Example, augment, clip_boxes
from yolojax.data.formats.read import Annotations, read_annotations
from yolojax.data.image_size import read_size
from yolojax.data.images import Letterbox, cv2, letterbox, letterbox_boxes, read_image
from yolojax.data.sampling import AUGMENT, SCENE, class_balanced_weights, repeat_factors, sampler, step_grid
from yolojax.errors import InputError
from yolojax.targets import Targets, assign

GIB = 2**30
# Pictures whose headers are read to estimate the memory that all of them take.
MEASURED = 200


class Batch(NamedTuple):
    """What a step takes: images (B, H, W, 3) uint8 RGB and batched Targets."""

    images: np.ndarray
    targets: Targets


class Sample(NamedTuple):
    """One picture, ready for the network.

    Attributes:
        image: (H, W, 3) uint8 RGB of the network's input size.
        targets: Targets.
        original: the Example as it was read, before the letterbox (after the augmentation).
        transform: the Letterbox between the two.
        dropped_small: boxes left out because under a pixel of them was inside the picture.
        dropped_excess: boxes left out because there were more than `max_boxes`.
        unreadable: 1 where another picture stands in for one that cannot be read, else 0.
    """

    image: np.ndarray
    targets: Targets
    original: Example
    transform: Letterbox
    dropped_small: int
    dropped_excess: int
    unreadable: int


class ListSource:
    """Pictures of `Annotations`; `example` reads one from its file, or from memory: the first `cache_bytes` stay there."""

    def __init__(self, annotations, cache_bytes=0):
        self.names, self.records, self.left_out = annotations
        self.cache_bytes = self._free_bytes = cache_bytes
        self._images = {}
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.records)

    def notes(self, split):
        """A line for each kind of box that is not trained on or not in the records; split: what to call it."""
        crowd = sum(int(record.crowd.sum()) for record in self.records)
        notes = [f"{split}: {crowd} boxes round crowds are not trained on, and ignored in evaluation"] if crowd else []
        if self.left_out:
            notes.append(f"{split}: {len(self.left_out)} boxes without area were left out, the first at {self.left_out[0]}")
        if self.cache_bytes:
            notes.append(
                f"{split}: decoded, the pictures take about {self._estimate_bytes() / GIB:.2f} GiB of memory; "
                f"{self.cache_bytes / GIB:.2f} GiB of them are kept (config.data.cache_gib)"
            )
        return notes

    def _estimate_bytes(self):
        measured = self.records[:: -(-len(self.records) // MEASURED)]
        sizes = []
        for record in measured:
            with contextlib.suppress(InputError):  # whoever reads it whole will say so
                sizes.append(3 * math.prod(read_size(record.path)))
        return len(self.records) * sum(sizes) / max(1, len(sizes))

    def describe(self, index):
        """Names a picture for messages."""
        return f"{self.records[index].path} ({self.records[index].source})"

    def example(self, epoch, index):
        """The picture and its boxes in pixels of the picture, without those round crowds; the same in every epoch."""
        record = self.records[index]
        image = self._images.get(index)
        if image is None:
            try:
                image = read_image(record.path)
            except InputError as error:
                raise UnreadablePicture(f"{record.source}: {error}") from error
            self._keep(index, image)
        check_boxes_in_picture(record, *image.shape[:2])
        single = ~record.crowd
        return Example(image, record.boxes[single], record.classes[single])

    def _keep(self, index, image):
        with self._lock:
            if image.nbytes <= self._free_bytes and index not in self._images:
                self._free_bytes -= image.nbytes
                image.flags.writeable = False
                self._images[index] = image


class DigitsSource:
    """Scenes of handwritten digits, drawn anew for every (seed, epoch, index)."""

    names = digits.DIGIT_NAMES

    def __init__(self, seed, length, size, held_out):
        self.seed, self.length, self.size, self.held_out = seed, length, size, held_out
        self.glyphs = digits.split_digits()[held_out]

    def __len__(self):
        return self.length

    def notes(self, split):
        """A line for each thing to be known about the split; there is none."""
        return []

    def describe(self, index):
        """Names a scene for messages."""
        return f"scene {index} of the {'held-out' if self.held_out else 'training'} digits"

    def example(self, epoch, index):
        """A scene and its boxes in pixels of the scene."""
        rng = np.random.default_rng([self.seed, SCENE, self.held_out, epoch, index])
        return digits.compose_scene(rng, *self.glyphs, size=self.size)


class UnreadablePicture(InputError):
    """A picture that cannot be read, which `data.on_unreadable` may allow."""


def open_split(config, split):
    """Opens one split of the data that a `Config` describes.

    Args:
        config: Config with its class names resolved.
        split: "train" or "val".

    Returns:
        A ListSource or a DigitsSource.

    Raises:
        InputError: a split that is not set, annotations that are missing or malformed.
    """
    if split not in ("train", "val"):
        raise InputError(f"there is no split {split!r}: one of train, val")
    data = config.data
    if data.source == "digits":
        length = data.digits_train if split == "train" else data.digits_val
        return DigitsSource(config.seed, length, min(data.size), held_out=split == "val")
    return ListSource(_annotations(data, split), cache_bytes=int(data.cache_gib * GIB) if split == "train" else 0)


def class_names(config):
    """The class names that the data of a `Config` has."""
    if config.data.source == "digits":
        return digits.DIGIT_NAMES
    if config.data.class_names:
        return tuple(config.data.class_names)
    return read_names(config.data.names) if config.data.names else _annotations(config.data, "train").names


def _annotations(data, split):
    path = getattr(data, split)
    if not path:
        raise InputError(f"config.data.{split} is not set: give the path of a list or a data set")
    if data.source == "list":
        return Annotations(tuple(data.class_names), read_text_list(path, data.class_names), [])
    return read_annotations(path, split, data.class_names)


def truth(source, index, example):
    """What should be found in a picture: (boxes_xyxy (n, 4), classes (n,), ignored (n,) bool).

    Boxes that are difficult (VOC) or round a crowd (COCO) are ignored: finding them is neither right nor wrong.
    """
    if not isinstance(source, ListSource):
        return example.boxes, example.classes, np.zeros(len(example.boxes), bool)
    record = source.records[index]
    return record.boxes, record.classes, record.difficult | record.crowd


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
    image, transform = letterbox(example.image, grid.size)
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


def collate(samples):
    """Stacks samples into a Batch."""
    targets = Targets(*map(np.stack, zip(*(sample.targets for sample in samples), strict=True)))
    return Batch(np.stack([sample.image for sample in samples]), targets)


def train_batches(source, config, grids, start_step, stop_step):
    """Yields (Batch, counts) for the steps from `start_step` to before `stop_step`, made by threads ahead of time.

    grids holds an AnchorGrid for each input size; the pictures of a step all have one of these sizes (`step_grid`).
    counts is {"dropped_small", "dropped_excess", "unreadable"}: numbers of boxes and pictures left out of this batch.
    """
    samples_of = train_sampler(source, config)

    def jobs():
        for step in range(start_step, stop_step):
            grid = step_grid(config.seed, step, grids)
            yield [functools.partial(train_sample, source, config, grid, epoch, index) for epoch, index in samples_of(step)]

    for samples in _in_threads(jobs(), config.data.threads):
        counts = {
            name: sum(getattr(sample, name) for sample in samples)
            for name in ("dropped_small", "dropped_excess", "unreadable")
        }
        yield collate(samples), counts


def val_batches(source, config, grid, batch_size):
    """Yields (Batch, samples, indices) over a split once, in order.

    The batch always holds `batch_size` pictures, the last one filled up with copies; samples and indices name those that
    count, without the unreadable pictures that may be skipped.
    """
    indices = range(len(source))
    groups = [indices[first : first + batch_size] for first in range(0, len(source), batch_size)]
    jobs = ([functools.partial(val_sample, source, config, grid, index) for index in group] for group in groups)
    for group, samples in zip(groups, _in_threads(jobs, config.data.threads), strict=True):
        read = [(index, sample) for index, sample in zip(group, samples, strict=True) if sample is not None]
        if read:
            read_indices, samples = zip(*read, strict=True)
            filled = samples + (samples[-1],) * (batch_size - len(samples))
            yield collate(filled), samples, read_indices


def _in_threads(groups, threads):
    """Runs groups of jobs in a pool of threads and yields the results group by group, in order, two groups ahead."""
    workers = threads or min(16, os.cpu_count() or 1)
    # OpenCV's own threads would fight with these for the same cores.
    pool = concurrent.futures.ThreadPoolExecutor(workers, "yolojax-data", lambda: cv2.setNumThreads(0))
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
