"""What the losses read at positive slots: raw heads, labels, weights, and the factors of means over them."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.grid import AnchorGrid
from yolojax.targets import Targets


def responsible_heads(flat: jax.Array, targets: Targets, grid: AnchorGrid) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The raw heads responsible for each box, the geometry of their slots, and which of them are not padding.

    Returns:
        responsible: (B, M, S * A, 5 + C); zeros at padding.
        geometry: (B, M, S * A, 5 to 7), rows of `AnchorGrid.slot_geometry`; ones at padding.
        positive: (B, M, S * A) bool, False at padding.
    """
    slots = jnp.asarray(targets.slots)
    batch = jnp.arange(slots.shape[0])[:, None, None]
    responsible = flat.at[batch, slots].get(mode="fill", fill_value=0)
    geometry = jnp.asarray(grid.slot_geometry, flat.dtype).at[slots].get(mode="fill", fill_value=1)
    return responsible, geometry, slots < grid.num_slots


def class_labels(flat: jax.Array, targets: Targets, label_smoothing: float | jax.Array) -> jax.Array:
    """Smoothed one-hot classes of the boxes, (B, M, 1, C)."""
    num_classes = flat.shape[-1] - 5
    onehot = jax.nn.one_hot(targets.classes, num_classes, dtype=flat.dtype)
    return ((1 - label_smoothing) * onehot + label_smoothing / num_classes)[:, :, None, :]


def class_weights_of(flat: jax.Array, targets: Targets, class_weights: Sequence[float] | jax.Array) -> jax.Array | int:
    """The weights of the boxes by their classes, (B, M, 1), or 1 for no weights."""
    num_classes = flat.shape[-1] - 5
    if len(class_weights) == 0:
        return 1
    if len(class_weights) != num_classes:
        raise ValueError(f"class_weights has {len(class_weights)} weights for {num_classes} classes")
    # The class of padding, -1, reads the last weight; padding has no positive slot.
    return jnp.asarray(class_weights, flat.dtype)[jnp.asarray(targets.classes)][..., None]


def positive_factors(flat: jax.Array, targets: Targets, grid: AnchorGrid, axis_name: str | None) -> jax.Array:
    """The factors of the positive slots whose sums then are means over the positive slots of their scale in all images.

    Args:
        flat: (B, N, 5 + C) raw heads from `flatten_heads`.
        targets: batched targets.
        grid: the grid of the network's input.
        axis_name: as for `mean_factors`.

    Returns:
        (B, M, K), 0 at padding.
    """
    slots, ends = jnp.asarray(targets.slots), np.cumsum(grid.slots_per_scale).tolist()
    counts = jnp.stack([((slots >= first) & (slots < end)).sum() for first, end in zip(grid.offsets, ends, strict=True)])
    return mean_factors(counts, flat, grid, axis_name).at[slots].get(mode="fill", fill_value=0)


def mean_factors(counts: jax.Array, flat: jax.Array, grid: AnchorGrid, axis_name: str | None) -> jax.Array:
    """The factors that turn sums over the slots of each image into terms whose mean over the images is a mean over slots.

    A mean over the n slots of a scale in B images is the mean over the images of B / n times the sum over the image's slots.

    Args:
        counts: (S,), the number n of slots of each scale in all images that the mean runs over; 0 counts as 1.
        flat: (B, N, 5 + C) raw heads from `flatten_heads`.
        grid: the grid of the network's input.
        axis_name: the axis of `jax.pmap` or `jax.shard_map` over which the images are spread, if any.

    Returns:
        (N,), in the floating type of the heads.
    """
    images = flat.shape[0]
    if axis_name is not None:
        images, counts = jax.lax.psum((images, counts), axis_name)
    scale_of_slot = np.repeat(np.arange(grid.num_scales), grid.slots_per_scale)
    return (images / jnp.maximum(counts, 1)).astype(flat.dtype)[scale_of_slot]
