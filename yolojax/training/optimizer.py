"""The optimizer and its learning-rate schedule."""

import jax.numpy as jnp
import numpy as np
import optax


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


def make_optimizer(config, schedule):
    """Builds the optax transformation of an `OptimizerConfig`: clipping by global norm, then Adam.

    Args:
        config: OptimizerConfig.
        schedule: step, counted from 1, -> learning rate.
    """
    # optax counts updates from 0.
    adam = optax.adam(lambda count: schedule(count + 1), b1=config.b1, b2=config.b2)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), adam) if config.clip_norm else adam
