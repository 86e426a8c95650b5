"""SimOTA: slots that are chosen by what the network predicts, anew in every step (Ge et al. 2021, arXiv:2107.08430)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from yolojax.boxes import cxcywh_to_xyxy, iou, pairwise_iou
from yolojax.decode import Predictions, RawHeads, decode
from yolojax.grid import AnchorGrid
from yolojax.loss import LossTerms
from yolojax.targets import Targets

OUTSIDE = 1e6
"""A cost that is larger than that of any slot inside."""


def simota(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    centre_radius: float | jax.Array = 2.5,
    candidates: int = 10,
    iou_weight: float | jax.Array = 3.0,
) -> jax.Array:
    """Matches slots with boxes by SimOTA, the assignment of YOLOX: arXiv:2107.08430, section 2.1, "SimOTA".

    What the paper leaves open is as in its authors' program; a slot's place is the centre of its cell:

    - A slot is a candidate if it lies inside any box of the image, or less than `centre_radius` cells of its scale from a
      box's centre, across and down.
    - A candidate costs a box the binary cross entropies between sqrt(sigmoid(class) * sigmoid(objectness)) and the one-hot
      class, summed over the classes, - `iou_weight` * log(IoU + 1e-8) of the predicted box, and more than any other candidate
      (100,000 in that program) unless it lies both inside this box and near its centre (equation 1 of the paper).
    - A box takes the k cheapest candidates, where k is the sum of its `candidates` largest IoUs with candidates, rounded down,
      but at least 1.
    - A slot that several boxes took goes to the box that it costs least, of all boxes.

    Equal costs go to the earlier slot, or box. No gradient flows through the result. The costs are a matrix of boxes and slots
    for each image, whatever the number of classes.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, of which the boxes and the classes count; `slots` and `on_scale` are not used.
        grid: the grid of the network's input.
        centre_radius: in cells.
        candidates: the number of IoUs that k is made of, and thus the largest k.
        iou_weight: lambda of equation 1.

    Returns:
        (B, N) int32, the position in `targets.boxes` of each slot's box, or M where it has none.

    Raises:
        ValueError: the heads do not match the grid.
    """
    predictions = jax.lax.stop_gradient(decode(raw, grid))
    boxes = jax.lax.stop_gradient(jnp.asarray(targets.boxes, predictions.boxes.dtype))
    options = {"centre_radius": centre_radius, "candidates": candidates, "iou_weight": iou_weight}
    return jax.vmap(functools.partial(_match, grid=grid, **options))(predictions, boxes, jnp.asarray(targets.classes))


def simota_loss(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    box_weight: float | jax.Array = 5.0,
    centre_radius: float | jax.Array = 2.5,
    candidates: int = 10,
    iou_weight: float | jax.Array = 3.0,
) -> LossTerms:
    """The loss of YOLOX (Ge et al. 2021, arXiv:2107.08430) on the slots that `simota` matches, for heads with anchors.

    Box: box_weight * sum over matched slots of 1 - IoU^2.
    Objectness: sum over all slots of BCE(logit, t), where t is 1 at matched slots and 0 at others.
    Classification: sum over matched slots and classes of BCE against the one-hot class times the IoU of the slot's predicted
    box, a constant in the gradient.

    As in the other losses of this package the terms are sums, which do not depend on the other images of the batch or on the
    number of devices; the authors' program divides those of a batch by its number of matched slots. The L1 term of its last
    epochs is left out.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, of which the boxes and the classes count; `slots` and `on_scale` are not used.
        grid: the grid of the network's input.
        box_weight: weight of the box term; 5 in the authors' program.
        centre_radius: as for `simota`.
        candidates: as for `simota`.
        iou_weight: as for `simota`.

    Returns:
        The three terms, each (B,), in the floating type of the heads.

    Raises:
        ValueError: the heads do not match the grid.
    """
    options = {"centre_radius": centre_radius, "candidates": candidates, "iou_weight": iou_weight}
    matches = simota(raw, targets, grid, **options)
    predictions = decode(raw, grid)
    dtype = predictions.boxes.dtype
    matched = matches < targets.classes.shape[1]
    batch = jnp.arange(len(matches))[:, None]
    # Slots without a box get one that is like any other, so that the gradient of what is then masked is finite.
    true_boxes = jnp.asarray(targets.boxes, dtype).at[batch, matches].get(mode="fill", fill_value=1)
    overlap = iou(cxcywh_to_xyxy(predictions.boxes), cxcywh_to_xyxy(true_boxes))
    box_term = box_weight * jnp.where(matched, 1 - overlap**2, 0).sum(1)

    objectness = optax.sigmoid_binary_cross_entropy(predictions.objectness_logits, matched.astype(dtype)).sum(1)

    classes = jnp.asarray(targets.classes).at[batch, matches].get(mode="fill", fill_value=-1)
    onehot = jax.nn.one_hot(classes, predictions.class_logits.shape[-1], dtype=dtype)
    labels = onehot * jax.lax.stop_gradient(overlap)[..., None]
    class_bce = optax.sigmoid_binary_cross_entropy(predictions.class_logits, labels).sum(-1)
    return LossTerms(box_term, objectness, jnp.where(matched, class_bce, 0).sum(1))


def _match(
    predictions: Predictions,
    boxes: jax.Array,
    classes: jax.Array,
    *,
    grid: AnchorGrid,
    centre_radius: float | jax.Array,
    candidates: int,
    iou_weight: float | jax.Array,
) -> jax.Array:
    """`simota` for one image: predictions (N, ...), boxes (M, 4) cxcywh and classes (M,) -> (N,) int32."""
    real = (classes >= 0)[:, None]
    inside, near = _places(boxes, grid, centre_radius)
    candidate = ((inside | near) & real).any(0)
    overlaps = jnp.where(candidate[None] & real, pairwise_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(predictions.boxes)), 0)
    cost = _class_cost(predictions, classes) - iou_weight * jnp.log(overlaps + 1e-8)
    # The authors add 100,000, which leaves float32 two decimals of the cost. A factor orders the slots alike and keeps all.
    cost = jnp.where(inside & near, cost, OUTSIDE * (1 + cost))
    cost = jnp.where(candidate[None] & real, cost, jnp.inf)

    candidates = min(candidates, grid.num_slots)
    largest, _ = jax.lax.top_k(overlaps, candidates)
    k = jnp.maximum(largest.sum(1).astype(np.int32), 1)
    negative, slots = jax.lax.top_k(-cost, candidates)
    taken = (jnp.arange(candidates)[None] < k[:, None]) & (negative > -jnp.inf)
    slots = jnp.where(taken, slots, grid.num_slots)
    takers = jnp.zeros(grid.num_slots, np.int32).at[slots].add(1, mode="drop")
    rows = jnp.broadcast_to(jnp.arange(len(boxes), dtype=np.int32)[:, None], slots.shape)
    taker = jnp.full(grid.num_slots, len(boxes), np.int32).at[slots].min(rows, mode="drop")
    return jnp.where(takers > 1, cost.argmin(0).astype(np.int32), taker)


def _places(boxes: jax.Array, grid: AnchorGrid, centre_radius: float | jax.Array) -> tuple[jax.Array, jax.Array]:
    """Whether each slot's cell has its centre inside each box, and near the box's centre; (M, 4) cxcywh -> two (M, N)."""
    geometry = jnp.asarray(grid.slot_geometry, boxes.dtype)
    strides = geometry[:, 2:3]
    distance = jnp.abs((geometry[:, :2] + 0.5)[None] * strides[None] - boxes[:, None, :2])
    return (distance < boxes[:, None, 2:] / 2).all(-1), (distance < centre_radius * strides[None]).all(-1)


def _class_cost(predictions: Predictions, classes: jax.Array) -> jax.Array:
    """Sum over the classes of BCE(sqrt(sigmoid(class) * sigmoid(objectness)), one-hot class of the box); (M, N)."""
    objectness = jax.nn.log_sigmoid(predictions.objectness_logits)
    log_score = (jax.nn.log_sigmoid(predictions.class_logits.T) + objectness[None]) / 2  # (C, N)
    # As in PyTorch, no logarithm is below -100.
    log_rest = jnp.maximum(jnp.log(-jnp.expm1(log_score)), -100)
    log_score = jnp.maximum(log_score, -100)
    return (log_rest - log_score)[classes] - log_rest.sum(0)[None]
