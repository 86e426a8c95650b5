"""The schedules against their formulas."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.schedules import literal_darknet_rate, literal_rate
from yolojax.config import OptimizerConfig
from yolojax.errors import InputError
from yolojax.parts import Parts
from yolojax.training.schedules import make_schedule, warmup_cosine, warmup_step


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


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 400), st.lists(st.tuples(st.integers(1, 400), st.floats(0, 2)), max_size=4), st.integers(0, 100))
def test_the_stepped_schedule_is_darknets(step, drops, warmup):
    drops = sorted(drops)
    schedule = warmup_step(0.5, drops, warmup)
    expected = literal_darknet_rate(step, 0.5, [first for first, _ in drops], [factor for _, factor in drops], warmup)
    for rate in (schedule(step), schedule(jnp.asarray(step))):
        assert rate.dtype == np.float32
        assert float(rate) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_the_configured_schedules_have_their_epochs_in_steps():
    config = OptimizerConfig(learning_rate=1.0, end_learning_rate=0.2, warmup_epochs=0.5)
    cosine = make_schedule(config, steps_per_epoch=4, total_steps=6)
    np.testing.assert_allclose([cosine(n) for n in (1, 2, 4, 6)], [0.5, 1.0, 0.6, 0.2], rtol=1e-6)
    config = OptimizerConfig(learning_rate=1.0, schedule="step", warmup_epochs=0.5)
    step = make_schedule(config, steps_per_epoch=4, total_steps=20)  # Darknet's drops, at 16 and 18
    np.testing.assert_allclose([step(n) for n in (1, 2, 15, 16, 17, 18, 99)], [0.5, 1, 1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6)
    assert make_schedule(OptimizerConfig(warmup_epochs=9.0), 4, 6)(3) == np.float32(0.5e-4)  # no longer than the run


def own(rate):
    """The schedule of a run whose own function returns `rate`."""
    parts = Parts(schedule=lambda steps_per_epoch, total_steps: rate)
    return make_schedule(OptimizerConfig(schedule="<s of m>"), 10.0, 100, parts)


@pytest.mark.parametrize(
    "rate",
    [
        lambda step: 1e-3,
        lambda step: np.float64(1e-3),
        lambda step: jnp.where(step < 3, 1e-3, 1e-4),
        lambda step: 1e-3 / step**0.5,
    ],
)
def test_schedules_of_ones_own_return_numbers_of_any_kind(rate):
    assert float(own(rate)(1)) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (1e-3, "'float' object is not callable"),
        (lambda step: None, "not 'NoneType'"),
        (lambda step: jnp.ones(1), "the learning rate: "),
        (lambda step: math.nan, "the learning rate, which is nan for the first step"),
        (lambda step: 1e-3 if step < 3 else 1e-4, r"that JAX can trace, with jnp\.where in place of if"),
        (lambda step: math.cos(step), "that JAX can trace"),
        (lambda step: np.interp(step, [0, 10], [0, 1]), "that JAX can trace"),
        (lambda step: [1e-3, 1e-4][step], "that JAX can trace"),
    ],
)
def test_schedules_that_cannot_be_compiled_are_refused_in_one_line(rate, message):
    with pytest.raises(
        InputError, match=rf"^config\.optimizer\.schedule: <s of m> must return a function.*{message}"
    ) as caught:
        own(rate)
    assert "\n" not in str(caught.value)
