"""The learning rate as a function of the step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.config import OptimizerConfig
from yolojax.errors import InputError, first_line
from yolojax.parts import NO_PARTS, Parts
from yolojax.references import is_part

Schedule = Callable[[Any], Any]
"""A function of the step, counted from 1, to the learning rate."""


def warmup_cosine(learning_rate: float, end_learning_rate: float, warmup_steps: int, total_steps: int) -> Schedule:
    """Linear warm-up from 0 to `learning_rate`, then half a cosine down to `end_learning_rate`, which is then held.

    With W warm-up steps of T in all, the rate of step n is learning_rate * n / W up to W, then
    end + 0.5 * (peak - end) * (1 + cos(pi * (n - W) / (T - W))) (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5).

    Args:
        learning_rate: the peak.
        end_learning_rate: the rate from step T on.
        warmup_steps: W, from 0 to T.
        total_steps: T.

    Returns:
        The schedule; the rate is float32. For a Python integer it computes with NumPy, so that logging does not wait for the
        device, and for an array with JAX.
    """

    def rate(step):
        xp = np if isinstance(step, int) else jnp
        step = xp.minimum(xp.asarray(step, xp.float32), total_steps)
        rising = learning_rate * step / max(warmup_steps, 1)
        # If the warm-up is as long as the run, the cosine begins at the last step.
        phase = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        falling = end_learning_rate + 0.5 * (learning_rate - end_learning_rate) * (1 + xp.cos(xp.pi * phase))
        return xp.where(step < warmup_steps, rising, falling)

    return rate


def warmup_step(learning_rate: float, drops: Sequence[tuple[int, float]], warmup_steps: int) -> Schedule:
    """Linear warm-up from 0 to `learning_rate`, which is then multiplied by a factor at certain steps.

    With W warm-up steps the rate of step n is learning_rate * n / W below W, and from W on learning_rate times the factors of
    all drops up to step n, those during the warm-up included. This is `policy=steps` of Darknet (`get_current_rate` of
    src/network.c), except that Darknet's warm-up (`burn_in`) rises by the fourth power.

    Args:
        learning_rate: the rate before the first drop.
        drops: ((step, factor), ...).
        warmup_steps: W.

    Returns:
        The schedule, which computes with NumPy or JAX as `warmup_cosine` does.
    """

    def rate(step):
        xp = np if isinstance(step, int) else jnp
        step = xp.asarray(step, xp.float32)
        stepped = learning_rate
        for first, factor in drops:
            stepped = stepped * xp.where(step < first, 1.0, factor)
        return xp.where(step < warmup_steps, learning_rate * step / max(warmup_steps, 1), stepped).astype(xp.float32)

    return rate


def make_schedule(config: OptimizerConfig, steps_per_epoch: float, total_steps: int, parts: Parts = NO_PARTS) -> Schedule:
    """Builds the schedule of an `OptimizerConfig` for a run of a given length.

    Args:
        config: the settings.
        steps_per_epoch: turns the warm-up's epochs into steps; need not be whole.
        total_steps: length of the run.
        parts: parts that a program gives as objects.

    Returns:
        The schedule, which computes with NumPy or JAX as `warmup_cosine` does.

    Raises:
        InputError: a schedule of the user's own that cannot be found or called, that gives no number for the first step, or
            that JAX cannot trace.
    """
    if is_part(config.schedule):
        build = parts.build("schedule", config.schedule, config.schedule_options, "steps_per_epoch", "total_steps")
        schedule = build(steps_per_epoch, total_steps)
        where = f"config.optimizer.schedule: {config.schedule} must return a function of the step to the learning rate"
        try:
            first = float(schedule(1))
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {first_line(error)}") from error
        if not math.isfinite(first):
            raise InputError(f"{where}, which is {first} for the first step")
        try:
            jax.eval_shape(schedule, jax.ShapeDtypeStruct((), jnp.int32))
        except TypeError as error:
            raise InputError(
                f"{where} that JAX can trace, with jnp.where in place of if and jax.numpy in place of math and numpy: "
                f"{first_line(error)}"
            ) from error
        return schedule
    warmup_steps = round(min(config.warmup_epochs * steps_per_epoch, total_steps))
    if config.schedule == "step":
        drops = [(round(share * total_steps), factor) for share, factor in config.steps]
        return warmup_step(config.learning_rate, drops, warmup_steps)
    return warmup_cosine(config.learning_rate, config.end_learning_rate, warmup_steps, total_steps)
