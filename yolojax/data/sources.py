"""Where examples come from: annotated pictures, or scenes that are drawn; each a function of (epoch, index)."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from yolojax.data import digits
from yolojax.data.annotations import Record, check_boxes_in_picture
from yolojax.data.example import Example
from yolojax.data.fingerprint import fingerprint
from yolojax.data.formats.read import Annotations
from yolojax.data.image_size import read_size
from yolojax.data.images import read_image
from yolojax.data.own_source import OwnSource, open_own
from yolojax.data.packed_records import PackedRecords
from yolojax.data.plausible import boxes_under_a_pixel
from yolojax.data.problems import summarise
from yolojax.data.sampling import SCENE
from yolojax.data.source import Source, UnreadablePicture
from yolojax.data.splits import split_annotations
from yolojax.data.stored import StoredJpeg, open_stored
from yolojax.errors import InputError
from yolojax.parts import NO_PARTS, Parts
from yolojax.references import is_part

if TYPE_CHECKING:
    from yolojax.config import Config

GIB = 2**30
# The number of headers, roughly, that are read to estimate the memory that all pictures take.
MEASURED = 200


class ListSource:
    """Pictures of `Annotations`, each read from its file, or from memory if it was kept there.

    Attributes:
        names: the class names.
        records: a `Record` for each picture.
        problems: what was left out, or read in another way than it stands.
        cache_bytes: how many bytes of decoded pictures are kept in memory: the first that fit.
    """

    def __init__(self, annotations: Annotations, cache_bytes: int = 0, lines: Sequence[str] = ()):
        """Take what was read; `lines` are further lines for `notes`, such as how the pictures were chosen."""
        self.names: Sequence[str] = annotations.names
        self.records: Sequence[Record] = annotations.records
        self.problems = annotations.problems
        self.cache_bytes = self._free_bytes = cache_bytes
        self._lines = lines
        self._images: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()
        self._checked: set[int] = set()

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs; it keeps no pictures in memory, but decodes them as if it did."""
        own = {"records": PackedRecords(self.records), "_images": {}, "_free_bytes": 0, "_checked": set(), "_lock": None}
        return self.__dict__ | own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __len__(self) -> int:
        return len(self.records)

    def notes(self, split: str) -> list[str]:
        """Lines about boxes that are not trained on, which pictures these are, and the memory that they take."""
        crowd = sum(int(record.crowd.sum()) for record in self.records)
        notes = [f"{split}: {crowd} boxes around crowds are not trained on, and are ignored in evaluation"] if crowd else []
        tiny = [problem for record in self.records for problem in boxes_under_a_pixel(record)]
        notes += [f"{split}: {line}" for line in summarise([*self.problems, *tiny])]
        notes += [f"{split}: {line}" for line in self._lines]
        if self.cache_bytes:
            notes.append(
                f"{split}: decoded, the pictures take about {self._estimate_bytes() / GIB:.2f} GiB of memory; "
                f"up to {self.cache_bytes / GIB:.2f} GiB of them are kept (config.data.cache_gib)"
            )
        return notes

    def _estimate_bytes(self) -> float:
        measured = self.records[:: 1 + len(self.records) // MEASURED]
        sizes = []
        for record in measured:
            with contextlib.suppress(InputError):  # reported when the picture is read
                sizes.append(3 * math.prod(read_size(record.path)))
        return len(self.records) * sum(sizes) / max(1, len(sizes))

    def fingerprint(self) -> dict[str, Any]:
        """`fingerprint.fingerprint` of the records."""
        return fingerprint(self.records)

    def describe(self, index: int) -> str:
        """The path of a picture, and where it is listed."""
        return f"{self.records[index].path} ({self.records[index].source})"

    def title(self, index: int) -> str:
        """The file name of a picture."""
        return os.path.basename(self.records[index].path)

    def example(self, epoch: int, index: int) -> Example:
        """A picture and its boxes in pixels of the picture, without boxes around crowds; the same in every epoch.

        Raises:
            UnreadablePicture: the picture cannot be read.
            InputError: a box lies mostly outside the picture.
        """
        return self._example(index, read_image)

    def stored_example(self, epoch: int, index: int) -> Example:
        """Like `example`, but a JPEG comes as a `StoredJpeg`, which is not decoded yet, unless pictures are kept in memory.

        Which of them are kept depends on which come first: so that a sample does not, all are then decoded alike.
        """
        if self.cache_bytes:
            return self.example(epoch, index)
        return self._example(index, functools.partial(open_stored, listed=self.records[index].source))

    def _example(self, index: int, read: Callable[[str], np.ndarray | StoredJpeg]) -> Example:
        record = self.records[index]
        image = self._images.get(index)
        if image is None:
            try:
                image = read(record.path)
            except InputError as error:
                raise UnreadablePicture(f"{record.source}: {error}") from error
            if isinstance(image, np.ndarray):
                self._keep(index, image)
        if index not in self._checked:
            check_boxes_in_picture(record, *image.shape[:2])
            self._checked.add(index)
        single = ~record.crowd
        return Example(cast(Any, image), record.boxes[single], record.classes[single])

    def _keep(self, index: int, image: np.ndarray) -> None:
        with self._lock:
            if image.nbytes <= self._free_bytes and index not in self._images:
                self._free_bytes -= image.nbytes
                image.flags.writeable = False
                self._images[index] = image


class DigitsSource:
    """Scenes of handwritten digits, drawn anew for every (seed, epoch, index).

    Attributes:
        names: the digits.
        seed: the seed of all scenes.
        length: the number of scenes in an epoch.
        size: height and width of a scene, pixels.
        held_out: whether the scenes show the digits that are not trained on.
    """

    def __init__(self, seed: int, length: int, size: int, held_out: bool):
        self.names: Sequence[str] = digits.DIGIT_NAMES
        self.seed, self.length, self.size, self.held_out = seed, length, size, held_out
        self.glyphs = digits.split_digits()[held_out]

    def __len__(self) -> int:
        return self.length

    def notes(self, split: str) -> list[str]:
        """No lines: there is nothing to know about digits."""
        return []

    def fingerprint(self) -> None:
        """None: scenes follow from the configuration."""
        return None

    def describe(self, index: int) -> str:
        """The number of a scene, and the digits it shows."""
        return f"scene {index} of the {'held-out' if self.held_out else 'training'} digits"

    def title(self, index: int) -> str:
        """The number of a scene."""
        return f"scene {index}"

    def example(self, epoch: int, index: int) -> Example:
        """A scene and its boxes in pixels of the scene."""
        rng = np.random.default_rng([self.seed, SCENE, self.held_out, epoch, index])
        return digits.compose_scene(rng, *self.glyphs, size=self.size)


def open_split(config: Config, split: str, parts: Parts = NO_PARTS) -> ListSource | DigitsSource | OwnSource:
    """Open one split of the data that a configuration describes.

    Where `config.data.val` is not set, the split val is that of the training data set; where that has none, it is a share of
    the training pictures, `config.data.val_share`, chosen by their content (`content.chosen_for_validation`), which are then
    not in the split train.

    Args:
        config: the configuration. If it has no class names, they come from its names file, or else from this split.
        split: "train", "val" or "test".
        parts: parts that a program gives as objects.

    Returns:
        The `Source`.

    Raises:
        InputError: the split is not set, its annotations are missing or malformed, or pictures are missing that
            `config.data.on_unreadable` does not allow to be passed over.
    """
    data = config.data
    known = ("train", "val") if data.source == "digits" else ("train", "val", "test")
    if split not in known:
        which = "the digits source has" if data.source == "digits" else "there is"
        raise InputError(f"{which} no split {split!r}; expected one of {', '.join(known)}")
    if is_part(data.source):
        return open_own(config, split, parts)
    if data.source == "digits":
        length = data.digits_train if split == "train" else data.digits_val
        return DigitsSource(config.seed, length, min(data.size), held_out=split == "val")
    annotations, lines = split_annotations(data, split)
    return ListSource(annotations, int(data.cache_gib * GIB) if split == "train" else 0, lines)


def truth(source: Source, index: int, example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What should be found in a picture.

    Boxes that are difficult (VOC) or around a crowd (COCO) are ignored: finding them is neither right nor wrong.

    Args:
        source: the split.
        index: the picture's number in it.
        example: the picture, as `source` gives it.

    Returns:
        Boxes (n, 4) float32 xyxy in pixels of the picture, classes (n,) int32, and ignored (n,) bool.
    """
    if isinstance(source, OwnSource):
        return source.truth(index, example)
    if not isinstance(source, ListSource):
        return example.boxes, example.classes, np.zeros(len(example.boxes), bool)
    record = source.records[index]
    return record.boxes, record.classes, record.difficult | record.crowd
