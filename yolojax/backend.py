"""The part of a detector that finds the objects: a network in this process, compiled by its recipe."""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.data.images import fitted_aspect
from yolojax.decode import Predictions, decode
from yolojax.inference import ImageDetections, Recipe, merge_mirrored, raw_heads, to_original, with_mirrored
from yolojax.runtime.compiler_options import compiler_options
from yolojax.runtime.memory import enough_memory
from yolojax.runtime.wording import counted

if TYPE_CHECKING:
    import flax.linen as nn

MAX_DETECTIONS = 100
"""How many detections of an image are kept, unless a call asks for more."""
CANDIDATES_PER_DETECTION = 10


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
            Detections of each image by falling score, in pixels of that image; `MAX_DETECTIONS` at most. A call for more passes
            `max_detections: int` as well, which a backend may do without; a call for fewer does not: `Detector` leaves out the
            rest. A backend may also have `model`, `variables` and `predictions`, as `NetworkBackend` does.
        """
        ...


class NetworkBackend:
    """A network and its variables, which are put on the device once; compiled for each batch size and choice of options.

    Any number of threads may call it at once.

    Attributes:
        model: the network.
        variables: {"params", "batch_stats"} on the device.
        recipe: what turns images into detections with the network.
    """

    def __init__(self, model: "nn.Module", variables: Mapping[str, Any], recipe: Recipe):
        self.model, self.recipe = model, recipe
        self.variables = jax.device_put(variables)
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
        with enough_memory(
            f"{counted(len(images), 'picture')} at the network's input of {self.recipe.size[0]} x {self.recipe.size[1]} pixels"
        ):
            return self._detect(images, score_threshold, iou_threshold, wanted, **options)

    def _detect(self, images, score_threshold, iou_threshold, wanted, **options):
        fitted, transforms = zip(*map(self.recipe.fit_image, images), strict=True)
        aspects = [fitted_aspect(image, transform) for image, transform in zip(images, transforms, strict=True)]
        arguments = stack_padded(fitted), stack_padded(aspects), score_threshold, iou_threshold, wanted
        program = self._program(_predict_detections, arguments, **options)
        detections = jax.device_get(program(self.variables, *arguments))
        return [
            to_original(detections, row, transform, image.shape[:2])
            for row, (image, transform) in enumerate(zip(images, transforms, strict=True))
        ]

    def predictions(self, images: Sequence[np.ndarray]) -> Predictions:
        """The predictions for a few images, before suppression, on the device.

        Args:
            images: (h, w, 3) uint8 RGB each, of any sizes, at least one.
        """
        arguments = (stack_padded(self.recipe.fit_images(images).images),)
        predictions = self._program(_predict, arguments)(self.variables, *arguments)
        return Predictions(*(member[: len(images)] for member in predictions))

    def _program(self, function: Callable[..., Any], arguments: tuple, **options: Any) -> jax.stages.Compiled:
        key = function, len(arguments[0]), *options.values()
        if key not in self._programs:
            # If several threads need the same program, one compiles it and the others wait.
            with self._compiling:
                if key not in self._programs:
                    compute = jax.jit(
                        functools.partial(function, model=self.model, recipe=self.recipe, **options),
                        compiler_options=compiler_options(),
                    )
                    self._programs[key] = compute.lower(self.variables, *arguments).compile()
        return self._programs[key]


def _predict(variables, images, *, model, recipe):
    """Predictions for a batch of images, (B, H, W, 3)."""
    return decode(raw_heads(model, variables, images), recipe.grid)


def _predict_detections(
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
    max_detections=MAX_DETECTIONS,
):
    """Detections of a batch of images, (B, H, W, 3), of `aspects` (B,); wanted (C,) bool are the classes to find."""
    predictions = _predict(variables, with_mirrored(images) if augment else images, model=model, recipe=recipe)
    if augment:
        predictions = merge_mirrored(predictions, recipe.size[1])
    if recipe.multi_label:
        predictions = predictions._replace(class_logits=jnp.where(wanted, predictions.class_logits, -jnp.inf))
    else:
        unwanted = jnp.where(wanted[predictions.class_logits.argmax(-1)], 0, -jnp.inf)
        predictions = predictions._replace(objectness_logits=predictions.objectness_logits + unwanted)
    slots, classes = predictions.class_logits.shape[1:]
    kept = min(max_detections, slots * classes if recipe.multi_label else slots)
    return recipe.suppress(
        predictions,
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        aspects=aspects,
        class_agnostic=class_agnostic,
        method=method,
        max_detections=kept,
        max_candidates=max(1024, kept, min(CANDIDATES_PER_DETECTION * kept, slots)),
    )


def stack_padded(arrays: Sequence[np.ndarray | np.float32] | np.ndarray) -> np.ndarray:
    """Stacks arrays, filled up with copies to a power of two: few batch sizes, so few programs to compile."""
    padding = (1 << (len(arrays) - 1).bit_length()) - len(arrays)
    return np.stack([*arrays, *[arrays[-1]] * padding])
