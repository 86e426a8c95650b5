"""A small state of a training run."""

import jax.numpy as jnp

STATE = {"params": {"kernel": jnp.arange(6.0).reshape(2, 3)}, "step": jnp.asarray(3, jnp.int32), "ema": None}
