"""Exact greedy suppression of boxes sorted by falling score: all at once in rounds, or, on a CPU, one box after the other."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from yolojax.boxes import iou

WORD = 32
"""Bits per word in the bit masks of `suppressors`."""

Overlap = Callable[[jax.Array, jax.Array], jax.Array]
"""A function of two sets of boxes, such as `iou`."""


def suppressors(
    boxes: jax.Array,
    iou_threshold: ArrayLike,
    groups: jax.Array | None = None,
    overlap: Overlap = iou,
) -> jax.Array:
    """The earlier boxes that overlap each box by more than the threshold and, if groups are given, belong to its group.

    They are bits because every greedy round reads all of them.

    Args:
        boxes: (n, 4) xyxy.
        iou_threshold: scalar.
        groups: (n,).
        overlap: measure of the overlap.

    Returns:
        (n, w) uint32, where bit b of word k in row i stands for box b * w + k.
    """
    count = len(boxes)
    words = -(-count // WORD)
    places, missing = jnp.arange(words * WORD), words * WORD - count
    every_box = boxes, places[:count], groups
    padded_groups = None if groups is None else jnp.pad(groups, (0, missing))
    earlier = jnp.pad(boxes, ((0, missing), (0, 0))), places, padded_groups

    @jax.jit  # traced once for all bits
    def overlapped(box, earlier, iou_threshold):
        (boxes, places, groups), (earlier_boxes, earlier_places, earlier_groups) = box, earlier
        suppresses = overlap(boxes[:, None], earlier_boxes[None]) > iou_threshold
        suppresses &= earlier_places[None] < places[:, None]
        if groups is not None:
            suppresses &= groups[:, None] == earlier_groups[None]
        return suppresses.astype(jnp.uint32)

    bits = jnp.zeros((count, words), jnp.uint32)
    # XLA fuses one term per bit into one loop; a sum over an axis of bits takes three times as long on a CPU.
    for bit in range(WORD):
        part = jax.tree.map(lambda x: x[bit * words : (bit + 1) * words], earlier)  # noqa: B023
        bits |= overlapped(every_box, part, iou_threshold) << bit
    return bits


def in_rounds(suppressed_by: jax.Array, candidate: jax.Array) -> jax.Array:
    """Greedy suppression of boxes sorted by falling score.

    Whether a box stays depends only on the boxes before it. So deciding all of them at once, and repeating until nothing
    changes, reaches the greedy result. The number of rounds is the length of the longest chain of suppressions, usually a
    few; visiting the boxes one by one would take n dependent steps.

    Args:
        suppressed_by: (n, w) uint32 from `suppressors`.
        candidate: (n,) bool, the boxes that may be kept.

    Returns:
        (n,) bool, whether each box is kept.
    """
    count, words = suppressed_by.shape
    shifts = jnp.arange(WORD, dtype=jnp.uint32)[:, None]

    def packed(kept):
        kept = jnp.pad(kept, (0, words * WORD - count)).reshape(WORD, words)
        return (kept.astype(jnp.uint32) << shifts).sum(0, dtype=jnp.uint32)

    def undecided(state):
        previous, kept = state
        return (previous != kept).any()

    def decide(state):
        _, kept = state
        return kept, candidate & ~(suppressed_by & packed(kept)[None]).any(1)

    none = jnp.zeros_like(candidate)
    _, kept = jax.lax.while_loop(undecided, decide, (none, candidate))
    return kept


def best_in_rounds(
    boxes: jax.Array,
    candidate: jax.Array,
    count: int,
    *,
    iou_threshold: ArrayLike,
    groups: jax.Array | None = None,
    overlap: Overlap = iou,
) -> jax.Array:
    """The best boxes that suppression keeps, all decided at once: fast where many numbers are computed in parallel.

    Args:
        boxes: (n, 4) xyxy, by falling score.
        candidate: (n,) bool, the boxes that may be kept.
        count: the number of boxes at most.
        iou_threshold: scalar; a box is removed when its overlap with a better one that is kept exceeds it.
        groups: (n,); if given, only boxes of the same group suppress each other.
        overlap: measure of the overlap.

    Returns:
        (count,) int32 indices of boxes, ascending; n where there are no more.
    """
    kept = in_rounds(suppressors(boxes, iou_threshold, groups, overlap), candidate)
    (chosen,) = jnp.nonzero(kept, size=count, fill_value=len(kept))
    return chosen.astype(jnp.int32)


def best_in_turn(
    boxes: jax.Array,
    candidate: jax.Array,
    count: int,
    *,
    iou_threshold: ArrayLike,
    groups: jax.Array | None = None,
    overlap: Overlap = iou,
) -> jax.Array:
    """The same as `best_in_rounds` with the same arguments, one box after the other.

    It takes as many steps as there are boxes to keep, each a comparison of one box with all: on a CPU far less work than the
    comparison of every box with every other.
    """
    places = jnp.arange(len(boxes), dtype=jnp.int32)

    def first(remaining):
        return jnp.where(remaining, places, len(boxes)).min(initial=len(boxes))

    def more(state):
        step, best, *_ = state
        return (step < count) & (best < len(boxes))

    def choose(state):
        step, best, remaining, chosen = state
        suppressed = overlap(boxes, boxes[best][None]) > iou_threshold
        if groups is not None:
            suppressed &= groups == groups[best]
        remaining &= ~suppressed & (places > best)
        return step + 1, first(remaining), remaining, chosen.at[step].set(best)

    best = first(candidate)
    none = jnp.full(count, len(boxes), jnp.int32) + 0 * best  # under shard_map, as different from device to device as the rest
    *_, chosen = jax.lax.while_loop(more, choose, (jnp.int32(0), best, candidate, none))
    return chosen
