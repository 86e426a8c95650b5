"""The learning rate as a function of the step."""

import jax.numpy as jnp
import numpy as np


def warmup_cosine(learning_rate, end_learning_rate, warmup_steps, total_steps):
    """Linear warm-up from 0 to `learning_rate`, then half a cosine down to `end_learning_rate`, held there.

    With W warm-up steps of T in all, the rate of step n is learning_rate * n / W up to W, then
    end + 0.5 * (peak - end) * (1 + cos(pi * (n - W) / (T - W))) (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5).

    Args:
        learning_rate: the peak.
        end_learning_rate: from step T on.
        warmup_steps: W, from 0 to T.
        total_steps: T.

    Returns:
        A function of the step n (the first step is 1) to its learning rate, float32. For a Python integer it computes on the
        host, so that a log does not wait for the device; for an array it is JAX.
    """

    def rate(step):
        xp = np if isinstance(step, int) else jnp
        step = xp.minimum(xp.asarray(step, xp.float32), total_steps)
        rising = learning_rate * step / max(warmup_steps, 1)
        # A warm-up as long as the run leaves no step to the cosine but the last, which is then its end.
        phase = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        falling = end_learning_rate + 0.5 * (learning_rate - end_learning_rate) * (1 + xp.cos(xp.pi * phase))
        return xp.where(step < warmup_steps, rising, falling)

    return rate


def warmup_step(learning_rate, drops, warmup_steps):
    """Linear warm-up from 0 to `learning_rate`, which is then multiplied by a factor at certain steps.

    With W warm-up steps the rate of step n is learning_rate * n / W below W, and from W on learning_rate times the factors of
    all drops at a step of at most n, those during the warm-up included: `policy=steps` of Darknet (`get_current_rate` of
    src/network.c), whose warm-up (`burn_in`) rises by the fourth power, however.

    Args:
        learning_rate: before the first drop.
        drops: ((step, factor), ...).
        warmup_steps: W.

    Returns:
        A function of the step as `warmup_cosine` returns it.
    """

    def rate(step):
        xp = np if isinstance(step, int) else jnp
        step = xp.asarray(step, xp.float32)
        stepped = learning_rate
        for first, factor in drops:
            stepped = stepped * xp.where(step < first, 1.0, factor)
        return xp.where(step < warmup_steps, learning_rate * step / max(warmup_steps, 1), stepped).astype(xp.float32)

    return rate


def make_schedule(config, steps_per_epoch, total_steps):
    """Builds the schedule of an `OptimizerConfig` for a run of so many steps; a function of the step to its rate."""
    warmup_steps = min(round(config.warmup_epochs * steps_per_epoch), total_steps)
    if config.schedule == "step":
        drops = [(round(share * total_steps), factor) for share, factor in config.steps]
        return warmup_step(config.learning_rate, drops, warmup_steps)
    return warmup_cosine(config.learning_rate, config.end_learning_rate, warmup_steps, total_steps)
