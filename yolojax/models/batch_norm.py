"""Batch normalization whose sums over a batch are fast on a CPU too."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


class BatchNorm(nn.Module):
    """Batch normalization over all axes but the last (Ioffe and Szegedy 2015, arXiv:1502.03167); any shape (..., C).

    Its variables are those of `flax.linen.BatchNorm`, and so are its values, but for the order of sums on a CPU.

    Attributes:
        use_running_average: whether it uses the running statistics instead of the batch's, and leaves them as they are.
        momentum: momentum of the running statistics.
        epsilon: added to the variance.
        dtype: dtype of the result; statistics are float32 or wider.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any.
    """

    use_running_average: bool
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1],)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        if self.use_running_average:
            mean, var = running_mean.value, running_var.value
        else:
            wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
            mean, mean_of_squares = (_sum(value) / (x.size // x.shape[-1]) for value in (wide, wide * wide))
            if self.axis_name is not None and not self.is_initializing():
                mean, mean_of_squares = jax.lax.pmean((mean, mean_of_squares), self.axis_name)
            var = jnp.maximum(0, mean_of_squares - mean * mean)
            if not self.is_initializing():
                for running, value in ((running_mean, mean), (running_var, var)):
                    running.value = self.momentum * running.value + (1 - self.momentum) * value
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        multiplier = jax.lax.rsqrt(var + self.epsilon) * scale
        # Running statistics have no sums, and the batch may have a symbolic size.
        mean, multiplier, bias = (
            value if self.use_running_average else _spread(value, x.shape) for value in (mean, multiplier, bias)
        )
        return ((x - mean) * multiplier + bias).astype(self.dtype)


def _sum(x: jax.Array) -> jax.Array:
    """The sum over all axes but the last: (..., C) -> (C,)."""
    if not _in_two_steps(x.shape):
        return x.sum(tuple(range(x.ndim - 1)))
    # XLA adds whole rows of an image up several times as fast as single pixels.
    return x.reshape(-1, math.prod(x.shape[2:])).sum(0).reshape(x.shape[2:]).sum(0)


def _spread(values: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """A value for each channel, (C,), spread over a shape (..., C); its gradient is a sum as in `_sum`."""
    if not _in_two_steps(shape):
        return jnp.broadcast_to(values, shape)
    row = jnp.broadcast_to(values, shape[2:]).reshape(-1)
    return jnp.broadcast_to(row, (math.prod(shape[:2]), row.size)).reshape(shape)


def _in_two_steps(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and jax.default_backend() == "cpu"
