"""The loss of the anchor-based YOLO programs since 2020: complete IoU of the boxes, and objectness that predicts it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from yolojax.boxes import ciou, cxcywh_to_xyxy
from yolojax.decode import RawHeads, decode_boxes, flatten_heads
from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid
from yolojax.loss_terms import LossTerms
from yolojax.positives import class_labels, class_weights_of, positive_factors, responsible_heads
from yolojax.targets import Targets

THREE_SCALES = (4.0, 1.0, 0.4)
OTHER_SCALES = (4.0, 1.0, 0.25, 0.06, 0.02)
"""Weights of the scales in the objectness, fine to coarse, as published; with fewer scales the first of them are used."""


@auto_sharded(rows=True)
def iou_aware_loss(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    box_weight: float | jax.Array = 0.05,
    objectness_weight: float | jax.Array = 1.0,
    classification_weight: float | jax.Array = 0.5,
    scale_weights: Sequence[float] = (),
    class_weights: Sequence[float] | jax.Array = (),
    axis_name: str | None = None,
) -> LossTerms:
    """The loss of Ultralytics' YOLOv3 9 and YOLOv5, for targets of rule "ratio" and a grid with xy_scales 2 and squared sizes.

    With S scales, C classes and an input of H x W pixels:

    Box: 3 / S * box_weight * sum over scales of the mean over positive slots of 1 - CIoU (arXiv:1911.08287).
    Objectness: 3 / S * H * W / 640^2 * objectness_weight * sum over scales of w_s * mean over all slots of BCE(logit, t). At
    positive slots t is the CIoU of the predicted and the true box, the same as in the box term, but at least 0, a constant in
    the gradient; at all others t is 0. No slot is ignored. (Objectness that predicts the overlap: arXiv:1912.05992.)
    Classification: 3 / S * C / 80 * classification_weight * sum over scales of the mean over positive slots and classes of
    BCE(logit, one-hot class), without smoothing; 0 for a single class.

    The means run over the slots of one scale in all images of the batch, so that every scale with a positive slot counts the
    same however many it has; a mean over nothing is 0. Sources: the programs `utils/loss.py` (ComputeLoss) and `train.py`
    (where the weights are scaled), values of `hyp.scratch-low.yaml`. Those programs multiply the sum of the terms by the number
    of images, 64 with their accumulated gradients: their rate of 0.01 for SGD is 0.64 for this loss. Adam's steps do not depend
    on such a factor.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, assigned with the same grid.
        grid: the grid of the network's input.
        box_weight: weight of the box term.
        objectness_weight: weight of the objectness.
        classification_weight: weight of the classification.
        scale_weights: (S,) weights w_s, fine to coarse; empty: the published (4, 1, 0.4), or (4, 1, 0.25, 0.06, 0.02) where
            there are not three scales, of which fewer use the first.
        class_weights: (C,), factors on the classification error of a box, by its class; empty: all 1. They do not change what
            the means divide by.
        axis_name: under `jax.pmap` or `jax.shard_map`, the axis over which the images are spread, so that positive slots are
            counted on all devices; without it the means are those of each device's images. Under `jax.jit` they are global.

    Returns:
        The three terms, each (B,), in the floating type of the heads. The share of an image depends on the others: the mean of
        the terms over the batch is the loss, whereas the term of one image alone says nothing.

    Raises:
        ValueError: the heads do not match the grid, or there is not one weight for each scale or class.
    """
    flat = flatten_heads(raw, grid)
    weights = _scale_weights(scale_weights, grid.num_scales)
    class_weight = class_weights_of(flat, targets, class_weights)
    num_classes = flat.shape[-1] - 5
    height, width = grid.size
    layers = 3 / grid.num_scales
    responsible, geometry, positive = responsible_heads(flat, targets, grid)
    factor = positive_factors(flat, targets, grid, axis_name)

    predicted = cxcywh_to_xyxy(decode_boxes(responsible[..., :4], geometry))
    overlap = ciou(predicted, cxcywh_to_xyxy(jnp.asarray(targets.boxes, flat.dtype))[:, :, None, :])
    box_term = jnp.where(positive, factor * (1 - overlap), 0).sum((1, 2))

    slots, batch = jnp.asarray(targets.slots), jnp.arange(flat.shape[0])[:, None, None]
    logits, aim = flat[..., 4], jnp.maximum(jax.lax.stop_gradient(overlap), 0)
    t = jnp.zeros_like(logits).at[batch, slots].set(aim, mode="drop")
    of_slots = np.repeat(np.divide(weights, grid.slots_per_scale), grid.slots_per_scale)
    objectness = (jnp.asarray(of_slots, flat.dtype)[None] * optax.sigmoid_binary_cross_entropy(logits, t)).sum(1)

    class_term = jnp.zeros_like(box_term)
    if num_classes > 1:
        class_bce = optax.sigmoid_binary_cross_entropy(responsible[..., 5:], class_labels(flat, targets, 0.0)).mean(-1)
        class_term = jnp.where(positive, factor * class_weight * class_bce, 0).sum((1, 2))
    return LossTerms(
        layers * box_weight * box_term,
        layers * (height * width / 640**2) * objectness_weight * objectness,
        layers * (num_classes / 80) * classification_weight * class_term,
    )


def _scale_weights(given: Sequence[float], num_scales: int) -> Sequence[float]:
    published = THREE_SCALES if num_scales == 3 else OTHER_SCALES[:num_scales]
    weights = tuple(given) or published
    if len(weights) != num_scales:
        source = "scale_weights has" if given else "there are published"
        raise ValueError(f"{source} {len(weights)} weights for {num_scales} scales")
    return weights
