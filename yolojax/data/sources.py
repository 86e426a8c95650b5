"""Where examples come from: annotated pictures, or scenes that are drawn; each a function of (epoch, index)."""

import contextlib
import math
import os
import threading

import numpy as np

from yolojax.data import digits
from yolojax.data.annotations import check_boxes_in_picture, read_names, read_text_list
from yolojax.data.augment import Example
from yolojax.data.fingerprint import fingerprint
from yolojax.data.formats.read import Annotations, outside, read_annotations, recognise, split_of
from yolojax.data.image_size import read_size
from yolojax.data.images import read_image
from yolojax.data.sampling import SCENE
from yolojax.errors import InputError

GIB = 2**30
# About as many pictures' headers are read to estimate the memory that all of them take.
MEASURED = 200


class UnreadablePicture(InputError):
    """A picture that cannot be read, which `data.on_unreadable` may allow."""


class ListSource:
    """Pictures of `Annotations`; `example` reads one from its file, or from memory: the first `cache_bytes` stay there."""

    def __init__(self, annotations, cache_bytes=0, outside=None):
        self.names, self.records, self.left_out = annotations
        self._outside = outside
        self.cache_bytes = self._free_bytes = cache_bytes
        self._images = {}
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.records)

    def notes(self, split):
        """A line for each thing to be known, as boxes that are not trained on; split: what to call it."""
        crowd = sum(int(record.crowd.sum()) for record in self.records)
        notes = [f"{split}: {crowd} boxes round crowds are not trained on, and ignored in evaluation"] if crowd else []
        if self.left_out:
            notes.append(f"{split}: {len(self.left_out)} boxes without area were left out, the first at {self.left_out[0]}")
        if self._outside:
            notes.append(f"{split}: {self._outside}")
        if self.cache_bytes:
            notes.append(
                f"{split}: decoded, the pictures take about {self._estimate_bytes() / GIB:.2f} GiB of memory; "
                f"up to {self.cache_bytes / GIB:.2f} GiB of them are kept (config.data.cache_gib)"
            )
        return notes

    def _estimate_bytes(self):
        measured = self.records[:: 1 + len(self.records) // MEASURED]
        sizes = []
        for record in measured:
            with contextlib.suppress(InputError):  # whoever reads it whole will say so
                sizes.append(3 * math.prod(read_size(record.path)))
        return len(self.records) * sum(sizes) / max(1, len(sizes))

    def fingerprint(self):
        """`fingerprint.fingerprint` of the records."""
        return fingerprint(self.records)

    def describe(self, index):
        """Names a picture for messages."""
        return f"{self.records[index].path} ({self.records[index].source})"

    def title(self, index):
        """What a reader knows a picture by."""
        return os.path.basename(self.records[index].path)

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

    def fingerprint(self):
        """None: scenes follow from the configuration."""
        return None

    def describe(self, index):
        """Names a scene for messages."""
        return f"scene {index} of the {'held-out' if self.held_out else 'training'} digits"

    def title(self, index):
        """What a reader knows a scene by."""
        return f"scene {index}"

    def example(self, epoch, index):
        """A scene and its boxes in pixels of the scene."""
        rng = np.random.default_rng([self.seed, SCENE, self.held_out, epoch, index])
        return digits.compose_scene(rng, *self.glyphs, size=self.size)


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
    annotations, elsewhere = _annotations(data, split)
    return ListSource(annotations, int(data.cache_gib * GIB) if split == "train" else 0, elsewhere)


def _annotations(data, split):
    """Annotations, and a line where they lead elsewhere, or None."""
    path = getattr(data, split) or (_beside_val(data) if split == "test" else "")
    if not path:
        hint = " (or eval.py --data PATH)" if split == "test" else ""
        raise InputError(f"config.data.{split} is not set: give the path of a list or a data set{hint}")
    names = data.class_names or (read_names(data.names) if data.names else ())
    if data.source == "list":
        return Annotations(tuple(names), read_text_list(path, names), []), None
    annotations = read_annotations(path, split, names)
    return annotations, outside(path, annotations.records)


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
