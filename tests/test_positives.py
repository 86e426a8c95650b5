"""What the losses read at positive slots, against indexing picture by picture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.grid import AnchorGrid
from yolojax.positives import class_labels, class_weights_of, mean_factors, positive_factors, responsible_heads
from yolojax.targets import Targets

GRID = AnchorGrid((32, 32), (16, 32), (((12, 10),), ((30, 25),)))  # four slots and one
NOTHING = GRID.num_slots
TARGETS = Targets(
    boxes=np.zeros((2, 2, 4), np.float32),
    classes=np.array([[1, 0], [2, -1]], np.int32),
    slots=np.array([[[0, 4], [3, NOTHING]], [[NOTHING, 2], [NOTHING, NOTHING]]], np.int32),
    on_scale=np.zeros((2, 2, 2), bool),
)
FLAT = jnp.arange(2 * NOTHING * 8, dtype=np.float32).reshape(2, NOTHING, 8)


def test_heads_and_geometry_of_the_slots():
    responsible, geometry, positive = map(np.asarray, responsible_heads(FLAT, TARGETS, GRID))
    for place in np.ndindex(TARGETS.slots.shape):
        slot = TARGETS.slots[place]
        assert positive[place] == (slot < NOTHING)
        np.testing.assert_array_equal(responsible[place], FLAT[place[0], slot] if slot < NOTHING else 0)
        np.testing.assert_array_equal(geometry[place], GRID.slot_geometry[slot] if slot < NOTHING else 1)


def test_labels_and_weights_of_the_classes():
    labels = np.asarray(class_labels(FLAT, TARGETS, 0.3))
    assert labels.shape == (2, 2, 1, 3)
    np.testing.assert_allclose(labels[0, 0, 0], [0.1, 0.8, 0.1], rtol=1e-6)
    assert class_weights_of(FLAT, TARGETS, ()) == 1
    np.testing.assert_array_equal(np.asarray(class_weights_of(FLAT, TARGETS, (5.0, 6.0, 7.0)))[0, :, 0], [6, 5])
    with pytest.raises(ValueError, match="class_weights has 2 weights for 3 classes"):
        class_weights_of(FLAT, TARGETS, (1.0, 2.0))


def test_factors_of_means():
    # Three positive slots on the fine scale and one on the coarse one, in two images.
    factors = np.asarray(positive_factors(FLAT, TARGETS, GRID, None))
    np.testing.assert_allclose(factors, [[[2 / 3, 2], [2 / 3, 0]], [[0, 2 / 3], [0, 0]]], rtol=1e-6)
    np.testing.assert_allclose(mean_factors(jnp.array([4, 0]), FLAT, GRID, None), [0.5] * 4 + [2], rtol=1e-6)
    spread = jax.pmap(lambda flat: mean_factors(jnp.array([4, 0]), flat, GRID, "images"), axis_name="images")
    devices = jax.device_count()
    np.testing.assert_allclose(
        spread(jnp.stack([FLAT] * devices))[0], [0.5] * 4 + [2 * devices], rtol=1e-6
    )  # eight on all devices
