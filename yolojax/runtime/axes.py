"""Values on the named axes of `jax.pmap` and `jax.shard_map`: each device's own, or the same on all."""

import contextlib
from typing import Any

import jax
import jax.numpy as jnp

AxisName = str | tuple[str, ...]
"""The name of an axis, or the names of several."""


def varying(tree: Any, axis_name: AxisName) -> Any:
    """Gives each device arrays of its own, where `jax.shard_map` knows them to be the same on all devices.

    A gradient with respect to an array that is the same on all devices is the sum over the devices (`jax.shard_map` with
    `check_vma=True`, its default). With respect to its own arrays, each device gets the gradient of its own loss, as under
    `jax.pmap`.

    Args:
        tree: pytree of arrays.
        axis_name: the axis.

    Returns:
        The same values.
    """
    names = (axis_name,) if isinstance(axis_name, str) else axis_name

    def cast(leaf):
        for name in names:
            with contextlib.suppress(ValueError):  # it is each device's own already
                leaf = jax.lax.pcast(leaf, name, to="varying")
        return leaf

    return jax.tree.map(cast, tree)


def synchronized(tree: Any, axis_name: AxisName, *, same: bool) -> Any:
    """Averages the floating-point arrays of a tree over the devices.

    Args:
        tree: pytree of arrays.
        axis_name: the axis.
        same: whether the arrays should be the same on all devices already: only those that `jax.shard_map` knows to differ are
            averaged then.

    Returns:
        The tree.
    """

    def average(leaf):
        if not jnp.issubdtype(leaf.dtype, jnp.inexact) or (same and not _may_differ(leaf, axis_name)):
            return leaf
        return jax.lax.pmean(leaf, axis_name)

    return jax.tree.map(average, tree)


def _may_differ(leaf, axis_name):
    try:
        jax.lax.pcast(leaf, axis_name, to="varying")
    except ValueError:  # only a value that is the same on all devices can be cast
        return True
    return False
