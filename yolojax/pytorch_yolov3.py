"""The loss of PyTorch-YOLOv3 as it was in 2019: means over a batch, on the slots that its `build_targets` chooses."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from yolojax.decode import RawHeads, flatten_heads
from yolojax.explicit import auto_sharded
from yolojax.grid import AnchorGrid
from yolojax.loss_terms import LossTerms
from yolojax.targets import Targets


@auto_sharded(rows=True)
def pytorch_yolov3_loss(
    raw: RawHeads,
    targets: Targets,
    grid: AnchorGrid,
    *,
    noobject_weight: float | jax.Array = 100.0,
    ignore_iou: float | jax.Array = 0.5,
) -> LossTerms:
    """The loss of github.com/eriklindernoren/PyTorch-YOLOv3 (b87e68d), before it took that of Ultralytics.

    `YOLOLayer` in its models.py and `build_targets` in its utils.py. On each scale a box has one slot: in the cell of its
    centre, the anchor whose shape has the largest IoU with the box's, the first of equals. Other anchors of that cell whose
    shapes have an IoU over `ignore_iou` are no background; all other slots are. Boxes that share a slot count as one: the later
    one gives its place and size, all of them their classes.
    Box: means over the slots with a box of (x - x')^2, (y - y')^2, (t_w - log(w' / anchor_w))^2 and the same of h, where x, y
    are offsets in the cell and primes mark true values; the four are added.
    Objectness: the mean over the slots with a box of BCE(logit, 1), plus noobject_weight * the mean over the background of
    BCE(logit, 0). Classification: the mean over the slots with a box and over the classes of BCE against 1 and 0.
    The means are those of all images together, for each scale, and the scales are added. A mean over nothing is 0.

    `paper_loss` with reduction "mean" has the same means over slots that an assignment chose, and ignores by predictions.

    Args:
        raw: for each scale, fine to coarse, the raw heads (B, H_s, W_s, A, 5 + C).
        targets: batched targets, of which the boxes and the classes count; `slots` and `on_scale` are not used.
        grid: the grid of the network's input.
        noobject_weight: `noobj_scale`; 1 in the versions of 2018.
        ignore_iou: `ignore_thres`.

    Returns:
        The three terms, each (B,), in the floating type of the heads. The mean over the batch of their sum is the loss; that of
        one image says nothing. Under `jax.jit` the means are global, under `jax.pmap` and `jax.shard_map` each device's own.

    Raises:
        ValueError: the heads do not match the grid.
    """
    flat = flatten_heads(raw, grid)
    slots, ignored, aims = _build_targets(targets, grid, flat.dtype, ignore_iou)
    images, num_classes = flat.shape[0], flat.shape[-1] - 5
    batch = jnp.arange(images)[:, None, None]
    positions = jnp.broadcast_to(jnp.arange(slots.shape[1])[None, :, None], slots.shape)
    owner = jnp.full(flat.shape[:2], -1).at[batch, slots].max(positions, mode="drop")
    has_box = owner >= 0
    kept = (slots < grid.num_slots) & (owner.at[batch, slots].get(mode="fill", fill_value=-1) == positions)
    labels = jnp.zeros_like(flat[..., 5:])
    labels = labels.at[batch, slots, jnp.asarray(targets.classes)[:, :, None]].set(1, mode="drop")
    background = ~has_box & ~jnp.zeros_like(has_box).at[batch[..., None], ignored].set(True, mode="drop")

    # A mean over n slots in B images is the mean over the images of B / n times the sum over the image's slots.
    def shares(counted):
        parts = zip(grid.offsets, grid.slots_per_scale, strict=True)
        return images / jnp.maximum(jnp.stack([counted[:, first : first + count].sum() for first, count in parts]), 1)

    def mean(errors):
        return jnp.where(kept, errors * shares(has_box)[None, None].astype(flat.dtype), 0).sum((1, 2))

    found = flat.at[batch, slots].get(mode="fill", fill_value=0)
    place = (jax.nn.sigmoid(found[..., :2]) - aims[..., :2]) ** 2 + (found[..., 2:4] - aims[..., 2:]) ** 2
    classes = optax.sigmoid_binary_cross_entropy(found[..., 5:], labels.at[batch, slots].get(mode="fill", fill_value=0))
    scale_of_slot = np.repeat(np.arange(grid.num_scales), grid.slots_per_scale)
    weights = (background * shares(background)[scale_of_slot][None]).astype(flat.dtype)
    background_term = (weights * jax.nn.softplus(flat[..., 4])).sum(1)  # softplus(x) is BCE(x, 0)
    object_term = mean(jax.nn.softplus(-found[..., 4]))
    return LossTerms(mean(place.sum(-1)), object_term + noobject_weight * background_term, mean(classes.sum(-1) / num_classes))


def _build_targets(
    targets: Targets, grid: AnchorGrid, dtype: jax.typing.DTypeLike, ignore_iou: float | jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The slot of each box on each scale, the anchors that are ignored for it, and what its slot aims at.

    Returns:
        slots: (B, M, S) int32, N at padding.
        ignored: (B, M, S, A) int32, slots of the box's cell; N where the anchor is not ignored.
        aims: (B, M, S, 4), offsets in the cell and logarithms of the size over the anchor's.
    """
    boxes = jnp.asarray(targets.boxes, dtype)[:, :, None]
    strides = jnp.asarray(grid.strides, dtype)[None, None, :, None]
    columns, offsets = (np.asarray(values, np.int32)[None, None] for values in ([w for _, w in grid.shapes], grid.offsets))
    centres = boxes[..., :2] / strides
    last = jnp.asarray(grid.shapes, dtype)[None, None, :, ::-1] - 1
    cells = jnp.clip(jnp.floor(centres), 0, last)
    whole = cells.astype(np.int32)
    first = (whole[..., 1] * columns + whole[..., 0]) * grid.anchors_per_scale + offsets

    anchors = jnp.asarray(grid.anchors, dtype)
    sizes = boxes[..., None, 2:]
    shared = jnp.minimum(sizes, anchors[None, None]).prod(-1)
    overlaps = shared / jnp.maximum(sizes.prod(-1) + anchors.prod(-1)[None, None] - shared, 1e-16)
    best = overlaps.argmax(-1).astype(np.int32)
    exists = (jnp.asarray(targets.classes) >= 0)[:, :, None]
    slots = jnp.where(exists, first + best, grid.num_slots)
    each = first[..., None] + np.arange(grid.anchors_per_scale, dtype=np.int32)[None, None, None]
    ignored = jnp.where(exists[..., None] & (overlaps > ignore_iou), each, grid.num_slots)

    chosen = anchors[np.arange(grid.num_scales)[None, None], best]
    logarithms = jnp.log(jnp.where(exists[..., None], boxes[..., 2:], 1) / chosen + 1e-16)
    return slots, ignored, jnp.concatenate([centres - cells, logarithms], axis=-1)
