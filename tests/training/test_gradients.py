"""The loss and its gradient with modules of others, on one device and over the devices of an axis."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from tests.helpers.foreign import Mixed
from tests.helpers.linear import Linear, batch_of, squared_error
from yolojax.models import initialize
from yolojax.runtime.devices import make_mesh
from yolojax.training.gradients import gradients_of, keep_frozen, loss_function, make_objective, split_batch
from yolojax.training.step import create_state, train_step

OPTIMIZER = optax.sgd(0.1)
needs_four = pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")


class Normalized(nn.Module):
    """Statistics of each device's own rows and a counter, without the field `axis_name`."""

    @nn.compact
    def __call__(self, images, train: bool):
        x = images.mean((1, 2))
        seen = self.variable("batch_stats", "seen", lambda: jnp.zeros((), jnp.int32))
        if train:
            seen.value += 1
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5, name="norm")(nn.Dense(3, name="first")(x))
        return nn.Dense(3, name="second")(x)


def squares(raw, targets, grid):
    """The squares of all heads."""
    return sum(jnp.square(head).mean((1, 2, 3, 4)) for head in raw)


def on_four(step, state, batch, *, how):
    whole, rows = PartitionSpec(), PartitionSpec("data")
    step = functools.partial(step, axis_name="data")
    if how == "pmap":
        copies = jax.tree.map(lambda x: np.broadcast_to(x, (4, *x.shape)), jax.device_get(state))
        parts = jax.tree.map(lambda x: x.reshape(4, -1, *x.shape[1:]), batch)
        outcome = jax.pmap(step, axis_name="data", devices=jax.devices()[:4])(copies, parts)
        for leaf in jax.tree.leaves(outcome):
            assert (np.asarray(leaf) == np.asarray(leaf[:1])).all()  # the devices agree
        return jax.tree.map(lambda x: x[0], outcome)
    mesh = make_mesh(jax.devices()[:4])
    options = {} if how == "shard_map" else {"check_vma": False}
    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(whole, rows), out_specs=whole, **options))(state, batch)


@needs_four
@pytest.mark.parametrize("how", ["pmap", "shard_map", "shard_map, check_vma=False"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_statistics_that_a_module_takes_on_each_device_alone_are_averaged(how, accumulate):
    model = Normalized()
    step = functools.partial(
        train_step, model=model, optimizer=OPTIMIZER, grid=None, loss=squared_error, accumulate=accumulate, ema_decay=0.5
    )
    variables, batch = jax.jit(functools.partial(model.init, train=False))(jax.random.key(0), batch_of(0)[0]), batch_of(1, 16)
    new = functools.partial(create_state, variables, OPTIMIZER, average=True)
    state, metrics = on_four(step, new(), batch, how=how)
    # By hand: each device makes the step with its own rows; parameters and statistics are then averaged.
    alone = [jax.jit(step)(new(), jax.tree.map(lambda x: x[4 * n : 4 * n + 4], batch)) for n in range(4)]  # noqa: B023
    expected = jax.tree.map(lambda *leaves: sum(leaves) / 4, *[state for state, _ in alone])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state, expected)
    assert metrics["loss"] == pytest.approx(np.mean([float(metrics["loss"]) for _, metrics in alone]), rel=1e-5)
    assert int(state.batch_stats["seen"]) == accumulate and state.batch_stats["seen"].dtype == jnp.int32
    assert int(state.ema["batch_stats"]["seen"]) == accumulate  # a counter has no average


@pytest.mark.parametrize("remat", [False, True])
def test_frozen_layers_of_any_module_do_not_move(remat):
    # Weight decay would move them even without a gradient.
    optimizer = optax.adamw(0.1, weight_decay=0.1)
    batch = np.random.default_rng(0).random((4, 64, 64, 3), np.float32), np.zeros(4)
    before = create_state(initialize(Mixed(), 0), optimizer, average=True)
    step = functools.partial(train_step, model=Mixed(), optimizer=optimizer, grid=None, loss=squares)
    state, _ = jax.jit(functools.partial(step, frozen="^(patches|norm|ours)$", remat=remat, ema_decay=0.5))(before, batch)
    changed = set()
    for tree, old in ((state.params, before.params), (state.batch_stats, before.batch_stats), (state.ema, before.ema)):
        for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(tree), jax.tree.leaves(old), strict=True):
            if not np.array_equal(a, b):
                changed.update(key.key for key in path)
    assert changed.isdisjoint({"patches", "norm", "ours"}) and changed >= {"gain", "head16", "head32", "down"}


