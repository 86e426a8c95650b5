"""The assignment of `yolojax.targets.assign` as a pure JAX function, for boxes that are made or moved on the device."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from yolojax.boxes import xyxy_to_cxcywh
from yolojax.grid import AnchorGrid
from yolojax.targets import RULES, Targets, choose_anchors


def assign_on_device(
    boxes_xyxy: ArrayLike,
    classes: ArrayLike,
    grid: AnchorGrid,
    *,
    max_boxes: int = 150,
    iou_threshold: float = 0.3,
    rule: str = "threshold",
    ratio: float = 4.0,
    valid: ArrayLike | None = None,
) -> Targets:
    """Finds the slots responsible for each box of one image: `assign` for `jax.jit`, `jax.vmap` and other transformations.

    Rules, order and ties are those of `yolojax.targets.assign`, and so are the values, to the bit, for boxes that the floating
    type of the arguments can hold: overlaps are computed in float64 by the same operations, also where JAX is not set to use
    float64 elsewhere. Without that setting, JAX itself rounds float64 boxes to float32 before they come here; a box whose IoU
    with an anchor, or ratio of sides to it, is within about 1e-6 of the bound, or whose centre is that near to an edge or the
    middle of a cell, may then be assigned otherwise than before the rounding.

    A compiled function cannot refuse values: a box that is not finite is left out, as padding is.

    Args:
        boxes_xyxy: (n, 4) in pixels of the network's input. Beyond `max_boxes` only the largest are kept, in their order.
        classes: (n,) integers; a negative one marks padding, anywhere in the list.
        grid: the geometry of the network's slots; static.
        max_boxes: M, the number of boxes there is room for; static.
        iou_threshold: used by rule "threshold"; may be a traced value.
        rule: "threshold", "best" or "ratio"; static.
        ratio: used by rule "ratio"; may be a traced value.
        valid: (n,) bool, False at further padding.

    Returns:
        The targets of this image, as JAX arrays; the boxes that are kept come first. Batched by `jax.vmap`.

    Raises:
        ValueError: shapes that do not match, or an unknown rule.
    """
    # Before float64 is on: NumPy's arrays become what they would be as arguments of a compiled function.
    boxes, classes = jnp.asarray(boxes_xyxy), jnp.asarray(classes)
    valid = jnp.ones(classes.shape, bool) if valid is None else jnp.asarray(valid)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not classes.shape == valid.shape == boxes.shape[:1]:
        raise ValueError(f"boxes must be (n, 4), classes and valid (n,), not {boxes.shape}, {classes.shape} and {valid.shape}")
    if rule not in RULES:
        raise ValueError(f"unknown assignment rule {rule!r}; expected one of {', '.join(RULES)}")
    valid = valid.astype(bool) & (classes >= 0) & jnp.isfinite(boxes).all(1)

    # Only elementwise operations in here: what sorts, sums or indexes mixes the two settings up.
    with jax.enable_x64(True):
        boxes = jnp.where(valid[:, None], boxes, 0).astype(np.float64)
        kept = valid & _among_largest(boxes, valid, max_boxes) if len(boxes) > max_boxes else valid
        boxes = xyxy_to_cxcywh(boxes)
        slots, chosen = choose_anchors(boxes, grid, iou_threshold=iou_threshold, rule=rule, ratio=ratio)
        boxes = boxes.astype(np.float32)

    chosen &= kept[:, None, None]
    entries = slots.shape[1] * slots.shape[2]
    slots = _claimed_slots(jnp.where(chosen, slots, grid.num_slots).reshape(len(boxes), entries), grid)
    place = jnp.where(kept, jnp.cumsum(kept) - 1, max_boxes)

    def placed(values: jax.Array, padding: int) -> Any:
        return jnp.full((max_boxes, *values.shape[1:]), padding, values.dtype).at[place].set(values, mode="drop")

    return Targets(
        boxes=placed(boxes, 0),
        classes=placed(classes.astype(np.int32), -1),
        slots=placed(slots, grid.num_slots),
        on_scale=placed(chosen.any(-1), False),
    )


def _among_largest(boxes: jax.Array, valid: jax.Array, count: int) -> jax.Array:
    """Whether each xyxy box is one of the `count` largest valid ones, the earlier of equals first; (n, 4), (n,) -> (n,)."""
    areas = jnp.where(valid, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), -np.inf)
    position = np.arange(len(boxes))
    earlier = position[None] < position[:, None]
    larger = (areas[None] > areas[:, None]) | ((areas[None] == areas[:, None]) & earlier)
    return larger.sum(1, dtype=np.int32) < count


def _claimed_slots(slots: jax.Array, grid: AnchorGrid) -> jax.Array:
    """The slots (n, K) that each box keeps once later boxes have taken theirs; N at the others."""
    positions = jnp.broadcast_to(jnp.arange(len(slots), dtype=np.int32)[:, None], slots.shape)
    owner = jnp.full(grid.num_slots, -1, np.int32).at[slots].max(positions, mode="drop")
    return jnp.where(owner.at[slots].get(mode="fill", fill_value=-1) == positions, slots, grid.num_slots)
