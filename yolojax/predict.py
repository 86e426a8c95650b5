"""A trained detector as a function of images."""

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast, overload

import jax.numpy as jnp
import numpy as np

from yolojax.backend import MAX_DETECTIONS, Backend, NetworkBackend
from yolojax.darknet.detector import read_darknet
from yolojax.data.given import Image, each, is_one
from yolojax.data.video import frames, open_video
from yolojax.decode import Predictions
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.inference import Fitted, Recipe
from yolojax.nms import distance_power
from yolojax.parts import NO_PARTS, Parts
from yolojax.runs.exported import ExportedBackend
from yolojax.runs.workdir import Run, load_run
from yolojax.runtime.prefetch import detect_prefetched

if TYPE_CHECKING:
    import flax.linen as nn

MAX_BATCH = 8


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
    for each batch size (1, 2, 4 and 8 images), each choice of `augment`, `class_agnostic` and `method`, and each
    `max_detections` over 100. Any number of threads may call it at once.

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
        names: str | os.PathLike[str] | tuple[str, ...] | None = None,
        fit: str = "letterbox",
    ) -> Self:
        """Loads a Darknet detector, which finds what Darknet finds.

        As in Darknet, a slot is detected as every class over the threshold, and images are resized by Darknet's own arithmetic.

        Args:
            cfg: path of the .cfg.
            weights: path of the .weights.
            names: path of a file with one class name per line, or the names; by default classes are called by their numbers.
            fit: "letterbox" keeps the proportions, on grey; "stretch" does not, as AlexeyAB's Darknet by default.

        Raises:
            InputError: a file that cannot be read, a cfg that cannot be honoured, weights or names that do not fit it.
        """
        return cls.from_backend(NetworkBackend(*read_darknet(cfg, weights, names, fit)))

    @classmethod
    def from_exported(cls, path: str | os.PathLike[str]) -> Self:
        """Loads a detector that was exported as StableHLO; it finds what the exported run finds.

        The file holds one program: `augment`, `class_agnostic`, `method="soft"` and more than 100 detections are refused,
        `classes` are picked from the (at most) 100 detections of all classes, and `model`, `variables` and `predictions` are
        not there. A network imported from Darknet is compiled for each image size.

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
    def model(self) -> "nn.Module":
        """The network: `model.apply(variables, images, train=False)` gives the raw heads for `fitted(...).images`.

        Raises:
            InputError: an exported file, which holds no network.
        """
        return self._of_network("model")

    @property
    def variables(self) -> Mapping[str, Any]:
        """{"params", "batch_stats"} of the network, on the device.

        Raises:
            InputError: an exported file, in whose program they are.
        """
        return self._of_network("variables")

    @property
    def grid(self) -> AnchorGrid:
        """Slots of the network's input."""
        return self.recipe.grid

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
        max_detections: int = MAX_DETECTIONS,
    ) -> Detection: ...

    @overload
    def __call__(
        self,
        images: Iterable[Image],
        score_threshold: float = 0.3,
        iou_threshold: float = 0.45,
        *,
        classes: Sequence[str] | None = None,
        augment: bool = False,
        class_agnostic: bool = False,
        method: str = "hard",
        max_detections: int = MAX_DETECTIONS,
    ) -> list[Detection]: ...

    def __call__(
        self,
        images: Image | Iterable[Image],
        score_threshold: float = 0.3,
        iou_threshold: float = 0.45,
        *,
        classes: Sequence[str] | None = None,
        augment: bool = False,
        class_agnostic: bool = False,
        method: str = "hard",
        max_detections: int = MAX_DETECTIONS,
    ) -> Detection | list[Detection]:
        """Finds the objects in one image or many.

        Args:
            images: an RGB uint8 array (H, W, 3) of NumPy or JAX, a Pillow picture of any mode, a path, an open file or its
                bytes; or any iterable of these, of any sizes, which is read 8 images at a time. An array (B, H, W, 3) is a
                series. Arrays of OpenCV are BGR, which nothing can tell: give `image[..., ::-1]`.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU, the better one is kept.
            classes: names of the classes to find; None for all. A slot whose best class is another one gives no detection.
            augment: the network also sees the mirrored images; suppression merges what it finds in either view.
            class_agnostic: detections of different classes suppress each other too.
            method: "hard" suppression or "soft", as in `postprocess`.
            max_detections: the most detections of an image, the most confident ones; 1 for the best one. They come from the
                1024 best slots, or, beyond 102 detections, from 10 slots for each.

        Returns:
            Detection of the one image, or a list with one Detection per image.

        Raises:
            InputError: an image that cannot be read or is something else, a class that the network does not have, no positive
                `max_detections`, or an option that an exported file cannot honour.
            ValueError: an unknown method.
        """
        one, wanted = is_one(images), self._wanted(classes)
        options: dict[str, Any] = {"augment": augment, "class_agnostic": class_agnostic, "method": method}
        if not isinstance(max_detections, int | np.integer) or max_detections < 1:
            raise InputError(f"max_detections must be a whole number from 1, not {max_detections!r}")
        if max_detections > MAX_DETECTIONS:
            options["max_detections"] = int(max_detections)
        thresholds = np.float32(score_threshold), np.float32(iou_threshold)
        found = []
        for group in _groups(images):
            found += self._backend.detect(group, *thresholds, wanted, **options)
        # Fewer are no other program: suppression has no use for how many are kept.
        most = slice(max_detections)
        named = [Detection(boxes[most], scores[most], class_ids[most], self.names) for boxes, scores, class_ids in found]
        return named[0] if one else named

    def predictions(self, images: Image | Iterable[Image]) -> Predictions:
        """What the network says of every slot, before thresholds and suppression: decoded boxes and logits.

        `detector.recipe.suppress(predictions, ...)` or `postprocess` goes on from here; `fitted` has the transforms with which
        boxes are mapped back. Nothing is copied to the host. For many images, call it with a few at a time: at 416 x 416 and
        80 classes an image takes 3.6 MB.

        Args:
            images: as in a call; read at once.

        Returns:
            Predictions of B images, one image too, as JAX arrays: boxes (B, N, 4) cxcywh in pixels of the network's input,
            objectness_logits (B, N), class_logits (B, N, C).

        Raises:
            InputError: an image that cannot be read or is something else, no image, or an exported file, which gives detections
                only.
        """
        compute = self._of_network("predictions")
        parts = [compute(group) for group in _groups(images)]
        if not parts:
            raise InputError("there are no predictions for no images; give at least one")
        return parts[0] if len(parts) == 1 else Predictions(*map(jnp.concatenate, zip(*parts, strict=True)))

    def fitted(self, images: Image | Iterable[Image]) -> Fitted:
        """The images as the network sees them, and how each lies in the input.

        Args:
            images: as in a call; read at once.

        Raises:
            InputError: an image that cannot be read or is something else, or no image.
        """
        given = list(each(images))
        if not given:
            raise InputError("no images can be fitted; give at least one")
        return self.recipe.fit_images(given)

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

    def _of_network(self, name: str) -> Any:
        """An attribute that only the backend of a network has."""
        if not hasattr(self._backend, name):
            raise InputError(
                f"this detector has no {name}: an exported file holds one program from pictures to detections, not the "
                "network; load its run with Detector.from_workdir"
            )
        return getattr(self._backend, name)

    def _wanted(self, classes: Sequence[str] | None) -> np.ndarray:
        unknown = [name for name in classes or () if name not in self.names]
        if unknown:
            raise InputError(f"there is no class {unknown[0]!r}; the network's classes are {', '.join(self.names)}")
        return np.array([classes is None or name in classes for name in self.names])


def _groups(images: Image | Iterable[Image]) -> Iterator[list[np.ndarray]]:
    """Yields the images, read, in groups for one call of the network."""
    arrays = each(images)
    while group := list(itertools.islice(arrays, MAX_BATCH)):
        yield group