def test_recomputing_around_a_module_changes_nothing_but_the_program():
    batch = np.random.default_rng(0).random((4, 64, 64, 3), np.float32), np.zeros(4)
    before = create_state(initialize(Mixed(), 0), OPTIMIZER)
    step = functools.partial(train_step, model=Mixed(), optimizer=OPTIMIZER, grid=None, loss=squares)
    plain, again = (jax.jit(functools.partial(step, remat=remat))(before, batch) for remat in (False, True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), again, plain)
    programs = [str(jax.make_jaxpr(functools.partial(step, remat=remat))(before, batch)) for remat in (False, True)]
    assert ["remat" in program or "checkpoint" in program for program in programs] == [False, True]


@needs_four
def test_dropout_differs_between_devices():
    class Dropped(nn.Module):
        @nn.compact
        def __call__(self, images, train):
            scale = self.param("scale", nn.initializers.ones, (1, 1))
            return scale * nn.Dropout(0.5, deterministic=not train)(jnp.ones((len(images), 64)))

    def loss(raw, targets, grid):
        # The variance over the devices of a device's own sum, the same for all.
        total = raw.sum()
        return jnp.broadcast_to(jnp.square(total - jax.lax.pmean(total, "data")), len(raw))

    state = create_state({"params": {"scale": jnp.ones((1, 1))}}, OPTIMIZER)
    step = functools.partial(train_step, model=Dropped(), optimizer=OPTIMIZER, grid=None, loss=loss)
    _, metrics = on_four(step, state, batch_of(0), how="shard_map")
    assert metrics["loss"] > 0


def test_a_stream_of_random_numbers_of_any_name_changes_with_the_step():
    class Noisy(nn.Module):
        @nn.compact
        def __call__(self, images, train):
            scale = self.param("scale", nn.initializers.ones, (1, 1))
            return scale * jax.random.normal(self.make_rng("noise"), (len(images), 4))

    step = jax.jit(
        functools.partial(
            train_step, model=Noisy(), optimizer=optax.sgd(0.0), grid=None, loss=lambda raw, *_: jnp.square(raw).sum(1)
        )
    )
    state = create_state({"params": {"scale": jnp.ones((1, 1))}}, optax.sgd(0.0))
    state, first = step(state, batch_of(0))
    assert step(state, batch_of(0))[1]["loss"] != first["loss"]


@needs_four
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("check_vma", [False, True])
def test_the_loss_for_optimizers_has_the_value_and_gradient_of_the_whole_batch(check_vma, accumulate):
    model, batch = Linear(), batch_of(0, 16)
    params = jax.jit(model.init)(jax.random.key(0), batch[0])["params"]
    whole, rows = PartitionSpec(), PartitionSpec("data")

    def outcomes(params, batch):
        objective = make_objective(model, None, squared_error, axis_name="data", frozen="", remat=False)
        parts = batch, jax.random.key(0)
        if accumulate > 1:
            parts = split_batch(batch, accumulate), jax.random.split(parts[1], accumulate)
        value, gradient = jax.value_and_grad(loss_function(objective, {}, parts, accumulate))(params)
        total, _, gradients, _ = gradients_of(objective, params, {}, parts, accumulate)
        return (value, gradient), (total, gradients)

    mesh = make_mesh(jax.devices()[:4])
    run = jax.shard_map(outcomes, mesh=mesh, in_specs=(whole, rows), out_specs=whole, check_vma=check_vma)
    images, targets = batch

    def by_hand(params):
        return squared_error(model.apply({"params": params}, images), targets, None)["error"].mean()

    expected = jax.jit(jax.value_and_grad(by_hand))(params)
    for found in jax.jit(run)(params, batch):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)


def test_frozen_leaves_are_the_old_ones():
    old = {"stem": {"conv": {"kernel": 1}}, "Dense_0": {"kernel": 2}, "w": 3}
    new = jax.tree.map(lambda x: -x, old)
    assert keep_frozen(new, old, "") == new
    assert keep_frozen(new, old, "^stem$") == {"stem": {"conv": {"kernel": 1}}, "Dense_0": {"kernel": -2}, "w": -3}
    assert keep_frozen(new, old, "Dense") == {"stem": {"conv": {"kernel": -1}}, "Dense_0": {"kernel": 2}, "w": -3}
