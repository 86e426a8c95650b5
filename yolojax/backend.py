"""The part of a detector that finds the objects: a network in this process, compiled by its recipe."""

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.data.images import fitted_aspect
from yolojax.decode import Predictions, decode
from yolojax.inference import ImageDetections, Recipe, raw_heads, to_original

if TYPE_CHECKING:
    import flax.linen as nn


class Backend(Protocol):
    """Finds the objects for a `Detector`, with a network in this process or the program of an exported file."""

    recipe: Recipe

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
    ) -> list[ImageDetections]:
        """Finds the objects in a few images.

        Args:
            images: (h, w, 3) uint8 RGB each, of any sizes, at least one.
            score_threshold: detections score more than this.
            iou_threshold: IoU over which the lower-scoring box is removed.
            wanted: (C,) bool, the classes to find.
            augment: look at the mirrored images too.
            class_agnostic: boxes of different classes suppress each other.
            method: "hard" or "soft" suppression.

        Returns:
            Detections of each image, in pixels of that image.
        """
        ...


class NetworkBackend:
    """A network and its variables, which are put on the device once; compiled for each batch size and choice of options.

    Any number of threads may call it at once.

    Attributes:
        recipe: what turns images into detections with the network.
    """

    def __init__(self, model: "nn.Module", variables: Mapping[str, Any], recipe: Recipe):
        self.recipe = recipe
        self._variables = jax.device_put(variables)
        self._compute = functools.partial(_detect, model=model, recipe=recipe)
        self._programs: dict[tuple, jax.stages.Compiled] = {}
        self._compiling = threading.Lock()

    def detect(
        self,
        images: Sequence[np.ndarray],
        score_threshold: np.float32,
        iou_threshold: np.float32,
        wanted: np.ndarray,
        **options: Any,
    ) -> list[ImageDetections]:
        """See `Backend.detect`."""
        fitted, transforms = zip(*map(self.recipe.fit_image, images), strict=True)
        aspects = [fitted_aspect(image, transform) for image, transform in zip(images, transforms, strict=True)]
        arguments = stack_padded(fitted), stack_padded(aspects), score_threshold, iou_threshold, wanted
        program = self._program(arguments, **options)
        detections = jax.device_get(program(self._variables, *arguments))
        return [
            to_original(detections, row, transform, image.shape[:2])
            for row, (image, transform) in enumerate(zip(images, transforms, strict=True))
        ]

    def _program(self, arguments: tuple, **options: Any) -> jax.stages.Compiled:
        key = len(arguments[0]), *options.values()
        if key not in self._programs:
            # If several threads need the same program, one compiles it and the others wait.
            with self._compiling:
                if key not in self._programs:
                    compute = jax.jit(functools.partial(self._compute, **options))
                    self._programs[key] = compute.lower(self._variables, *arguments).compile()
        return self._programs[key]


def _detect(
    variables,
    images,
    aspects,
    score_threshold,
    iou_threshold,
    wanted,
    *,
    model,
    recipe,
    augment,
    class_agnostic,
    method,
):
    """Detections of a batch of images, (B, H, W, 3), of `aspects` (B,); wanted (C,) bool are the classes to find."""
    views = jnp.concatenate([images, images[:, :, ::-1]]) if augment else images
    predictions = decode(raw_heads(model, variables, views), recipe.grid)
    if augment:
        predictions = _merge_mirrored(predictions, recipe.size[1])
    if recipe.multi_label:
        predictions = predictions._replace(class_logits=jnp.where(wanted, predictions.class_logits, -jnp.inf))
    else:
        unwanted = jnp.where(wanted[predictions.class_logits.argmax(-1)], 0, -jnp.inf)
        predictions = predictions._replace(objectness_logits=predictions.objectness_logits + unwanted)
    return recipe.suppress(
        predictions,
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        aspects=aspects,
        class_agnostic=class_agnostic,
        method=method,
    )


def _merge_mirrored(predictions: Predictions, width: int) -> Predictions:
    """Predictions of images and then of the same images mirrored, (2B, N, ...), as those of the images, (B, 2N, ...)."""
    plain, mirrored = (Predictions(*half) for half in zip(*(jnp.split(member, 2) for member in predictions), strict=True))
    boxes = mirrored.boxes.at[..., 0].set(width - mirrored.boxes[..., 0])
    merged = zip(plain, mirrored._replace(boxes=boxes), strict=True)
    return Predictions(*(jnp.concatenate(pair, axis=1) for pair in merged))


def stack_padded(arrays: Sequence[np.ndarray | np.float32]) -> np.ndarray:
    """Stacks arrays, filled up with copies to a power of two: few batch sizes, so few programs to compile."""
    padding = (1 << (len(arrays) - 1).bit_length()) - len(arrays)
    return np.stack([*arrays, *[arrays[-1]] * padding])
