"""Batch normalization, with a way to compute it that is fast on a CPU."""

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

_BY_ROW = contextvars.ContextVar("by_row", default=False)


@contextlib.contextmanager
def by_row() -> Iterator[None]:
    """While a step is traced under it, batch normalization in training takes images row by row.

    An image is then rows of W * C numbers, (B * H, W * C), which XLA adds up and maps several times as fast on a CPU as pixels
    of few channels. Barriers keep its loops apart from others, which would count in pixels; so the program must be compiled
    with `runtime.compiler_options.keeping_barriers`, without which it is slower than the usual one.
    """
    token = _BY_ROW.set(True)
    try:
        yield
    finally:
        _BY_ROW.reset(token)


class BatchNorm(nn.Module):
    """Batch normalization over all axes but the last, and an activation (Ioffe and Szegedy 2015, arXiv:1502.03167).

    (..., C) -> (..., C). Its variables are those of `flax.linen.BatchNorm`, and so are its values, up to the order of sums
    under `by_row`.

    Attributes:
        use_running_average: whether it uses the running statistics instead of the batch's, and leaves them as they are.
        momentum: momentum of the running statistics.
        epsilon: added to the variance.
        dtype: dtype of the result; statistics are float32 or wider.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any.
        activation: elementwise function of the result; None for none.
    """

    use_running_average: bool
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    activation: Callable[[jax.Array], jax.Array] | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1:]
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, channels, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, channels, jnp.float32)
        scale = self.param("scale", nn.initializers.ones, channels, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, channels, jnp.float32)
        if self.use_running_average:
            return self._normalize(x, running_mean.value, running_var.value, scale, bias)
        rows = _BY_ROW.get() and x.ndim == 4
        # Without a barrier here and behind the activation, XLA merges these loops with those of the layers around them.
        seen = jax.lax.optimization_barrier(x).reshape(-1, math.prod(x.shape[2:])) if rows else x
        mean, var = self._statistics(seen, channels)
        if not self.is_initializing():
            for running, value in ((running_mean, mean), (running_var, var)):
                running.value = self.momentum * running.value + (1 - self.momentum) * value
        if not rows:
            return self._normalize(x, mean, var, scale, bias)
        # Repeated once, and not at each pixel.
        columns = (jnp.tile(value, x.shape[2]) for value in (mean, var, scale, bias))
        y = self._normalize(seen, *jax.lax.optimization_barrier(tuple(columns)))
        return jax.lax.optimization_barrier(y.reshape(x.shape))

    def _statistics(self, x: jax.Array, channels: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        """Mean and variance of each channel, (C,), of (..., C) or of rows (N, W * C)."""
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        sums = (value.sum(tuple(range(x.ndim - 1))).reshape(-1, *channels).sum(0) for value in (wide, wide * wide))
        mean, mean_of_squares = (total / (x.size // channels[0]) for total in sums)
        if self.axis_name is not None and not self.is_initializing():
            mean, mean_of_squares = jax.lax.pmean((mean, mean_of_squares), self.axis_name)
        return mean, jnp.maximum(0, mean_of_squares - mean * mean)

    def _normalize(self, x: jax.Array, mean: jax.Array, var: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
        mean, var, scale, bias = (value.reshape((1,) * (x.ndim - 1) + value.shape) for value in (mean, var, scale, bias))
        y = ((x - mean) * (jax.lax.rsqrt(var + self.epsilon) * scale) + bias).astype(self.dtype)
        return y if self.activation is None else self.activation(y)
