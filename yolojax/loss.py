"""The loss of YOLOv3 with a GIoU box term, on compact targets: the device gathers what answers for each box."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from yolojax import boxes as overlaps
from yolojax.boxes import cxcywh_to_xyxy, iou
from yolojax.decode import decode_boxes, flatten_heads

BOX_TERMS = {"giou": overlaps.giou, "iou": overlaps.iou, "diou": overlaps.diou, "ciou": overlaps.ciou}


class LossTerms(NamedTuple):
    """The three terms of a detection loss, each (B,): one number a picture, summed over its slots."""

    box: jax.Array
    objectness: jax.Array
    classification: jax.Array


def yolo_loss(raw, targets, grid, *, ignore_iou=0.5, label_smoothing=0.01, box="giou"):
    """The loss of the TensorFlow YOLOv3 family, with no weights between its terms.

    Box: sum over positive slots of (2 - w * h / (W * H)) * (1 - GIoU), w and h of the true box (GIoU: arXiv:1902.09630).
    Objectness: sum over all slots of (t - p)^2 * (t + background) * BCE(logit, t), where t = 1 at positives and
    background = 1 where t = 0 and no box of that scale overlaps the prediction by `ignore_iou` or more; the gradient flows
    through the focal factor (t - p)^2 (focal loss: arXiv:1708.02002, gamma 2).
    Classification: sum over positive slots and classes of BCE against (1 - d) * onehot + d / C.

    Args:
        raw: for each scale (B, H_s, W_s, A, 5 + C) raw heads.
        targets: batched Targets, assigned with the same grid.
        grid: AnchorGrid.
        ignore_iou: IoU from which a prediction that answers for no box is not counted as background.
        label_smoothing: d above.
        box: which overlap the box term uses: "giou", "iou", "diou" or "ciou".

    Returns:
        LossTerms, each (B,), in the floating type of the heads.

    Raises:
        ValueError: heads that do not fit the grid, an unknown box term.
    """
    if box not in BOX_TERMS:
        raise ValueError(f"unknown box term {box!r}: one of {', '.join(BOX_TERMS)}")
    flat = flatten_heads(raw, grid)
    dtype = flat.dtype
    true_boxes = jnp.asarray(targets.boxes, dtype)

    # (B, M, S * A): what the heads say at the slots of each box; N, the padding, reads zeros.
    slots = jnp.asarray(targets.slots)
    batch, positive = jnp.arange(slots.shape[0])[:, None, None], slots < grid.num_slots
    answers = flat.at[batch, slots].get(mode="fill", fill_value=0)
    geometry = jnp.asarray(grid.slot_geometry, dtype).at[slots].get(mode="fill", fill_value=1)
    predicted = cxcywh_to_xyxy(decode_boxes(answers[..., :4], geometry))
    overlap = BOX_TERMS[box](predicted, cxcywh_to_xyxy(true_boxes)[:, :, None, :])
    height, width = grid.size
    scale = 2 - true_boxes[..., 2] * true_boxes[..., 3] / (width * height)
    box_term = jnp.where(positive, scale[..., None] * (1 - overlap), 0).sum((1, 2))

    num_classes = flat.shape[-1] - 5
    onehot = jax.nn.one_hot(targets.classes, num_classes, dtype=dtype)
    smoothed = (1 - label_smoothing) * onehot + label_smoothing / num_classes
    class_bce = optax.sigmoid_binary_cross_entropy(answers[..., 5:], smoothed[:, :, None, :]).sum(-1)
    class_term = jnp.where(positive, class_bce, 0).sum((1, 2))

    logits = flat[..., 4]
    t = jnp.zeros_like(logits).at[batch, slots].set(1, mode="drop")
    background = (1 - t) * (best_overlaps(flat, targets, grid) < ignore_iou)
    focal = (t - jax.nn.sigmoid(logits)) ** 2
    objectness = focal * (t + background) * optax.sigmoid_binary_cross_entropy(logits, t)
    return LossTerms(box_term, objectness.sum(1), class_term)


def build_loss(config):
    """The loss of a `LossConfig`: a function of (raw heads, targets, grid) to LossTerms."""
    return functools.partial(
        yolo_loss, ignore_iou=config.ignore_iou, label_smoothing=config.label_smoothing, box=config.box
    )


def best_overlaps(flat, targets, grid):
    """The largest IoU of each prediction with the boxes that got an anchor on its scale.

    Args:
        flat: (B, N, 5 + C) raw heads as `flatten_heads` gives them.
        targets: batched Targets.
        grid: AnchorGrid.

    Returns:
        (B, N), 0 where a scale has no box; no gradient flows through it.
    """
    predicted = cxcywh_to_xyxy(decode_boxes(jax.lax.stop_gradient(flat[..., :4]), grid.slot_geometry[None]))
    true = cxcywh_to_xyxy(jnp.asarray(targets.boxes, flat.dtype))[:, None, :, :]
    best = []
    for scale, (first, count) in enumerate(zip(grid.offsets, grid.slots_per_scale, strict=True)):
        overlap = iou(predicted[:, first : first + count, None, :], true)
        best.append(jnp.where(targets.on_scale[:, None, :, scale], overlap, 0).max(-1))
    return jnp.concatenate(best, axis=1)

