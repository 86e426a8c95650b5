"""The variables of a network: their shapes, initial values and number."""

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax.errors import InputError
from yolojax.models.declared import image_size, train_argument
from yolojax.models.layers import HEAD_KERNEL_STD, objectness_prior_bias

COLLECTIONS = ("params", "batch_stats")


def abstract_variables(model: nn.Module, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Shapes and dtypes of a network's variables, without running it.

    Args:
        model: any Flax module that takes images.
        size: (height, width) in pixels of images that it takes; by default its attribute `size`, or (32, 32).

    Returns:
        {"params", "batch_stats"}, trees of `jax.ShapeDtypeStruct`.

    Raises:
        InputError: the network has variables of another kind.
    """
    return jax.eval_shape(lambda: _init(model, 0, size))


def initialize(model: nn.Module, seed: int, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Draws the initial variables of a network on the host, without running it.

    `model.init` runs or compiles the whole forward pass to learn the shapes; here they come from an abstract evaluation. In the
    layers of this package the values come from NumPy, in the distributions of the modules' own initializers. All other
    parameters get the very values of `model.init(jax.random.key(seed), ...)`; only their initializers are compiled.

    Args:
        model: any Flax module that takes images.
        seed: seed of the random numbers.
        size: as for `abstract_variables`.

    Returns:
        {"params", "batch_stats"}, trees of NumPy arrays; in the layers of this package float32, and the same for the same seed
        on every platform.

    Raises:
        InputError: the network has variables of another kind.
    """
    layers: dict[tuple[str, ...], int | None] = {}
    with nn.intercept_methods(lambda *call: _note_layer(layers, *call)):
        abstract = abstract_variables(model, size)
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        *layer, module, name = (jax.tree_util.keystr((key,), simple=True) for key in path)
        layer = tuple(layer[1:])
        if layer not in layers or leaf.ndim != (4 if name == "kernel" else 1):
            return None
        if name == "kernel" and module == "head":
            return HEAD_KERNEL_STD * rng.standard_normal(leaf.shape, np.float32)
        if name == "kernel":
            # He et al. 2015, arXiv:1502.01852, equation 10.
            return math.sqrt(2 / math.prod(leaf.shape[:-1])) * rng.standard_normal(leaf.shape, np.float32)
        if name == "bias" and module == "head":
            num_classes = layers[layer]
            return None if num_classes is None else np.asarray(objectness_prior_bias(5 + num_classes)(None, leaf.shape))
        return (np.ones if name in ("scale", "var") else np.zeros)(leaf.shape, np.float32)

    drawn = jax.tree_util.tree_map_with_path(draw, abstract)
    leaves, tree = jax.tree.flatten(drawn, is_leaf=lambda leaf: leaf is None)
    others = [place for place, leaf in enumerate(leaves) if leaf is None]
    if others:

        @jax.jit
        def own_values():
            values = jax.tree.leaves(_init(model, seed, size))
            return [values[place] for place in others]

        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            values = jax.device_get(own_values())
        for place, value in zip(others, values, strict=True):
            leaves[place] = value
    return tree.unflatten(leaves)


def count_floats(variables: Mapping[str, Any]) -> int:
    """Number of floats in a tree of variables, including batch statistics, as a Darknet weights file counts them."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))


def _init(model, seed, size):
    """`model.init` with both collections; to be traced."""
    # A network built from a cfg has a size that its layers fit; ours take any.
    size = size or image_size(model) or (32, 32)
    variables = model.init(jax.random.key(seed), jnp.zeros((1, *size, 3), jnp.float32), **train_argument(model, False))
    # What `sow` and `perturb` make is for looking at, and not needed to run.
    others = variables.keys() - {*COLLECTIONS, "intermediates", "perturbations"}
    if others:
        kinds = ", ".join(sorted(others))
        raise InputError(
            f"{type(model).__name__} has variables of the kind {kinds}; only {' and '.join(COLLECTIONS)} can be trained"
        )
    return {name: nn.meta.unbox(variables.get(name, {})) for name in COLLECTIONS}


def _note_layer(layers, next_function, args, kwargs, context):
    """Notes the path of each layer that is `drawn_on_host`, with the number of classes of the network around it."""
    module = context.module
    # Its own class must say it: a subclass may do something else.
    if context.method_name == "__call__" and vars(type(module)).get("drawn_on_host"):
        around = module
        while around is not None and not hasattr(around, "num_classes"):
            around = around.parent
        layers[module.path] = getattr(around, "num_classes", None)
    return next_function(*args, **kwargs)
