"""The optimizers against literal updates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.schedules import literal_rate
from yolojax.config import OptimizerConfig
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables
from yolojax.training.optimizer import kernels_only, make_optimizer
from yolojax.training.schedules import warmup_cosine


def test_update_n_uses_the_rate_of_step_n_of_adam():
    config = OptimizerConfig(b1=0.8, b2=0.9)
    schedule = warmup_cosine(0.1, 0.01, 2, 5)
    optimizer = make_optimizer(config, schedule)
    params = jnp.asarray([1.0, -2.0])
    state = optimizer.init(params)
    x, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for n in range(1, 6):
        g = np.array([0.3 * n, -0.1]) * x
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        x = x - literal_rate(n, 0.1, 0.01, 2, 5) * (m / (1 - 0.8**n)) / (np.sqrt(v / (1 - 0.9**n)) + 1e-8)
        updates, state = optimizer.update(jnp.asarray([0.3 * n, -0.1]) * params, state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(params, x, rtol=1e-5)


def test_clipping_scales_large_gradients_down_to_the_norm():
    # Adam is invariant to the scale of gradients: only the ratio of two updates shows whether the first one was clipped.
    schedule = lambda n: 1.0  # noqa: E731
    clipped = make_optimizer(OptimizerConfig(clip_norm=5.0), schedule)
    free = make_optimizer(OptimizerConfig(), schedule)
    params = jnp.zeros(2)
    state_c, state_f = clipped.init(params), free.init(params)
    for gradient, seen in (([30.0, 40.0], [3.0, 4.0]), ([0.3, 0.4], [0.3, 0.4])):
        update_c, state_c = clipped.update(jnp.asarray(gradient), state_c)
        update_f, state_f = free.update(jnp.asarray(seen), state_f)
        np.testing.assert_allclose(update_c, update_f, rtol=1e-6)


# Kernel and bias of a convolution, and the parameters of batch normalization.
PARAMS = {
    "head": {"kernel": [1.0, -2.0], "bias": [0.5, 3.0]},
    "stem": {"conv": {"kernel": [0.3, 0.1]}, "bn": {"scale": [1.0, 2.0], "bias": [-1.0, 0.2]}},
}
# Leaves are sorted by name: head bias and kernel, stem bn bias and scale, stem conv kernel.
KERNELS = [False, True, False, False, True]


def literal_updates(config, rates):
    """The leaves of PARAMS after an update at each rate; the gradient is (0.1, -0.2) + w / 2."""
    leaves = []
    for w, kernel in zip(jax.tree.leaves(PARAMS, is_leaf=lambda x: isinstance(x, list)), KERNELS, strict=True):
        w, m, v = np.array(w), np.zeros(2), np.zeros(2)
        decay = config.weight_decay if kernel else 0.0
        for n, rate in enumerate(rates, 1):
            g = np.array([0.1, -0.2]) + w / 2
            if config.name == "sgd":
                g = g + decay * w
                v = g + config.momentum * v
                w = w - rate * (g + config.momentum * v if config.nesterov else v)
            elif config.name == "rmsprop":
                g = g + decay * w
                m = config.rms_decay * m + (1 - config.rms_decay) * g**2
                v = g / (np.sqrt(m) + config.rms_eps) + config.momentum * v
                w = w - rate * v
            else:
                m = config.b1 * m + (1 - config.b1) * g
                v = config.b2 * v + (1 - config.b2) * g**2
                step = (m / (1 - config.b1**n)) / (np.sqrt(v / (1 - config.b2**n)) + 1e-8)
                w = w - rate * (step + (decay * w if config.name == "adamw" else 0))
        leaves.append(w)
    return leaves


@pytest.mark.parametrize(
    "config",
    [
        OptimizerConfig(),
        OptimizerConfig(name="adamw", weight_decay=0.1, b1=0.8, b2=0.9),
        OptimizerConfig(name="adamw", weight_decay=0.0),
        OptimizerConfig(name="sgd", weight_decay=0.1, momentum=0.7),
        OptimizerConfig(name="sgd", weight_decay=0.1, momentum=0.7, nesterov=True),
        OptimizerConfig(name="sgd", weight_decay=0.0, momentum=0.0),
        OptimizerConfig(name="sgd"),
        OptimizerConfig(name="rmsprop"),
        OptimizerConfig(name="rmsprop", weight_decay=0.1, momentum=0.7, rms_decay=0.99),
        # So large an epsilon that it shows on which side of the root it is.
        OptimizerConfig(name="rmsprop", weight_decay=0.0, momentum=0.0, rms_eps=0.1),
    ],
    ids=lambda c: f"{c.name}-{c.weight_decay}-{c.momentum}-{c.nesterov}",
)
def test_updates_are_those_of_the_papers(config):
    rates = [literal_rate(n, 0.2, 0.05, 2, 6) for n in range(1, 7)]
    optimizer = make_optimizer(config, warmup_cosine(0.2, 0.05, 2, 6))
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, PARAMS, is_leaf=lambda x: isinstance(x, list))
        state = optimizer.init(params)
        for _ in rates:
            gradients = jax.tree.map(lambda w: jnp.asarray([0.1, -0.2]) + w / 2, params)
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
    for actual, expected in zip(jax.tree.leaves(params), literal_updates(config, rates), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_every_kernel_of_the_networks_decays_and_nothing_else():
    for model in (YOLOv3Tiny(3, width=0.125), YOLOv3(3, width=0.125, spp=True)):
        params = abstract_variables(model)["params"]
        decayed = kernels_only(params)
        for (path, leaf), decays in zip(jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(decayed), strict=True):
            assert decays == (leaf.ndim == 4), jax.tree_util.keystr(path)
        assert 0 < sum(jax.tree.leaves(decayed)) < len(jax.tree.leaves(decayed))


def test_only_the_kernels_of_the_named_layers_decay():
    params = abstract_variables(YOLOv3Tiny(3, width=0.125))["params"]
    decayed = kernels_only(params, layers="^(?!head|conv1$)")
    layers = {path[0].key for path, decays in jax.tree_util.tree_leaves_with_path(decayed) if decays}
    assert layers == set(params) - {"head16", "head32", "conv1"}

    stem, head = ({"conv": {"kernel": jnp.asarray([2.0])}}, {"head": {"kernel": jnp.asarray([2.0])}})
    params = {"stem": stem, "head16": head}
    for name in ("sgd", "adamw", "rmsprop"):
        config = OptimizerConfig(name=name, weight_decay=0.5, decay_layers="^stem")
        optimizer = make_optimizer(config, lambda n: 0.1)
        still = jax.tree.map(jnp.zeros_like, params)
        updates, _ = optimizer.update(still, optimizer.init(params), params)
        # Decay alone is 0.5 * 2; RMSProp divides it by the root of 0.1 of its square.
        expected = -0.1 if name != "rmsprop" else -0.1 / 0.1**0.5
        np.testing.assert_allclose(updates["stem"]["conv"]["kernel"], [expected], rtol=1e-6)
        np.testing.assert_array_equal(updates["head16"]["head"]["kernel"], [0.0])


def test_clipping_comes_before_the_decay():
    config = OptimizerConfig(name="sgd", weight_decay=0.5, momentum=0.0, clip_norm=1.0)
    optimizer = make_optimizer(config, lambda n: 1.0)
    params = {"kernel": jnp.asarray([40.0, 0.0])}
    updates, _ = optimizer.update({"kernel": jnp.asarray([30.0, 40.0])}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["kernel"], [-20.6, -0.8], rtol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_the_default_is_adam_to_the_bit_with_the_same_state(clip_norm):
    schedule = warmup_cosine(0.1, 0.01, 2, 5)
    adam = optax.adam(lambda count: schedule(count + 1), b1=0.9, b2=0.999)
    expected = optax.chain(optax.clip_by_global_norm(clip_norm), adam) if clip_norm else adam
    optimizer = make_optimizer(OptimizerConfig(clip_norm=clip_norm), schedule)
    params = {"kernel": jnp.asarray([1.0, -2.0]), "bias": jnp.asarray([3.0])}
    state, expected_state = optimizer.init(params), expected.init(params)
    for n in range(4):
        gradients = jax.tree.map(lambda w: w * (n + 0.3), params)  # noqa: B023
        updates, state = optimizer.update(gradients, state, params)
        expected_updates, expected_state = expected.update(gradients, expected_state, params)
        assert jax.tree.structure(state) == jax.tree.structure(expected_state)
        jax.tree.map(np.testing.assert_array_equal, (updates, state), (expected_updates, expected_state))
        params = optax.apply_updates(params, updates)


def literal_backtrack(loss, w, gradient, rate, begin, trials):
    """The factor that Armijo's rule accepts, or 0 if it accepts none."""
    for trial in range(trials):
        factor = begin * 0.5**trial
        if loss(w - rate * factor * gradient) <= loss(w) - 1e-4 * factor * rate * np.sum(gradient**2):
            return factor
    return 0.0


