"""Twenty steps on several devices and on one, in float64: they differ by rounding alone.

In float32 rounding cannot be told from errors over many steps: a value within rounding of the kink of the leaky ReLU falls on
one side of it in one layout and on the other side in another, and then the gradients differ by percents.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training.test_step import GRID, MODEL, TINY, assert_close, make_batch, needs_eight
from yolojax.loss import yolo_loss
from yolojax.models import initialize
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.training.step import compile_train_step, create_state

STEPS = 20


def train(model, devices):
    """Losses, and the state after the last step, of Adam at a high rate."""
    mesh = make_mesh(jax.devices()[:devices])
    replicated, batch_sharding = shardings(mesh)
    optimizer = optax.adam(1e-3)
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), initialize(model, 0))
    state = jax.device_put(create_state(variables, optimizer, average=True), replicated)
    step = compile_train_step(mesh, model=model, optimizer=optimizer, grid=GRID, loss=yolo_loss, ema_decay=0.5)
    losses = []
    for seed in range(STEPS):
        state, metrics = step(state, jax.device_put(make_batch(seed=seed), batch_sharding))
        losses.append(metrics)
    return jax.device_get(losses), jax.device_get(state)


@pytest.mark.slow  # test_transformations.py has one step
@needs_eight
@pytest.mark.parametrize("model, layouts", [(MODEL, (8,)), (TINY, (2, 4, 8))], ids=["small", "tiny"])
def test_layouts_differ_by_rounding_alone(model, layouts):
    with jax.enable_x64(True):
        model = model.clone(dtype=jnp.float64)
        expected_metrics, expected = train(model, 1)
        assert expected_metrics[0]["loss"].dtype == np.float64
        for devices in layouts:
            metrics, state = train(model, devices)
            assert_close(metrics, expected_metrics, 1e-9)
            assert_close(state, expected, 1e-9)
