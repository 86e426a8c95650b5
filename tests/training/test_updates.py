"""Optimizers of optax in the training step, against loops written with optax alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec

from tests.helpers.linear import Linear, batch_of, squared_error
from yolojax.config import OptimizerConfig
from yolojax.runtime.devices import make_mesh
from yolojax.training.optimizer import backtrack, make_optimizer
from yolojax.training.step import compile_train_step, create_state, train_step
from yolojax.training.updates import propose, rate_factor

MODEL = Linear()
STEP = {"model": MODEL, "grid": None, "loss": squared_error}
STEPS = 5


def start():
    return {"params": jax.jit(MODEL.init)(jax.random.key(0), batch_of(0)[0])["params"]}


def loss_at(params, batch):
    images, targets = batch
    return squared_error(MODEL.apply({"params": params}, images), targets, None)["error"].mean()


def by_hand(optimizer, give=None):
    """The parameters after some steps of a loop of optax alone; `give` makes its keyword arguments."""
    params = start()["params"]
    opt_state = optimizer.init(params)

    @jax.jit
    def step(params, opt_state, batch):
        value, gradients = jax.value_and_grad(loss_at)(params, batch)
        extra = give(value, gradients, lambda params: loss_at(params, batch)) if give else {}
        updates, opt_state = optimizer.update(gradients, opt_state, params, **extra)
        return optax.apply_updates(params, updates), opt_state

    for seed in range(STEPS):
        params, opt_state = step(params, opt_state, batch_of(seed))
    return params


def lookahead_by_hand(optimizer):
    pair = optax.LookaheadParams.init_synced(start()["params"])
    opt_state = optimizer.init(pair)
    for seed in range(STEPS):
        gradients = jax.grad(loss_at)(pair.fast, batch_of(seed))
        updates, opt_state = optimizer.update(gradients, opt_state, pair)
        pair = optax.apply_updates(pair, updates)
    return pair.fast


def with_value(value, gradients, loss):
    return {"value": value}


def with_search(value, gradients, loss):
    return {"value": value, "grad": gradients, "value_fn": loss}


def with_gradient(value, gradients, loss):
    return {"grad_fn": lambda params, _: jax.grad(loss)(params)}


def sam(**options):
    return optax.contrib.sam(optax.adam(0.05), optax.chain(optax.contrib.normalize(), optax.sgd(0.1)), **options)


OPTIMIZERS = {
    "adam": (optax.adam(0.1), by_hand),
    "sam": (sam(), by_hand),
    "sam, opaque": (sam(opaque_mode=True), functools.partial(by_hand, give=with_gradient)),
    "sam in a chain": (optax.chain(optax.clip_by_global_norm(0.1), sam()), by_hand),
    "schedule_free": (optax.contrib.schedule_free_sgd(0.1), by_hand),
    "lookahead": (optax.lookahead(optax.adam(0.1), 2, 0.5), lookahead_by_hand),
    "lookahead in a chain": (
        optax.chain(optax.clip_by_global_norm(0.1), optax.lookahead(optax.adam(0.1), 2, 0.5, reset_state=True)),
        lookahead_by_hand,
    ),
    "MultiSteps": (optax.MultiSteps(optax.adam(0.1), 2), by_hand),
    "polyak_sgd": (optax.polyak_sgd(0.1), functools.partial(by_hand, give=with_value)),
    "plateau": (
        optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=0, rtol=0.5)),
        functools.partial(by_hand, give=with_value),
    ),
    "lbfgs": (optax.lbfgs(), functools.partial(by_hand, give=with_search)),
}


def on_one_device(step, state, batch):
    return step(state, batch)


def with_shard_map(step, state, batch):
    whole, rows = PartitionSpec(), PartitionSpec("data")
    step = functools.partial(step, axis_name="data")
    return jax.shard_map(step, mesh=make_mesh(jax.devices()[:4]), in_specs=(whole, rows), out_specs=whole)(state, batch)


def with_pmap(step, state, batch):
    step = jax.pmap(functools.partial(step, axis_name="data"), axis_name="data", devices=jax.devices()[:4])
    copies = jax.tree.map(lambda x: np.broadcast_to(x, (4, *x.shape)), jax.device_get(state))
    outcome = step(copies, jax.tree.map(lambda x: x.reshape(4, -1, *x.shape[1:]), batch))
    return jax.tree.map(lambda x: x[0], outcome)


@pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")
@pytest.mark.parametrize(
    "name, run",
    [(name, on_one_device) for name in OPTIMIZERS]
    # Those that ask for more than the gradient.
    + [(name, run) for name in ("sam, opaque", "polyak_sgd") for run in (with_shard_map, with_pmap)]
    + [pytest.param("lbfgs", run, marks=pytest.mark.slow) for run in (with_shard_map, with_pmap)],
)
def test_an_optimizer_does_what_it_does_alone(name, run):
    optimizer, loop = OPTIMIZERS[name]
    expected = loop(optimizer)
    state = create_state(jax.device_get(start()), optimizer)
    step = functools.partial(run, functools.partial(train_step, optimizer=optimizer, **STEP))
    step = step if run is with_pmap else jax.jit(step)
    for seed in range(STEPS):
        state, metrics = step(state, batch_of(seed))
        assert metrics.keys() == {"loss", "error", "gradient_norm", "skipped"} and int(metrics["skipped"]) == 0
    moved = jax.tree.map(np.subtract, expected, start()["params"])
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(moved)) > 1e-2
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), state.params, expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_array_of_a_new_state_can_be_donated(name):
    optimizer, _ = OPTIMIZERS[name]
    step = compile_train_step(make_mesh(jax.devices()[:1]), optimizer=optimizer, **STEP)
    state = create_state(start(), optimizer, average=True)
    leaves = jax.tree.leaves(state)
    assert len({leaf.unsafe_buffer_pointer() for leaf in leaves}) == len(leaves)
    state, _ = step(state, batch_of(0))
    assert int(state.step) == 1 and all(leaf.is_deleted() for leaf in leaves if leaf.size > 1)


def test_a_mistake_inside_an_optimizer_is_not_hidden():
    def update(updates, state, params=None, **extra):
        raise TypeError("f() got an unexpected keyword argument 'rate'")

    broken = optax.GradientTransformationExtraArgs(lambda params: (), update)
    with pytest.raises(TypeError, match="'rate'"):
        propose(broken, {}, (), {}, value=1.0)


def test_the_factors_of_several_line_searches_are_multiplied():
    optimizer = optax.chain(optax.sgd(1.0), backtrack(3), backtrack(3))
    one, none = make_optimizer(OptimizerConfig(line_search_trials=2), lambda n: 1.0), optax.adam(1.0)
    params = {"w": jnp.ones(2)}
    state = optimizer.init(params)
    state = (state[0], state[1]._replace(rate_factor=jnp.float32(0.5)), state[2]._replace(rate_factor=jnp.float32(0.25)))
    assert rate_factor(state) == 0.125
    assert rate_factor(one.init(params)) == 1
    assert rate_factor(none.init({"rate_factor": jnp.ones(2)})) is None
