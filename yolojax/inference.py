"""How images become detections with a network: one recipe, and the compiled program that follows it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.data.darknet_fit import FITS, multi_label
from yolojax.data.images import ImageTransform, unletterbox_boxes
from yolojax.decode import Predictions
from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid
from yolojax.nms import CLASS_SCORES, Detections, distance_power, postprocess

if TYPE_CHECKING:
    import flax.linen as nn

    from yolojax.config import Config

ImageDetections = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Boxes (k, 4) float32 xyxy in pixels of the image, scores (k,) float32 and classes (k,) int32 of one image."""


class Fitted(NamedTuple):
    """Images as the network sees them, and the way back.

    Attributes:
        images: (B, H, W, 3), uint8, or float32 in [0, 1] if the images are fitted as Darknet does.
        transforms: how each image lies in the input: `unletterbox_boxes(boxes_xyxy, transforms[i])` has the boxes of image i in
            pixels of the original.
        sizes: (height, width) of each original in pixels.
    """

    images: np.ndarray
    transforms: tuple[ImageTransform, ...]
    sizes: tuple[tuple[int, int], ...]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that turns images into detections with a network, except the network itself and the thresholds.

    A run, a Darknet file and an exported file each make it once. It is hashable, so that it can be a static argument of a
    compiled function.

    Attributes:
        grid: slots of the network's input.
        names: class names.
        fit: how an image is fitted into the input: "letterbox", "darknet_letterbox" or "darknet_stretch" (`FITS`).
        multi_label: whether a slot may be detected as every class over the threshold, or only as its best class.
        class_scores: "sigmoid" or "softmax", as the network was trained; see `postprocess`.
        distance_power: the power that suppression uses, see `postprocess`; None for plain IoU.

    Raises:
        ValueError: an unknown `fit` or `class_scores`.
    """

    grid: AnchorGrid
    names: tuple[str, ...]
    fit: str = "letterbox"
    multi_label: bool = False
    class_scores: str = "sigmoid"
    distance_power: float | None = None

    def __post_init__(self):
        for name, known in (("fit", FITS), ("class_scores", CLASS_SCORES)):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; expected one of {', '.join(known)}")

    @classmethod
    def from_config(cls, config: "Config", grid: AnchorGrid, model: "nn.Module") -> Self:
        """The recipe of a trained network.

        Args:
            config: resolved configuration of its run.
            grid: slots of its input.
            model: the network, which may ask for a suppression of its own.
        """
        fit = config.data.fit
        names = tuple(config.data.class_names)
        return cls(grid, names, fit, multi_label(fit), config.loss.class_scores, distance_power(model))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The recipe that `to_dict` wrote; files of early versions lack the values that were the same in all of them.

        Raises:
            KeyError, TypeError, ValueError: values that are missing or cannot be used.
        """
        grid = AnchorGrid(
            values["size"],
            values["strides"],
            values["anchors"],
            values.get("xy_scales", ()),
            bool(values.get("squared_sizes", False)),
        )
        return cls(
            grid,
            tuple(values["names"]),
            fit=values.get("fit", "letterbox"),
            multi_label=bool(values.get("multi_label", False)),
            class_scores=values["class_scores"],
            distance_power=values.get("distance_power"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; anchors are in pixels of the input."""
        return {
            "names": list(self.names),
            "size": list(self.grid.size),
            "strides": list(self.grid.strides),
            "anchors": [[list(anchor) for anchor in scale] for scale in self.grid.anchors],
            "xy_scales": list(self.grid.xy_scales),
            "squared_sizes": self.grid.squared_sizes,
            "distance_power": self.distance_power,
            "class_scores": self.class_scores,
            "fit": self.fit,
            "multi_label": self.multi_label,
        }

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the network's input in pixels."""
        return self.grid.size

    def fit_image(self, image: np.ndarray) -> tuple[np.ndarray, ImageTransform]:
        """Fits an image into the network's input.

        Args:
            image: (h, w, 3) uint8 RGB.

        Returns:
            (H, W, 3), uint8 or float32 in [0, 1], and how the image lies in it.
        """
        return FITS[self.fit](image, self.size)

    def fit_images(self, images: Sequence[np.ndarray]) -> Fitted:
        """Fits images of any sizes into the network's input.

        Args:
            images: (h, w, 3) uint8 RGB each, at least one.
        """
        fitted, transforms = zip(*map(self.fit_image, images), strict=True)
        return Fitted(np.stack(fitted), transforms, tuple((image.shape[0], image.shape[1]) for image in images))

    def suppress(
        self,
        predictions: Predictions,
        *,
        score_threshold: jax.typing.ArrayLike,
        iou_threshold: jax.typing.ArrayLike,
        aspects: jax.Array | None = None,
        **options: Any,
    ) -> Detections:
        """`postprocess` as this network needs it.

        Args:
            predictions: decoded heads, batched.
            score_threshold: detections score more than this.
            iou_threshold: IoU over which the lower-scoring box of a class is removed.
            aspects: (B,), height over width of the images in the input.
            options: other arguments of `postprocess`; they take precedence over the recipe.
        """
        own = {
            "multi_label": self.multi_label,
            "class_scores": self.class_scores,
            "distance_power": self.distance_power,
        }
        return postprocess(
            predictions, score_threshold=score_threshold, iou_threshold=iou_threshold, aspects=aspects, **(own | options)
        )


@auto_sharded(rows=True)
def raw_heads(model: "nn.Module", variables: Mapping[str, Any], images: jax.Array) -> tuple[jax.Array, ...]:
    """The raw heads of a network for images, outside training, fine to coarse: (B, H_s, W_s, A, 5 + C) each."""
    from yolojax.models.declared import train_argument  # an exported file needs no Flax

    heads = model.apply(variables, images, **train_argument(model, False))
    return cast(tuple[jax.Array, ...], tuple(heads) if isinstance(heads, list) else heads)


def with_mirrored(images: jax.Array) -> jax.Array:
    """Images (B, H, W, 3), and after them the same images mirrored left to right: (2B, H, W, 3)."""
    return jnp.concatenate([images, images[:, :, ::-1]])


def merge_mirrored(predictions: Predictions, width: int) -> Predictions:
    """What a network predicts for `with_mirrored` images, (2B, N, ...), as twice as many predictions of each: (B, 2N, ...).

    Args:
        predictions: decoded heads of the images.
        width: of the network's input in pixels.
    """
    plain, mirrored = (Predictions(*half) for half in zip(*(jnp.split(member, 2) for member in predictions), strict=True))
    boxes = mirrored.boxes.at[..., 0].set(width - mirrored.boxes[..., 0])
    merged = zip(plain, mirrored._replace(boxes=boxes), strict=True)
    return Predictions(*(jnp.concatenate(pair, axis=1) for pair in merged))


def to_original(
    detections: Detections | tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    row: int,
    transform: ImageTransform,
    original_size: tuple[int, int],
) -> ImageDetections:
    """The detections of one image of a batch in pixels of the original, clipped to it; those outside it are left out.

    Args:
        detections: boxes, scores, classes and valid of the batch, NumPy arrays.
        row: index of the image in the batch.
        transform: how the image lies in the network's input.
        original_size: (height, width) of the image in pixels.

    Returns:
        Boxes (k, 4) float32 xyxy, scores (k,) float32, classes (k,) int32.
    """
    height, width = original_size
    boxes, scores, classes, valid = (np.asarray(member[row]) for member in detections)
    boxes = unletterbox_boxes(boxes, transform)
    boxes = np.clip(boxes, 0, np.array([[width, height, width, height]], np.float32))
    # A box in the grey margin alone has no area left.
    kept = valid & (boxes[:, 2:] > boxes[:, :2]).all(1)
    return boxes[kept], scores[kept], classes[kept]