@functools.cache
def search_step(loss, trials):
    """A compiled step of gradient descent at a rate, with the line search."""
    config = OptimizerConfig(name="sgd", momentum=0.0, weight_decay=0.0, line_search_trials=trials)

    @jax.jit
    def step(params, state, rate):
        optimizer = make_optimizer(config, lambda n: rate)
        value, gradient = jax.value_and_grad(loss)(params)
        state = state or optimizer.init(params)
        updates, state = optimizer.update(gradient, state, params, value=value, grad=gradient, value_fn=loss)
        return optax.apply_updates(params, updates), state, optax.tree.get(state, "rate_factor")

    return step


def searched(loss, rate, trials):
    """A function of (params, state or None) to (params, state, factor) after a step."""
    return lambda params, state=None: search_step(loss, trials)(params, state, rate)


def valley(params):
    """Rosenbrock's function, on which most steps of a fixed rate increase the value."""
    w = params["kernel"]
    return 0.1 * (1 - w[0]) ** 2 + (w[1] - w[0] ** 2) ** 2


@settings(deadline=None, max_examples=25)
@given(st.floats(0.1, 30), st.integers(1, 6), st.floats(-2, 2), st.floats(-2, 2))
def test_the_line_search_takes_armijos_factors(rate, trials, x, y):
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(valley))
        step = searched(valley, rate, trials)
        params, state, begin = {"kernel": jnp.asarray([x, y])}, None, 1.0
        for _ in range(4):
            w, gradient = np.asarray(params["kernel"]), np.asarray(slope(params)["kernel"])
            expected = literal_backtrack(lambda w: valley({"kernel": w}), w, gradient, rate, begin, trials)
            params, state, factor = step(params, state)
            assert factor == expected
            np.testing.assert_allclose(params["kernel"], w - rate * expected * gradient, rtol=1e-9, atol=1e-12)
            begin = min(1.0, 2 * expected) or 1.0


def test_the_line_search_goes_on_after_a_step_without_a_finite_loss():
    params = {"kernel": jnp.asarray([1.0])}
    cliff = searched(lambda params: jnp.where(params["kernel"][0] < 0.9, jnp.inf, params["kernel"][0] ** 2 / 4), 1.0, 2)
    after, state, factor = cliff(params)
    assert after == params and factor == 0
    after, _, factor = searched(lambda params: params["kernel"][0] ** 2 / 4, 1.0, 2)(after, state)
    assert after["kernel"] == 0.5 and factor == 1


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="unknown optimizer 'lion'; expected adam, adamw, sgd or rmsprop"):
        make_optimizer(OptimizerConfig(name="lion"), lambda n: 1.0)
