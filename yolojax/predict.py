"""A trained detector as a function of pictures."""

import os
from typing import NamedTuple

import jax
import numpy as np

from yolojax.darknet.detector import darknet_parts
from yolojax.data.images import letterbox, read_image
from yolojax.decode import decode
from yolojax.errors import InputError
from yolojax.evaluation.evaluate import to_original
from yolojax.nms import postprocess
from yolojax.training.checkpoints import load_run

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
    decoding and suppression are one program, compiled once for each size of a batch (1, 2, 4 and 8 pictures).

    Attributes:
        names: class names.
        size: (height, width) of the network's input in pixels.
    """

    def __init__(self, model, variables, grid, names, class_scores="sigmoid", fit=letterbox, multi_label=False):
        self.names, self.size = tuple(names), grid.size
        self._variables, self._fit = variables, fit

        def predict(variables, images, score_threshold, iou_threshold):
            raw = model.apply(variables, images, train=False)
            return postprocess(
                decode(raw, grid),
                score_threshold=score_threshold,
                iou_threshold=iou_threshold,
                class_scores=class_scores,
                multi_label=multi_label,
            )

        self._predict = jax.jit(predict)

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
        return cls(
            run.model, run.variables, run.grid, run.config.data.class_names, run.config.loss.class_scores
        )

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

    def __call__(self, images, score_threshold=0.3, iou_threshold=0.45):
        """Finds the objects in pictures.

        Args:
            images: list of RGB uint8 arrays (H, W, 3) or of paths, of any sizes.
            score_threshold: detections score more than this.
            iou_threshold: of two detections of a class that overlap by more than this IoU the better one stays.

        Returns:
            A list of Detection, one a picture.

        Raises:
            InputError: a picture that cannot be read or is no (H, W, 3) uint8 array.
        """
        if isinstance(images, str | os.PathLike) or getattr(images, "ndim", 4) < 4:
            raise InputError("images must be a list of pictures; for one: detector([image])")
        detections = []
        for first in range(0, len(images), MAX_BATCH):
            group = [_as_image(images[i], i) for i in range(first, min(first + MAX_BATCH, len(images)))]
            fitted, transforms = zip(*(self._fit(image, self.size) for image in group), strict=True)
            # A power of two: few sizes of batches, so few programs to compile.
            padding = (1 << (len(group) - 1).bit_length()) - len(group)
            batch = np.stack(fitted + (fitted[-1],) * padding)
            found = jax.device_get(self._predict(self._variables, batch, score_threshold, iou_threshold))
            for row, (image, transform) in enumerate(zip(group, transforms, strict=True)):
                detections.append(Detection(*to_original(found, row, transform, image.shape[:2]), self.names))
        return detections


def _as_image(image, place):
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    wanted = f"images[{place}] must be an RGB array (H, W, 3) of uint8"
    if not isinstance(image, np.ndarray):
        raise InputError(f"{wanted} or a path, not {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"{wanted}, not {image.shape} of {image.dtype}")
    return image
