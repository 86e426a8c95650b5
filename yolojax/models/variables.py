"""The variables of a network: their shapes, initial values and number."""

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax.models.layers import HEAD_KERNEL_STD, objectness_prior_bias


def abstract_variables(model: nn.Module) -> dict[str, Any]:
    """Shapes and dtypes of a network's variables, without running it.

    Returns:
        {"params", "batch_stats"}, trees of `jax.ShapeDtypeStruct`.
    """
    # A network built from a cfg has a size that its layers fit; the others take any.
    images = jax.ShapeDtypeStruct((1, *getattr(model, "size", (32, 32)), 3), jnp.float32)
    variables = jax.eval_shape(lambda images: model.init(jax.random.key(0), images, train=False), images)
    return {"batch_stats": {}, **variables}  # a network built from a cfg may have no batch normalization


def initialize(model: nn.Module, seed: int) -> dict[str, Any]:
    """Draws the initial variables of a network on the host, without compiling or running it.

    `model.init` runs or compiles the whole forward pass to learn the shapes; here they come from an abstract evaluation,
    and the values from NumPy, in the distributions of the modules' own initializers.

    Args:
        model: a network of this package.
        seed: seed of the random numbers.

    Returns:
        {"params", "batch_stats"}, trees of float32 NumPy arrays; the same for the same seed on every platform.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        module, name = path[-2].key, path[-1].key
        if name == "kernel" and module == "head":
            return HEAD_KERNEL_STD * rng.standard_normal(leaf.shape, np.float32)
        if name == "kernel":
            # He et al. 2015, arXiv:1502.01852, equation 10.
            return math.sqrt(2 / math.prod(leaf.shape[:-1])) * rng.standard_normal(leaf.shape, np.float32)
        if name == "bias" and module == "head":
            return np.asarray(objectness_prior_bias(5 + model.num_classes)(None, leaf.shape))
        return (np.ones if name in ("scale", "var") else np.zeros)(leaf.shape, np.float32)

    return jax.tree_util.tree_map_with_path(draw, abstract_variables(model))


def count_floats(variables: Mapping[str, Any]) -> int:
    """Number of floats in a tree of variables, including batch statistics, as a Darknet weights file counts them."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))
