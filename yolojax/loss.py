"""The losses of YOLOv3 on compact targets: the device gathers the predictions responsible for each box."""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import export

from yolojax.boxes import ciou, cxcywh_to_xyxy, diou, giou, iou
from yolojax.decode import MAX_LOG_SIZE, RawHeads, decode_boxes, flatten_heads, log_sizes, place_in_cell
from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid
from yolojax.iou_aware import iou_aware_loss
from yolojax.loss_terms import LossTerms
from yolojax.parts import NO_PARTS, Parts
from yolojax.positives import class_labels, class_weights_of, mean_factors, positive_factors, responsible_heads
from yolojax.references import is_part
from yolojax.targets import Targets

if TYPE_CHECKING:
    from yolojax.config import LossConfig

BOX_TERMS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {"giou": giou, "iou": iou, "diou": diou, "ciou": ciou}
CLASS_TERMS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "sigmoid": lambda logits, labels: optax.sigmoid_binary_cross_entropy(logits, labels).sum(-1),
    "softmax": optax.softmax_cross_entropy,
}
WH_TERMS = ("sqrt", "log")
OBJECTNESS_TERMS = ("bce", "iou")
REDUCTIONS = ("sum", "mean")


export.register_namedtuple_serialization(Targets, serialized_name="yolojax.targets.Targets")  # targets.py has no JAX


@auto_sharded(rows=True)
def yolo_loss(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    ignore_iou: float | jax.Array = 0.5,
    label_smoothing: float | jax.Array = 0.01,
    box: str = "giou",
    class_weights: Sequence[float] | jax.Array = (),
) -> LossTerms:
    """The loss of the TensorFlow YOLOv3 family, with no weights between its terms.

    Box: sum over positive slots of (2 - w * h / (W * H)) * (1 - GIoU), w and h of the true box (GIoU: arXiv:1902.09630).
    Objectness: sum over all slots of (t - p)^2 * (t + background) * BCE(logit, t), where t = 1 at positives and
    background = 1 where t = 0 and no box of that scale overlaps the prediction by `ignore_iou` or more; the gradient flows
    through the focal factor (t - p)^2 (focal loss: arXiv:1708.02002, gamma 2).
    Classification: sum over positive slots and classes of BCE against (1 - d) * onehot + d / C.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, assigned with the same grid.
        grid: the grid of the network's input.
        ignore_iou: a prediction responsible for no box counts as background below this IoU.
        label_smoothing: d above.
        box: the overlap that the box term uses: "giou", "iou", "diou" or "ciou".
        class_weights: (C,), factors on the classification error of a box, by its class; empty: all 1.

    Returns:
        The three terms, each (B,), in the floating type of the heads.

    Raises:
        ValueError: the heads do not match the grid, the box term is unknown, or there is not one weight for each class.
    """
    if box not in BOX_TERMS:
        raise ValueError(f"unknown box term {box!r}; expected one of {', '.join(BOX_TERMS)}")
    flat = flatten_heads(raw, grid)
    responsible, geometry, positive = responsible_heads(flat, targets, grid)
    true_boxes = jnp.asarray(targets.boxes, flat.dtype)
    predicted = cxcywh_to_xyxy(decode_boxes(responsible[..., :4], geometry))
    overlap = BOX_TERMS[box](predicted, cxcywh_to_xyxy(true_boxes)[:, :, None, :])
    height, width = grid.size
    scale = 2 - true_boxes[..., 2] * true_boxes[..., 3] / (width * height)
    box_term = jnp.where(positive, scale[..., None] * (1 - overlap), 0).sum((1, 2))

    class_bce = CLASS_TERMS["sigmoid"](responsible[..., 5:], class_labels(flat, targets, label_smoothing))
    class_term = jnp.where(positive, class_weights_of(flat, targets, class_weights) * class_bce, 0).sum((1, 2))

    logits = flat[..., 4]
    t, background = _objectness_labels(flat, targets, grid, ignore_iou)
    focal = (t - jax.nn.sigmoid(logits)) ** 2
    objectness = focal * (t + background) * optax.sigmoid_binary_cross_entropy(logits, t)
    return LossTerms(box_term, objectness.sum(1), class_term)


