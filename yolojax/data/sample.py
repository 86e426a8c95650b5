"""One picture ready for the network, with its targets: in training varied, a function of (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from yolojax.data.assign_rule import build_assign, checked_targets
from yolojax.data.augment.order import augment, augment_into
from yolojax.data.darknet_fit import FITS
from yolojax.data.example import Example, clip_boxes
from yolojax.data.images import ImageTransform, fitted_size, letterbox_boxes, letterbox_transform
from yolojax.data.sampling import AUGMENT
from yolojax.data.source import Source, UnreadablePicture
from yolojax.data.stored import StoredJpeg
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.parts import NO_PARTS, Parts
from yolojax.targets import Targets

if TYPE_CHECKING:
    from yolojax.config import Config


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

    def draw_other(rng: np.random.Generator) -> Example:
        return _readable(source, read, config, epoch, int(rng.integers(len(source))))[0]

    draw = draw_other if epoch < config.train.epochs - options.mix_off_epochs else None
    if config.data.fit != "letterbox" or options.more:
        varied = augment(rng, example, options, size=grid.size, draw_other=draw, parts=parts)
        return _prepare(varied, config, grid, parts, unreadable)
    image, boxes, classes, whole = augment_into(rng, example, options, grid.size, draw)
    transform = letterbox_transform(whole, grid.size)
    targets = _targets(boxes, classes, whole, transform, config, grid, parts)
    (height, width), (scale, left, top) = fitted_size(whole, grid.size), transform
    inner = image[int(top) : int(top) + height, int(left) : int(left) + width]
    original = Example(inner, letterbox_boxes(boxes, ImageTransform(scale, 0, 0)), classes)
    return Sample(image, targets[0], original, ImageTransform(1, left, top), *targets[1:], unreadable)


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


def blank_sample(config: Config, grid: AnchorGrid, parts: Parts) -> Sample:
    """A black picture without boxes."""
    black = Example(np.zeros((*grid.size, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    return _prepare(black, config, grid, parts, unreadable=0)
