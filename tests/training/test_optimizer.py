"""The schedule against its formula, and Adam against its paper."""

import math

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.config import OptimizerConfig
from yolojax.training.optimizer import make_optimizer, warmup_cosine


def literal_rate(step, peak, end, warmup, total):
    if step >= total and not (step == total == warmup):
        return end
    if step < warmup:
        return peak * step / warmup
    if total == warmup:
        return peak
    return end + 0.5 * (peak - end) * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0, 1.2))
def test_schedule_is_the_formula_and_is_held_at_the_end(total, warmup_share, step_share):
    warmup, step = int(warmup_share * total), max(1, int(step_share * total))
    schedule = warmup_cosine(1e-3, 1e-6, warmup, total)
    for rate in (schedule(step), schedule(jnp.asarray(step))):
        expected = literal_rate(min(step, total), 1e-3, 1e-6, warmup, total)
        assert float(rate) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_schedule_by_hand():
    rate = warmup_cosine(1.0, 0.2, 2, 6)
    expected = [0.5, 1.0, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2 + 0.4 * (1 - math.sqrt(0.5)), 0.2, 0.2]
    np.testing.assert_allclose([rate(n) for n in range(1, 8)], expected, rtol=1e-6)


def test_no_warm_up_starts_on_the_cosine_and_a_warm_up_as_long_as_the_run_ends_at_the_peak():
    np.testing.assert_allclose([warmup_cosine(1.0, 0.0, 0, 2)(n) for n in (1, 2)], [0.5, 0.0], atol=1e-7)
    np.testing.assert_allclose([warmup_cosine(1.0, 0.0, 4, 4)(n) for n in (1, 2, 3, 4)], [0.25, 0.5, 0.75, 1.0])


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
    # Adam alone forgets the scale of a gradient: only the ratio of two updates shows whether the first one was clipped.
    schedule = lambda n: 1.0  # noqa: E731
    clipped = make_optimizer(OptimizerConfig(clip_norm=5.0), schedule)
    free = make_optimizer(OptimizerConfig(), schedule)
    params = jnp.zeros(2)
    state_c, state_f = clipped.init(params), free.init(params)
    for gradient, seen in (([30.0, 40.0], [3.0, 4.0]), ([0.3, 0.4], [0.3, 0.4])):
        update_c, state_c = clipped.update(jnp.asarray(gradient), state_c)
        update_f, state_f = free.update(jnp.asarray(seen), state_f)
        np.testing.assert_allclose(update_c, update_f, rtol=1e-6)