@auto_sharded(rows=True)
def paper_loss(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    coord_weight: float | jax.Array = 5.0,
    noobject_weight: float | jax.Array = 0.5,
    ignore_iou: float | jax.Array = 0.5,
    label_smoothing: float | jax.Array = 0.01,
    wh: str = "sqrt",
    objectness: str = "bce",
    class_scores: str = "sigmoid",
    class_weights: Sequence[float] | jax.Array = (),
    reduction: str = "sum",
    axis_name: str | None = None,
) -> LossTerms:
    """The loss of the YOLO papers: squared errors of the boxes, cross entropy of objectness and classes.

    Box: coord_weight * sum over positive slots of (x - x')^2 + (y - y')^2 + (sqrt w - sqrt w')^2 + (sqrt h - sqrt h')^2, where
    primes mark true values, x and y are in cells of the slot's scale, w and h in fractions of the input's width and height
    (Redmon et al. 2016, arXiv:1506.02640, equation 3 and section 2.2).
    Objectness: sum over positive slots of BCE(logit, 1), plus noobject_weight * sum of BCE(logit, 0) over the slots without an
    object whose prediction overlaps no box of their scale by `ignore_iou` or more.
    Classification: sum over positive slots and classes of BCE against (1 - d) * onehot + d / C
    (Redmon and Farhadi 2018, arXiv:1804.02767, sections 2.1 and 2.2).
    With reduction "mean" these sums become, for each scale, means over the slots of all images that they run over: squared
    errors and objectness over the positive slots, the background over the slots that count as background, and the
    classification over positive slots and classes (softmax: over positive slots). The means of the scales are added. This is
    what torch.nn.MSELoss and BCELoss compute with their default reduction, for which the loss weights of PyTorch programs are
    meant. A mean over nothing is 0.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, assigned with the same grid.
        grid: the grid of the network's input.
        coord_weight: weight of the box term; 5 in equation 3.
        noobject_weight: weight of the background in the objectness term; 0.5 in equation 3.
        ignore_iou: a prediction responsible for no box counts as background below this IoU.
        label_smoothing: d above; 0 in the papers.
        wh: "sqrt" as above, or "log": (t_w - log(w' / anchor_w))^2 and the same for h, as in Darknet, where a true side under
            one pixel counts as one pixel.
        objectness: "bce" as above, or "iou": at positive slots (sigmoid(logit) - IoU)^2 with the IoU of prediction and true
            box, a constant in the gradient (the confidence of equation 3).
        class_scores: "sigmoid" as above, or "softmax": cross entropy of the softmax over the classes, for mutually exclusive
            classes; it is 0 for a single class. `postprocess` needs the same choice.
        class_weights: (C,), factors on the classification error of a box, by its class; empty: all 1. They do not change what
            the means of `reduction` divide by.
        reduction: "sum", or "mean" as above. With "mean" the share of an image depends on the others: the mean over the batch
            of its terms is the loss, whereas the term of one image alone says nothing.
        axis_name: with "mean" under `jax.pmap` or `jax.shard_map`, the axis over which the images are spread, so that slots are
            counted on all devices; without it the means are those of each device's images. Under `jax.jit` they are global.

    Returns:
        The three terms, each (B,), in the floating type of the heads.

    Raises:
        ValueError: the heads do not match the grid, `wh`, `objectness`, `class_scores` or `reduction` is unknown, or there is
            not one weight for each class.
    """
    options = (wh, WH_TERMS), (objectness, OBJECTNESS_TERMS), (class_scores, CLASS_TERMS), (reduction, REDUCTIONS)
    for name, (value, known) in zip(("wh", "objectness", "class_scores", "reduction"), options, strict=True):
        if value not in known:
            raise ValueError(f"unknown {name} {value!r}; expected one of {', '.join(known)}")
    flat = flatten_heads(raw, grid)
    responsible, geometry, positive = responsible_heads(flat, targets, grid)
    true_boxes = jnp.asarray(targets.boxes, flat.dtype)[:, :, None, :]
    cells, strides, anchors = geometry[..., :2], geometry[..., 2:3], geometry[..., 3:5]
    t, background = _objectness_labels(flat, targets, grid, ignore_iou)
    share, background_share = 1, 1
    if reduction == "mean":
        share, background_share = _mean_shares(flat, targets, grid, background, axis_name)

    xy_error = place_in_cell(responsible[..., :2], geometry) + cells - true_boxes[..., :2] / strides
    if wh == "sqrt":
        size = jnp.asarray(grid.size[::-1], flat.dtype)[None, None, None, :]
        # The root is taken in the exponent: the root of a vanished size has no finite gradient.
        roots = jnp.exp(jnp.minimum(log_sizes(responsible[..., 2:4], geometry), MAX_LOG_SIZE) / 2) * jnp.sqrt(anchors / size)
        wh_error = roots - jnp.sqrt(jnp.maximum(true_boxes[..., 2:], 0) / size)
    else:
        wh_error = log_sizes(responsible[..., 2:4], geometry) - jnp.log(jnp.maximum(true_boxes[..., 2:], 1) / anchors)
    box_term = jnp.where(positive, share * (xy_error**2 + wh_error**2).sum(-1), 0).sum((1, 2))

    logits = responsible[..., 4]
    if objectness == "bce":
        object_error = optax.sigmoid_binary_cross_entropy(logits, jnp.ones_like(logits))
    else:
        predicted = cxcywh_to_xyxy(decode_boxes(responsible[..., :4], geometry))
        overlap = jax.lax.stop_gradient(iou(predicted, cxcywh_to_xyxy(true_boxes)))
        object_error = (jax.nn.sigmoid(logits) - overlap) ** 2
    object_term = jnp.where(positive, share * object_error, 0).sum((1, 2))
    background_term = (background_share * (background * optax.sigmoid_binary_cross_entropy(flat[..., 4], t))).sum(1)

    class_error = CLASS_TERMS[class_scores](responsible[..., 5:], class_labels(flat, targets, label_smoothing))
    if reduction == "mean" and class_scores == "sigmoid":
        class_error /= flat.shape[-1] - 5
    class_weight = class_weights_of(flat, targets, class_weights)
    class_term = jnp.where(positive, share * class_weight * class_error, 0).sum((1, 2))
    return LossTerms(coord_weight * box_term, object_term + noobject_weight * background_term, class_term)


