"""A trained detector as a function of pictures."""

import functools
import os
import threading
from operator import itemgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.darknet.detector import darknet_parts
from yolojax.data.darknet_fit import FITS, multi_label
from yolojax.data.images import fitted_aspect, letterbox, read_image
from yolojax.data.video import frames, open_video
from yolojax.decode import Predictions, decode
from yolojax.errors import InputError
from yolojax.inference import to_original
from yolojax.nms import distance_power, postprocess
from yolojax.runs.workdir import load_run
from yolojax.runtime.prefetch import detect_prefetched

MAX_BATCH = 8


class Detection(NamedTuple):
    """What was found in one picture, by falling score.

    Attributes:
        boxes: (k, 4) float32 xyxy in pixels of the original picture, clipped to it.
        scores: (k,) float32 in [0, 1].
        classes: (k,) int32.
        names: the names of all classes; `names[c]` is that of class c.
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    names: tuple


class Detector:
    """Finds objects in pictures: `detections = detector(images)`.

    Pictures of any sizes are letterboxed to the network's input (or fitted as Darknet does, see `from_darknet`). Network,
    decoding and suppression are one program, compiled once for each size of a batch (1, 2, 4 and 8 pictures) and each choice of
    `augment`, `class_agnostic` and `method`. Any number of threads may call it at once.

    Attributes:
        names: class names.
        size: (height, width) of the network's input in pixels.
    """

    def __init__(self, model, variables, grid, names, class_scores="sigmoid", fit=letterbox, multi_label=False):
        self.names, self.size = tuple(names), grid.size
        self._variables, self._fit = variables, fit
        self._compute = functools.partial(_predict, model=model, grid=grid, class_scores=class_scores, multi_label=multi_label)
        self._programs, self._compiling = {}, threading.Lock()

    @classmethod
    def from_workdir(cls, workdir, checkpoint="best"):
        """Loads the detector that a run has trained.

        Args:
            workdir: of `train.py`.
            checkpoint: "best", "last" or a step.

        Raises:
            InputError: no run there, or no such checkpoint.
        """
        run = load_run(workdir, checkpoint)
        return cls.from_run(run)

    @classmethod
    def from_run(cls, run):
        """Makes a detector of a `Run`, with the picture fit of its configuration."""
        names, fit = run.config.data.class_names, run.config.data.fit
        class_scores = run.config.loss.class_scores
        return cls(run.model, run.variables, run.grid, names, class_scores, FITS[fit], multi_label(fit))

    @classmethod
    def from_darknet(cls, cfg, weights, names=None, fit="letterbox"):
        """Loads a Darknet detector, to find what Darknet finds with it.

        As there, a slot is detected as every class over the threshold, and pictures are resized by Darknet's own arithmetic.

        Args:
            cfg: path of the .cfg.
            weights: path of the .weights.
            names: path of a file with one class name a line; by default classes are called by their numbers.
            fit: "letterbox" keeps the proportions, on grey; "stretch" does not, as AlexeyAB's Darknet by default.

        Raises:
            InputError: a file that cannot be read, a cfg that cannot be honoured, weights or names that do not fit it.
        """
        return cls(**darknet_parts(cfg, weights, names, fit))

    @classmethod
    def from_exported(cls, path):
        """Loads the detector that `python -m yolojax export --to stablehlo` has written; it finds what the exported run finds.

        The file holds one program: `augment`, `class_agnostic` and `method="soft"` are refused, and `classes` are picked from
        the (at most) 100 detections of all classes. A network imported from Darknet is compiled for each size of picture.

        Args:
            path: the file.

        Raises:
            InputError: a file that is missing, is none of these or is damaged, or one of another version.
        """
        from yolojax.export.detector import ExportedDetector

        return ExportedDetector(path)

    def __call__(
        self,
        images,
        score_threshold=0.3,
        iou_threshold=0.45,
        *,
        classes=None,
        augment=False,
        class_agnostic=False,
        method="hard",
    ):
        """Finds the objects in one picture or many.

        Args:
            images: an RGB uint8 array (H, W, 3) or a path, or a list of these, of any sizes.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU the better one stays.
            classes: names of the classes to find; None for all. A slot whose best class is another one finds nothing.
            augment: the network also sees the mirrored pictures; suppression merges what it finds in either view.
            class_agnostic: detections of different classes suppress each other too.
            method: "hard" suppression or "soft", as of `postprocess`.

        Returns:
            Detection of the one picture, or a list of Detection, one a picture.

        Raises:
            InputError: a picture that cannot be read or is no (H, W, 3) uint8 array, a class that the network does not have, or
                an option that an exported file cannot honour.
            ValueError: an unknown method.
        """
        one = isinstance(images, str | os.PathLike) or getattr(images, "ndim", 4) < 4
        images = [images] if one else images
        wanted = self._wanted(classes)
        detections = []
        for first in range(0, len(images), MAX_BATCH):
            group = [_as_image(images[i], i) for i in range(first, min(first + MAX_BATCH, len(images)))]
            arguments = np.float32(score_threshold), np.float32(iou_threshold), wanted
            found = self._find(group, *arguments, augment=augment, class_agnostic=class_agnostic, method=method)
            detections += [Detection(*of_picture, self.names) for of_picture in found]
        return detections[0] if one else detections

    def predict_video(self, source, score_threshold=0.3, iou_threshold=0.45, **options):
        """Yields (index, frame, Detection) for one frame of a video after another, while the next ones are decoded.

        A few dozen frames are in memory at once, however long the video is. A consumer may stop at any frame: closing the
        generator (a `for` loop that is left does it) ends the threads and releases the video.

        Args:
            source: path of a video file, or the number of a camera, from 0, whose frames never end.
            score_threshold, iou_threshold, options: as of a call.

        Yields:
            The frame's number from 0, the frame as (H, W, 3) uint8 RGB, and what was found in it.

        Raises:
            InputError: at the first frame, a video or camera that cannot be opened or has no frame.
        """
        detect = functools.partial(self, score_threshold=score_threshold, iou_threshold=iou_threshold, **options)
        items = frames(open_video(source), source)
        live = isinstance(source, int)  # a camera's frame is worth most at once
        found = detect_prefetched(detect, itemgetter(1), items, batch=1 if live else MAX_BATCH, eager=live)
        try:
            for (index, frame), _, detection in found:
                yield index, frame, detection
        finally:
            found.close()

    def _wanted(self, classes):
        unknown = [name for name in classes or () if name not in self.names]
        if unknown:
            raise InputError(f"no class {unknown[0]!r}: the network finds {', '.join(self.names)}")
        return np.array([classes is None or name in classes for name in self.names])

    def _find(self, group, *arguments, **static):
        """(boxes, scores, classes) in each of up to `MAX_BATCH` pictures."""
        fitted, transforms = zip(*(self._fit(image, self.size) for image in group), strict=True)
        aspects = [fitted_aspect(image, transform) for image, transform in zip(group, transforms, strict=True)]
        arguments = stack_padded(fitted), stack_padded(aspects), *arguments
        program = self._program(arguments, **static)
        found = jax.device_get(program(self._variables, *arguments))
        placed = enumerate(zip(group, transforms, strict=True))
        return [to_original(found, row, transform, image.shape[:2]) for row, (image, transform) in placed]

    def _program(self, arguments, **static):
        key = len(arguments[0]), *static.values()
        if key not in self._programs:
            # Of threads that need the same program one compiles it, and the others wait.
            with self._compiling:
                if key not in self._programs:
                    compute = jax.jit(functools.partial(self._compute, **static))
                    self._programs[key] = compute.lower(self._variables, *arguments).compile()
        return self._programs[key]


def _predict(
    variables,
    images,
    aspects,
    score_threshold,
    iou_threshold,
    wanted,
    *,
    model,
    grid,
    class_scores,
    multi_label,
    augment,
    class_agnostic,
    method,
):
    """Detections of a batch of pictures, (B, H, W, 3), of `aspects` (B,); wanted (C,) bool says of which classes."""
    views = jnp.concatenate([images, images[:, :, ::-1]]) if augment else images
    predictions = decode(model.apply(variables, views, train=False), grid)
    if augment:
        predictions = _merge_mirrored(predictions, grid.size[1])
    if multi_label:
        predictions = predictions._replace(class_logits=jnp.where(wanted, predictions.class_logits, -jnp.inf))
    else:
        nothing = jnp.where(wanted[predictions.class_logits.argmax(-1)], 0, -jnp.inf)
        predictions = predictions._replace(objectness_logits=predictions.objectness_logits + nothing)
    return postprocess(
        predictions,
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        class_agnostic=class_agnostic,
        method=method,
        multi_label=multi_label,
        class_scores=class_scores,
        distance_power=distance_power(model),
        aspects=aspects,
    )


def _merge_mirrored(predictions, width):
    """Predictions of pictures and then of the same pictures mirrored, (2B, N, ...), as those of the pictures, (B, 2N, ...)."""
    plain, mirrored = (Predictions(*half) for half in zip(*(jnp.split(member, 2) for member in predictions), strict=True))
    boxes = mirrored.boxes.at[..., 0].set(width - mirrored.boxes[..., 0])
    merged = zip(plain, mirrored._replace(boxes=boxes), strict=True)
    return Predictions(*(jnp.concatenate(pair, axis=1) for pair in merged))


def stack_padded(images):
    """A batch of at least all the images; filled up to a power of two: few sizes of batches, so few programs to compile."""
    padding = (1 << (len(images) - 1).bit_length()) - len(images)
    return np.stack([*images, *[images[-1]] * padding])


def _as_image(image, place):
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    wanted = f"images[{place}] must be an RGB array (H, W, 3) of uint8"
    if not isinstance(image, np.ndarray):
        raise InputError(f"{wanted} or a path, not {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"{wanted}, not {image.shape} of {image.dtype}")
    return image
