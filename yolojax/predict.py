"""A trained detector as a function of images."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast, overload

import numpy as np

from yolojax.backend import Backend, NetworkBackend
from yolojax.darknet.detector import read_darknet
from yolojax.data.images import read_image
from yolojax.data.video import frames, open_video
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.inference import Recipe
from yolojax.nms import distance_power
from yolojax.parts import NO_PARTS, Parts
from yolojax.runs.exported import ExportedBackend
from yolojax.runs.workdir import Run, load_run
from yolojax.runtime.prefetch import detect_prefetched

if TYPE_CHECKING:
    import flax.linen as nn

MAX_BATCH = 8

Image = np.ndarray | str | os.PathLike[str]
"""An RGB uint8 array (H, W, 3), or the path of an image file."""


class Detection(NamedTuple):
    """The objects in one image, by falling score.

    Attributes:
        boxes: (k, 4) float32 xyxy in pixels of the original image, clipped to it.
        scores: (k,) float32 in [0, 1].
        classes: (k,) int32.
        names: the names of all classes; `names[c]` is that of class c.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]


class Detector:
    """Finds objects in images: `detections = detector(images)`.

    Images of any size are fitted into the network's input. Network, decoding and suppression are one program, compiled once
    for each batch size (1, 2, 4 and 8 images) and each choice of `augment`, `class_agnostic` and `method`. Any number of
    threads may call it at once.

    Attributes:
        recipe: what turns images into detections with the network.
    """

    def __init__(
        self,
        model: "nn.Module",
        variables: Mapping[str, Any],
        grid: AnchorGrid,
        names: Sequence[str],
        class_scores: str = "sigmoid",
        fit: str = "letterbox",
        multi_label: bool = False,
    ):
        """Makes a detector from a network.

        Args:
            model: a network that returns raw heads.
            variables: {"params", "batch_stats"}; put on the device once.
            grid: slots of the network's input.
            names: class names.
            class_scores: "sigmoid" or "softmax", as in `postprocess`.
            fit: "letterbox", "darknet_letterbox" or "darknet_stretch".
            multi_label: a slot may be detected as every class over the threshold, not only as its best.
        """
        recipe = Recipe(grid, tuple(names), fit, multi_label, class_scores, distance_power(model))
        self._backend: Backend = NetworkBackend(model, variables, recipe)

    @classmethod
    def from_backend(cls, backend: Backend) -> Self:
        """Makes a detector from a backend, which finds the objects."""
        detector = cls.__new__(cls)
        detector._backend = backend
        return detector

    @classmethod
    def from_workdir(cls, workdir: str | os.PathLike[str], checkpoint: str | int = "best", *, parts: Parts = NO_PARTS) -> Self:
        """Loads the detector that a run has trained.

        Args:
            workdir: folder of the run.
            checkpoint: "best", "last" or a step.
            parts: the network, where the run was given one that has no importable name.

        Raises:
            InputError: there is no run or no such checkpoint.
        """
        return cls.from_run(load_run(workdir, checkpoint, parts=parts))

    @classmethod
    def from_run(cls, run: Run) -> Self:
        """Makes a detector from a `Run`."""
        return cls.from_backend(NetworkBackend(run.model, run.variables, run.recipe))

    @classmethod
    def from_darknet(
        cls,
        cfg: str | os.PathLike[str],
        weights: str | os.PathLike[str],
        names: str | os.PathLike[str] | None = None,
        fit: str = "letterbox",
    ) -> Self:
        """Loads a Darknet detector, which finds what Darknet finds.

        As in Darknet, a slot is detected as every class over the threshold, and images are resized by Darknet's own arithmetic.

        Args:
            cfg: path of the .cfg.
            weights: path of the .weights.
            names: path of a file with one class name per line; by default classes are called by their numbers.
            fit: "letterbox" keeps the proportions, on grey; "stretch" does not, as AlexeyAB's Darknet by default.

        Raises:
            InputError: a file that cannot be read, a cfg that cannot be honoured, weights or names that do not fit it.
        """
        return cls.from_backend(NetworkBackend(*read_darknet(cfg, weights, names, fit)))

    @classmethod
    def from_exported(cls, path: str | os.PathLike[str]) -> Self:
        """Loads a detector that was exported as StableHLO; it finds what the exported run finds.

        The file holds one program: `augment`, `class_agnostic` and `method="soft"` are refused, and `classes` are picked from
        the (at most) 100 detections of all classes. A network imported from Darknet is compiled for each image size.

        Args:
            path: the file.

        Raises:
            InputError: a file that is missing, was not exported by yolojax, is damaged or of another version.
        """
        return cls.from_backend(ExportedBackend(path))

    @property
    def recipe(self) -> Recipe:
        """What turns images into detections with the network."""
        return self._backend.recipe

    @property
    def names(self) -> tuple[str, ...]:
        """Class names."""
        return self.recipe.names

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels."""
        return self.recipe.size

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload]  (a path is a sequence of strings, too)
        self,
        images: Image,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.45,
        *,
        classes: Sequence[str] | None = None,
        augment: bool = False,
        class_agnostic: bool = False,
        method: str = "hard",
    ) -> Detection: ...

    @overload
    def __call__(
        self,
        images: Sequence[Image],
        score_threshold: float = 0.3,
        iou_threshold: float = 0.45,
        *,
        classes: Sequence[str] | None = None,
        augment: bool = False,
        class_agnostic: bool = False,
        method: str = "hard",
    ) -> list[Detection]: ...

    def __call__(
        self,
        images: Image | Sequence[Image],
        score_threshold: float = 0.3,
        iou_threshold: float = 0.45,
        *,
        classes: Sequence[str] | None = None,
        augment: bool = False,
        class_agnostic: bool = False,
        method: str = "hard",
    ) -> Detection | list[Detection]:
        """Finds the objects in one image or many.

        Args:
            images: an RGB uint8 array (H, W, 3) or a path, or a list of these, of any sizes.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU, the better one is kept.
            classes: names of the classes to find; None for all. A slot whose best class is another one gives no detection.
            augment: the network also sees the mirrored images; suppression merges what it finds in either view.
            class_agnostic: detections of different classes suppress each other too.
            method: "hard" suppression or "soft", as in `postprocess`.

        Returns:
            Detection of the one image, or a list with one Detection per image.

        Raises:
            InputError: an image that cannot be read or is not an (H, W, 3) uint8 array, a class that the network does not have,
                or an option that an exported file cannot honour.
            ValueError: an unknown method.
        """
        one = isinstance(images, str | os.PathLike) or getattr(images, "ndim", 4) < 4
        several = cast(Sequence[Image], [images] if one else images)
        wanted = self._wanted(classes)
        detections = []
        for first in range(0, len(several), MAX_BATCH):
            group = [_as_image(several[i], i) for i in range(first, min(first + MAX_BATCH, len(several)))]
            detections += self._backend.detect(
                group,
                np.float32(score_threshold),
                np.float32(iou_threshold),
                wanted,
                augment=augment,
                class_agnostic=class_agnostic,
                method=method,
            )
        named = [Detection(boxes, scores, class_ids, self.names) for boxes, scores, class_ids in detections]
        return named[0] if one else named

    def predict_video(
        self, source: str | os.PathLike[str] | int, score_threshold: float = 0.3, iou_threshold: float = 0.45, **options: Any
    ) -> Iterator[tuple[int, np.ndarray, Detection]]:
        """Yields the detections of one video frame after another, while the next frames are decoded.

        A few dozen frames are in memory at once, however long the video is. A consumer may stop at any frame: closing the
        generator (leaving the `for` loop does it) ends the threads and releases the video.

        Args:
            source: path of a video file, or the number of a camera, from 0, whose frames never end.
            score_threshold: as in a call.
            iou_threshold: as in a call.
            options: keyword arguments of a call.

        Yields:
            The frame's number from 0, the frame as (H, W, 3) uint8 RGB, and its Detection.

        Raises:
            InputError: at the first frame, a video or camera that cannot be opened or has no frame.
        """
        detect = functools.partial(self, score_threshold=score_threshold, iou_threshold=iou_threshold, **options)
        items = frames(open_video(source), source)
        live = isinstance(source, int)  # a camera's frame should be handled at once
        results = detect_prefetched(detect, itemgetter(1), items, batch=1 if live else MAX_BATCH, eager=live)
        try:
            for (index, frame), _, detection in results:
                yield index, frame, cast(Detection, detection)  # None stands for a file that cannot be read
        finally:
            results.close()

    def _wanted(self, classes: Sequence[str] | None) -> np.ndarray:
        unknown = [name for name in classes or () if name not in self.names]
        if unknown:
            raise InputError(f"there is no class {unknown[0]!r}; the network's classes are {', '.join(self.names)}")
        return np.array([classes is None or name in classes for name in self.names])


def _as_image(image: Image, place: int) -> np.ndarray:
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    expected = f"images[{place}] must be an RGB array (H, W, 3) of uint8"
    if not isinstance(image, np.ndarray):
        raise InputError(f"{expected} or a path, not {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"{expected}, not {image.shape} of {image.dtype}")
    return image