def build_loss(config: "LossConfig", parts: Parts = NO_PARTS) -> Callable[[RawHeads, Targets, AnchorGrid], Any]:
    """The loss that a configuration describes, as a function of raw heads, targets and grid.

    Args:
        config: the settings.
        parts: parts that a program gives as objects.

    Raises:
        InputError: a loss of the user's own that cannot be found or called.
    """
    if is_part(config.name):
        return parts.build("loss", config.name, config.options, "raw", "targets", "grid")
    if config.name == "iou_aware":
        return functools.partial(
            iou_aware_loss,
            box_weight=config.box_weight,
            objectness_weight=config.objectness_weight,
            classification_weight=config.classification_weight,
            scale_weights=config.scale_weights,
            class_weights=config.class_weights,
        )
    shared = {
        "ignore_iou": config.ignore_iou,
        "label_smoothing": config.label_smoothing,
        "class_weights": config.class_weights,
    }
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
        reduction=config.reduction,
    )


def best_overlaps(flat: jax.Array, targets: Targets, grid: AnchorGrid) -> jax.Array:
    """The largest IoU of each prediction with the boxes that got an anchor on its scale.

    Args:
        flat: (B, N, 5 + C) raw heads from `flatten_heads`.
        targets: batched targets.
        grid: the grid of the network's input.

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


def _mean_shares(
    flat: jax.Array, targets: Targets, grid: AnchorGrid, background: jax.Array, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
    """The factors that turn sums over the slots of each image into terms whose mean over the images is a mean over slots.

    Returns:
        (B, M, K) factors of the slots responsible for each box, and (1, N) factors of the slots as background.
    """
    ends = np.cumsum(grid.slots_per_scale).tolist()
    scales = zip(grid.offsets, ends, strict=True)
    backgrounds = jnp.stack([(background[:, first:end] > 0).sum() for first, end in scales])
    of_backgrounds = mean_factors(backgrounds, flat, grid, axis_name)
    return positive_factors(flat, targets, grid, axis_name), of_backgrounds[None]


def _objectness_labels(
    flat: jax.Array, targets: Targets, grid: AnchorGrid, ignore_iou: float | jax.Array
) -> tuple[jax.Array, jax.Array]:
    """(t, background), each (B, N): t is 1 at positive slots, background is 1 at slots neither positive nor ignored."""
    slots = jnp.asarray(targets.slots)
    batch = jnp.arange(slots.shape[0])[:, None, None]
    t = jnp.zeros_like(flat[..., 4]).at[batch, slots].set(1, mode="drop")
    return t, (1 - t) * (best_overlaps(flat, targets, grid) < ignore_iou)
