"""Reading an exported file: a detector as one StableHLO program, and its recipe."""

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import export

from yolojax.backend import MAX_DETECTIONS, stack_padded
from yolojax.data.images import ImageTransform
from yolojax.errors import InputError
from yolojax.inference import ImageDetections, Recipe, to_original
from yolojax.nms import METHODS
from yolojax.runtime.compiler_options import compiler_options

KIND = "yolojax detector"
VERSION = 1
"""Version of the exported files' layout: inputs, outputs and the keys of about.json."""

ABOUT, PROGRAM = "about.json", "detect.jax"
CHECKSUM = "sha256"
"""Key of about.json: the `checksum` of the file. Files of older versions have none."""
MOST_PIXELS = 1 << 26
"""The most pixels of an input that a file may have."""
UNCHANGED = ImageTransform(1.0, 0, 0)


def checksum(about: Mapping[str, Any], program: bytes) -> str:
    """The SHA-256 of everything that a file holds, in hexadecimal digits.

    Args:
        about: the dict of about.json; its own entry for the checksum does not count.
        program: the serialized program.
    """
    rest = {key: value for key, value in about.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode() + b"\0" + program).hexdigest()


class Artefact:
    """A detector read from a file: `boxes, scores, classes, valid = artefact(images)`.

    Attributes:
        about: the dict of about.json.
        recipe: what turns images into detections.
    """

    def __init__(self, about: dict[str, Any], recipe: Recipe, exported: export.Exported):
        self.about, self.recipe = about, recipe
        self._detect = jax.jit(exported.call, compiler_options=compiler_options())

    @property
    def names(self) -> tuple[str, ...]:
        """Class names."""
        return self.recipe.names

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels."""
        return self.recipe.size

    def __call__(
        self, images: np.ndarray, score_threshold: float | np.float32 = 0.3, iou_threshold: float | np.float32 = 0.45
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Finds objects in images; compiled once for each (B, h, w).

        Args:
            images: (B, h, w, 3) RGB uint8.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU, the better one is kept.

        Returns:
            boxes (B, K, 4) float32 xyxy in pixels of the images, scores (B, K) float32, classes (B, K) int32 and
            valid (B, K) bool.

        Raises:
            InputError: images of another shape or type.
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape:
            raise InputError(f"images must be RGB (B, h, w, 3) of uint8, not {images.shape} of {images.dtype}")
        return jax.device_get(self._detect(images, np.float32(score_threshold), np.float32(iou_threshold)))


def load_exported(path: str | os.PathLike[str]) -> Artefact:
    """Reads a detector that was exported as StableHLO.

    Raises:
        InputError: a file that is missing, was not exported by yolojax, is damaged or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Written without compression, so that what is read is no larger than the file.
            if sum(archive.getinfo(name).file_size for name in (ABOUT, PROGRAM)) > os.path.getsize(path):
                raise ValueError("it was compressed")
            about, program = json.loads(archive.read(ABOUT)), archive.read(PROGRAM)
        kind, version = about["format"], about["version"]
        names, size = about["names"], about["size"]
        if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
            raise ValueError("its names are not a list of names")
        if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
            raise ValueError("its size is not (height, width)")
        ours = (kind, version) == (KIND, VERSION)
        if ours and CHECKSUM in about and about[CHECKSUM] != checksum(about, program):
            raise ValueError("it is not as it was written")
        if math.prod(size) > MOST_PIXELS:
            raise ValueError(f"its size is more than {MOST_PIXELS:,} pixels")
        recipe = Recipe.from_dict(about) if ours else None
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except Exception as error:  # many kinds, from zipfile, zlib and json
        raise InputError(f"{path}: not a detector exported by yolojax, or damaged ({error}); export it again") from error
    if recipe is None:
        raise InputError(f"{path}: {kind} of version {version}, but this yolojax reads version {VERSION}; export it again")
    try:
        return Artefact(about, recipe, export.deserialize(bytearray(program)))
    except Exception as error:  # many kinds, from a program of a JAX too old or too new, or damaged
        written = about.get("jax")
        raise InputError(f"{path}: this JAX, {jax.__version__}, cannot read what {written} wrote: {error!r}") from error


class ExportedBackend:
    """Finds the objects for a `Detector` with the program of an exported file.

    Attributes:
        recipe: what turns images into detections.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self._path, self._artefact = path, load_exported(path)
        self.recipe = self._artefact.recipe

    def detect(
        self,
        images: Sequence[np.ndarray],
        score_threshold: np.float32,
        iou_threshold: np.float32,
        wanted: np.ndarray,
        *,
        augment: bool,
        class_agnostic: bool,
        method: str,
        max_detections: int = MAX_DETECTIONS,
    ) -> list[ImageDetections]:
        """See `yolojax.backend.Backend.detect`.

        Raises:
            InputError: an option that the program of the file does not have.
        """
        if method not in METHODS:
            raise ValueError(f"unknown suppression method {method!r}; expected one of {', '.join(METHODS)}")
        for option, asked in (("augment", augment), ("class_agnostic", class_agnostic), ('method="soft"', method == "soft")):
            if asked:
                raise InputError(
                    f"{self._path}: an exported file does not support {option}; leave it out, or use the run's workdir"
                )
        most = self._artefact.about.get("max_detections", MAX_DETECTIONS)
        if max_detections > max(most, MAX_DETECTIONS):
            raise InputError(
                f"{self._path}: an exported file keeps {most} detections, not {max_detections}; ask for {most} at most, or use "
                "the run's workdir"
            )
        results: dict[int, ImageDetections] = {}
        for places, fitted, transforms in self._batches(images):
            detections = self._artefact(stack_padded(fitted), score_threshold, iou_threshold)
            for row, (place, transform) in enumerate(zip(places, transforms, strict=True)):
                boxes, scores, classes = to_original(detections, row, transform, images[place].shape[:2])
                if classes.max(initial=0) >= len(wanted):
                    raise InputError(
                        f"{self._path}: the program finds class {classes.max()}, which has no name; export it again"
                    )
                chosen = wanted[classes]
                results[place] = boxes[chosen], scores[chosen], classes[chosen]
        return [results[place] for place in range(len(images))]

    def _batches(
        self, images: Sequence[np.ndarray]
    ) -> Iterator[tuple[Sequence[int], Sequence[np.ndarray], Sequence[ImageTransform]]]:
        """Yields (places in the list, images of one size, their transforms), together all images."""
        if self.recipe.fit == "letterbox":
            # The program leaves an image of the input's size as it is, so one program is enough for images of all sizes.
            fitted, transforms = zip(*map(self.recipe.fit_image, images), strict=True)
            yield range(len(images)), fitted, transforms
            return
        sizes: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            sizes.setdefault(image.shape, []).append(place)
        for places in sizes.values():
            yield places, [images[place] for place in places], [UNCHANGED] * len(places)
