"""One step under every transformation of JAX makes the update of one device, in float64, where only rounding differs.

The table of docs/devices.md:
`python -m pytest -n 0 -s -m "slow or not slow" tests/training/test_transformations.py | grep "^|"`
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, PartitionSpec

from tests.helpers.foreign import Plain
from tests.training.test_step import GRID, MODEL, make_batch, needs_eight
from yolojax.loss import yolo_loss
from yolojax.models import initialize
from yolojax.runtime.devices import make_mesh, shardings
from yolojax.training.step import create_state, train_step

OPTIMIZER = optax.sgd(1.0)
OPTIONS = {"nothing": {}, "accumulate": {"accumulate": 2}, "remat": {"remat": True}, "EMA": {"ema_decay": 0.75}}
OPTIONS["all three"] = OPTIONS["accumulate"] | OPTIONS["remat"] | OPTIONS["EMA"]


def explicit_mesh(devices):
    return jax.make_mesh((devices,), ("batch",), axis_types=(AxisType.Explicit,), devices=jax.devices()[:devices])


def with_pmap(step, devices, state, batch):
    step = jax.pmap(functools.partial(step, axis_name="batch"), axis_name="batch", devices=jax.devices()[:devices])
    parts = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
    outcome = step(jax.tree.map(lambda x: jnp.broadcast_to(x, (devices, *x.shape)), state), parts)
    for leaf in jax.tree.leaves(outcome):
        assert (np.asarray(leaf) == np.asarray(leaf[:1])).all()  # the devices agree
    return jax.tree.map(lambda x: x[0], outcome)


def put(mesh, state, batch):
    replicated, rows = shardings(mesh)
    return jax.device_put(state, replicated), jax.device_put(batch, rows)


def with_shard_map(step, devices, state, batch, *, defaults):
    mesh, whole, rows = explicit_mesh(devices), PartitionSpec(), PartitionSpec("batch")
    options = {} if defaults else {"check_vma": False}
    step = functools.partial(step, axis_name="batch")
    step = jax.shard_map(step, mesh=mesh, in_specs=(whole, rows), out_specs=whole, **options)
    return jax.jit(step)(*put(mesh, state, batch))


def with_jit(step, devices, state, batch, *, make):
    mesh = make(devices)
    replicated, _ = shardings(mesh)
    outcome = jax.jit(step)(*put(mesh, state, batch))
    assert all(leaf.sharding.is_equivalent_to(replicated, leaf.ndim) for leaf in jax.tree.leaves(outcome))
    return outcome


def auto_mesh(devices):
    return make_mesh(jax.devices()[:devices])


TRANSFORMATIONS = {
    "pmap": with_pmap,
    "shard_map": functools.partial(with_shard_map, defaults=True),
    "shard_map, check_vma=False": functools.partial(with_shard_map, defaults=False),
    "jit, Auto axes": functools.partial(with_jit, make=auto_mesh),
    "jit, Explicit axes": functools.partial(with_jit, make=explicit_mesh),
}


def start(model):
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), initialize(model, 0))
    state = create_state(variables, OPTIMIZER, average=True)
    # Averages that differ from what is averaged.
    return state._replace(ema=jax.tree.map(lambda leaf: leaf + 1, state.ema))


def model_and_step(options):
    # The statistics of a part are not those of the batch: only a network without them makes the same update in parts.
    model = Plain(jnp.float64) if "accumulate" in options else MODEL.clone(dtype=jnp.float64)
    return model, functools.partial(train_step, model=model, optimizer=OPTIMIZER, grid=GRID, loss=yolo_loss, **options)


@functools.cache
def reference(model):
    """(state, metrics) of one device without anything."""
    step = functools.partial(train_step, model=model, optimizer=OPTIMIZER, grid=GRID, loss=yolo_loss)
    return jax.device_get(jax.jit(step)(start(model), make_batch(16)))


def difference(found, expected):
    """The largest difference of two trees relative to the largest number of a leaf, or a thousandth of that of all leaves."""
    found, expected = ([np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)] for tree in (found, expected))
    floor = 1e-3 * max(np.abs(leaf).max() for leaf in expected)
    return max(np.abs(a - b).max() / max(np.abs(b).max(), floor) for a, b in zip(found, expected, strict=True))


def slow(transformation, devices, option):
    return devices == 1 or option != "all three" or transformation not in ("shard_map", "jit, Explicit axes")


@needs_eight
@pytest.mark.parametrize(
    "transformation, devices, option",
    [
        pytest.param(*row, marks=pytest.mark.slow if slow(*row) else [])
        for row in ((name, devices, option) for name in TRANSFORMATIONS for devices in (1, 8) for option in OPTIONS)
    ],
)
def test_every_transformation_makes_the_update_of_one_device(transformation, devices, option):
    with jax.enable_x64(True):
        options = OPTIONS[option]
        model, step = model_and_step(options)
        before = jax.device_get(start(model))
        (expected, expected_metrics), batch = reference(model), make_batch(16)
        decay = options.get("ema_decay", 0)
        new = {"params": expected.params, "batch_stats": expected.batch_stats}
        expected = expected._replace(ema=jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, before.ema, new))
        found, metrics = jax.device_get(TRANSFORMATIONS[transformation](step, devices, start(model), batch))
        assert jax.tree.leaves(found.params)[0].dtype == np.float64

        def updates(state):
            return jax.tree.map(np.subtract, state, before)

        largest = max(difference(updates(found), updates(expected)), difference(metrics, expected_metrics))
        print(f"\n| {transformation} | {devices} | {option} | {largest:.0e} |")
        assert largest < 1e-5
