"""The losses of YOLOv3, on compact targets: the device gathers what answers for each box."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from yolojax import boxes as overlaps
from yolojax.boxes import cxcywh_to_xyxy, iou
from yolojax.decode import MAX_LOG_SIZE, decode_boxes, flatten_heads, log_sizes, place_in_cell

BOX_TERMS = {"giou": overlaps.giou, "iou": overlaps.iou, "diou": overlaps.diou, "ciou": overlaps.ciou}
CLASS_TERMS = {
    "sigmoid": lambda logits, labels: optax.sigmoid_binary_cross_entropy(logits, labels).sum(-1),
    "softmax": optax.softmax_cross_entropy,
}
WH_TERMS = ("sqrt", "log")
OBJECTNESS_TERMS = ("bce", "iou")


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
    answers, geometry, positive = _answers(flat, targets, grid)
    true_boxes = jnp.asarray(targets.boxes, flat.dtype)
    predicted = cxcywh_to_xyxy(decode_boxes(answers[..., :4], geometry))
    overlap = BOX_TERMS[box](predicted, cxcywh_to_xyxy(true_boxes)[:, :, None, :])
    height, width = grid.size
    scale = 2 - true_boxes[..., 2] * true_boxes[..., 3] / (width * height)
    box_term = jnp.where(positive, scale[..., None] * (1 - overlap), 0).sum((1, 2))

    class_bce = CLASS_TERMS["sigmoid"](answers[..., 5:], _class_labels(flat, targets, label_smoothing))
    class_term = jnp.where(positive, class_bce, 0).sum((1, 2))

    logits = flat[..., 4]
    t, background = _objectness_labels(flat, targets, grid, ignore_iou)
    focal = (t - jax.nn.sigmoid(logits)) ** 2
    objectness = focal * (t + background) * optax.sigmoid_binary_cross_entropy(logits, t)
    return LossTerms(box_term, objectness.sum(1), class_term)


def paper_loss(
    raw,
    targets,
    grid,
    *,
    coord_weight=5.0,
    noobject_weight=0.5,
    ignore_iou=0.5,
    label_smoothing=0.01,
    wh="sqrt",
    objectness="bce",
    class_scores="sigmoid",
):
    """The loss of the YOLO papers: squared errors of the boxes, cross entropy of objectness and classes.

    Box: coord_weight * sum over positive slots of (x - x')^2 + (y - y')^2 + (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2, the
    primed ones true, x and y in cells of the slot's scale, w and h as shares of the input's (Redmon et al. 2016,
    arXiv:1506.02640, equation 3 and section 2.2).
    Objectness: sum over positive slots of BCE(logit, 1), and noobject_weight * sum of BCE(logit, 0) over the slots without an
    object whose prediction overlaps no box of their scale by `ignore_iou` or more.
    Classification: sum over positive slots and classes of BCE against (1 - d) * onehot + d / C
    (Redmon and Farhadi 2018, arXiv:1804.02767, sections 2.1 and 2.2).

    Args:
        raw: for each scale (B, H_s, W_s, A, 5 + C) raw heads.
        targets: batched Targets, assigned with the same grid.
        grid: AnchorGrid.
        coord_weight: weight of the box term; equation 3 has 5.
        noobject_weight: weight of the objectness of background; equation 3 has 0.5.
        ignore_iou: IoU from which a prediction that answers for no box is not counted as background.
        label_smoothing: d above; the papers have 0.
        wh: "sqrt" as above, or "log": (t_w - log(w' / anchor_w))^2 and the same for h, as in Darknet, where a true side under
            one pixel counts as one pixel.
        objectness: "bce" as above, or "iou": at positive slots (sigmoid(logit) - IoU)^2 with the IoU of prediction and true
            box, a constant in the gradient (the confidence of equation 3).
        class_scores: "sigmoid" as above, or "softmax": cross entropy of the softmax over the classes, for classes that exclude
            each other; `postprocess` must then be told the same. With a single class that is 0.

    Returns:
        LossTerms, each (B,), in the floating type of the heads.

    Raises:
        ValueError: heads that do not fit the grid, an unknown `wh`, `objectness` or `class_scores`.
    """
    options = (wh, WH_TERMS), (objectness, OBJECTNESS_TERMS), (class_scores, CLASS_TERMS)
    for name, (value, known) in zip(("wh", "objectness", "class_scores"), options, strict=True):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}: one of {', '.join(known)}")
    flat = flatten_heads(raw, grid)
    answers, geometry, positive = _answers(flat, targets, grid)
    true_boxes = jnp.asarray(targets.boxes, flat.dtype)[:, :, None, :]
    cells, strides, anchors = geometry[..., :2], geometry[..., 2:3], geometry[..., 3:5]

    xy_error = place_in_cell(answers[..., :2], geometry) + cells - true_boxes[..., :2] / strides
    if wh == "sqrt":
        size = jnp.asarray(grid.size[::-1], flat.dtype)[None, None, None, :]
        # The root is taken in the exponent: that of a size which has vanished would have no finite gradient.
        roots = jnp.exp(jnp.minimum(log_sizes(answers[..., 2:4], geometry), MAX_LOG_SIZE) / 2) * jnp.sqrt(anchors / size)
        wh_error = roots - jnp.sqrt(jnp.maximum(true_boxes[..., 2:], 0) / size)
    else:
        wh_error = log_sizes(answers[..., 2:4], geometry) - jnp.log(jnp.maximum(true_boxes[..., 2:], 1) / anchors)
    box_term = jnp.where(positive, (xy_error**2 + wh_error**2).sum(-1), 0).sum((1, 2))

    logits = answers[..., 4]
    if objectness == "bce":
        object_error = optax.sigmoid_binary_cross_entropy(logits, jnp.ones_like(logits))
    else:
        predicted = cxcywh_to_xyxy(decode_boxes(answers[..., :4], geometry))
        overlap = jax.lax.stop_gradient(iou(predicted, cxcywh_to_xyxy(true_boxes)))
        object_error = (jax.nn.sigmoid(logits) - overlap) ** 2
    object_term = jnp.where(positive, object_error, 0).sum((1, 2))
    t, background = _objectness_labels(flat, targets, grid, ignore_iou)
    background_term = (background * optax.sigmoid_binary_cross_entropy(flat[..., 4], t)).sum(1)

    class_error = CLASS_TERMS[class_scores](answers[..., 5:], _class_labels(flat, targets, label_smoothing))
    class_term = jnp.where(positive, class_error, 0).sum((1, 2))
    return LossTerms(coord_weight * box_term, object_term + noobject_weight * background_term, class_term)


def build_loss(config):
    """The loss of a `LossConfig`: a function of (raw heads, targets, grid) to LossTerms."""
    shared = {"ignore_iou": config.ignore_iou, "label_smoothing": config.label_smoothing}
    if config.name == "yolo":
        return functools.partial(yolo_loss, **shared, box=config.box)
    return functools.partial(
        paper_loss,
        **shared,
        coord_weight=config.coord_weight,
        noobject_weight=config.noobject_weight,
        wh=config.wh,
        objectness=config.objectness,
        class_scores=config.class_scores,
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


def _answers(flat, targets, grid):
    """At the slots of each box: raw heads (B, M, S * A, 5 + C), slot geometry (B, M, S * A, 5 to 7), positive (B, M, S * A).

    N, the padding of slots, reads zeros, and a geometry of ones.
    """
    slots = jnp.asarray(targets.slots)
    batch = jnp.arange(slots.shape[0])[:, None, None]
    answers = flat.at[batch, slots].get(mode="fill", fill_value=0)
    geometry = jnp.asarray(grid.slot_geometry, flat.dtype).at[slots].get(mode="fill", fill_value=1)
    return answers, geometry, slots < grid.num_slots


def _class_labels(flat, targets, label_smoothing):
    """Smoothed one-hot classes of the boxes, (B, M, 1, C)."""
    num_classes = flat.shape[-1] - 5
    onehot = jax.nn.one_hot(targets.classes, num_classes, dtype=flat.dtype)
    return ((1 - label_smoothing) * onehot + label_smoothing / num_classes)[:, :, None, :]


def _objectness_labels(flat, targets, grid, ignore_iou):
    """(t, background), each (B, N): 1 at positive slots, and 1 at slots that are neither positive nor ignored."""
    slots = jnp.asarray(targets.slots)
    batch = jnp.arange(slots.shape[0])[:, None, None]
    t = jnp.zeros_like(flat[..., 4]).at[batch, slots].set(1, mode="drop")
    return t, (1 - t) * (best_overlaps(flat, targets, grid) < ignore_iou)
