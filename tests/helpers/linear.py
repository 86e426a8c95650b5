"""A network, a loss and batches of it that compile in no time."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np


class Linear(nn.Module):
    """(B, H, W, 3) -> (B, 3): the mean of each channel times a matrix."""

    @nn.compact
    def __call__(self, images):
        return nn.Dense(3, name="layer")(images.mean((1, 2)))


def squared_error(raw, targets, grid):
    return {"error": jnp.square(raw - targets).sum(-1)}


def batch_of(seed, rows=8):
    rng = np.random.default_rng(seed)
    return rng.random((rows, 2, 2, 3), np.float32), rng.random((rows, 3), np.float32)
