"""The host pipeline: pictures and boxes to batches, where every sample is a function of (seed, epoch, index).

Nothing here keeps random state. The order of an epoch is a function of (seed, epoch), and the samples of a step follow from the
step alone, so a run that is resumed at a step reads on as if it had never stopped.
"""

import collections
import concurrent.futures
import functools
import os
from typing import NamedTuple

import numpy as np

from yolojax.data import digits
from yolojax.data.annotations import check_boxes_in_picture, read_names, read_text_list
from yolojax.data.augment import Example, augment, clip_boxes
from yolojax.data.formats.read import Annotations, read_annotations, recognise, split_of
from yolojax.data.images import Letterbox, cv2, letterbox, letterbox_boxes, read_image
from yolojax.errors import InputError
from yolojax.targets import Targets, assign

# They keep the streams of random numbers apart that share a seed.
_ORDER, _AUGMENT, _SCENE = range(3)


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
    """Pictures of `Annotations`; `example` reads one from its file."""

    def __init__(self, annotations):
        self.names, self.records, self.left_out = annotations

    def __len__(self):
        return len(self.records)

    def notes(self, split):
        """A line for each kind of box that is not trained on or not in the records; split: what to call it."""
        crowd = sum(int(record.crowd.sum()) for record in self.records)
        notes = [f"{split}: {crowd} boxes round crowds are not trained on, and ignored in evaluation"] if crowd else []
        if self.left_out:
            notes.append(f"{split}: {len(self.left_out)} boxes without area were left out, the first at {self.left_out[0]}")
        return notes

    def describe(self, index):
        """Names a picture for messages."""
        return f"{self.records[index].path} ({self.records[index].source})"

    def example(self, epoch, index):
        """The picture and its boxes in pixels of the picture, without those round crowds; the same in every epoch."""
        record = self.records[index]
        try:
            image = read_image(record.path)
        except InputError as error:
            raise UnreadablePicture(f"{record.source}: {error}") from error
        check_boxes_in_picture(record, *image.shape[:2])
        single = ~record.crowd
        return Example(image, record.boxes[single], record.classes[single])


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
        rng = np.random.default_rng([self.seed, _SCENE, self.held_out, epoch, index])
        return digits.compose_scene(rng, *self.glyphs, size=self.size)


class UnreadablePicture(InputError):
    """A picture that cannot be read, which `data.on_unreadable` may allow."""


def open_split(config, split):
    """Opens one split of the data that a `Config` describes.

    Args:
        config: Config. Without class names they are those of its names file, else of this very split.
        split: "train", "val" or "test".

    Returns:
        A ListSource or a DigitsSource.

    Raises:
        InputError: a split that is not set, annotations that are missing or malformed.
    """
    data = config.data
    there = ("train", "val") if data.source == "digits" else ("train", "val", "test")
    if split not in there:
        which = "the digits source has" if data.source == "digits" else "there is"
        raise InputError(f"{which} no split {split!r}: one of {', '.join(there)}")
    if data.source == "digits":
        length = data.digits_train if split == "train" else data.digits_val
        return DigitsSource(config.seed, length, min(data.size), held_out=split == "val")
    return ListSource(_annotations(data, split))


def _annotations(data, split):
    path = getattr(data, split) or (_beside_val(data) if split == "test" else "")
    if not path:
        hint = " (or eval.py --data PATH)" if split == "test" else ""
        raise InputError(f"config.data.{split} is not set: give the path of a list or a data set{hint}")
    names = data.class_names or (read_names(data.names) if data.names else ())
    if data.source == "list":
        return Annotations(tuple(names), read_text_list(path, names), [])
    return read_annotations(path, split, names)


def _beside_val(data):
    """The folder or data.yaml of the split val, which may have a split test as well; "" for other formats."""
    path = split_of(data.val)[0] if data.val else ""
    return path if path and data.source == "auto" and recognise(path) in ("voc", "yolo") else ""


def truth(source, index, example):
    """What should be found in a picture: (boxes_xyxy (n, 4), classes (n,), ignored (n,) bool).

    Boxes that are difficult (VOC) or round a crowd (COCO) are ignored: finding them is neither right nor wrong.
    """
    if not isinstance(source, ListSource):
        return example.boxes, example.classes, np.zeros(len(example.boxes), bool)
    record = source.records[index]
    return record.boxes, record.classes, record.difficult | record.crowd


def step_samples(seed, step, batch_size, length):
    """Which samples make up a step: [(epoch, index), ...], `batch_size` of them.

    Steps count from 0. Every epoch visits each of the `length` pictures once, in an order that is a function of
    (seed, epoch); a batch may reach over the end of an epoch.
    """
    positions = range(step * batch_size, (step + 1) * batch_size)
    return [(p // length, int(_order(seed, p // length, length)[p % length])) for p in positions]


@functools.lru_cache(maxsize=4)
def _order(seed, epoch, length):
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(length)


def train_sample(source, config, grid, epoch, index):
    """The training sample of (config.seed, epoch, index), augmented.

    An unreadable picture raises, or, with `config.data.on_unreadable` "skip", is replaced by the next one that can be read.
    """
    for skipped in range(len(source)):
        at = (index + skipped) % len(source)
        try:
            example = source.example(epoch, at)
        except UnreadablePicture:
            if config.data.on_unreadable == "stop":
                raise
            continue
        rng = np.random.default_rng([config.seed, _AUGMENT, epoch, at])
        # One, however many were tried: each of those is counted where its own turn comes.
        return _prepare(augment(rng, example, config.data.augment), config, grid, unreadable=int(skipped > 0))
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


def train_batches(source, config, grid, start_step, stop_step):
    """Yields (Batch, counts) for the steps from `start_step` to before `stop_step`, made by threads ahead of time.

    counts is {"dropped_small", "dropped_excess", "unreadable"}: numbers of boxes and pictures left out of this batch.
    """
    batch_size = config.train.batch_size

    def jobs():
        for step in range(start_step, stop_step):
            yield [
                functools.partial(train_sample, source, config, grid, epoch, index)
                for epoch, index in step_samples(config.seed, step, batch_size, len(source))
            ]

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
