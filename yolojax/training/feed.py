"""Batches onto the devices, ahead of the step that asks for them; each process holds the rows of its own devices."""

import collections

import jax
import numpy as np


def feed(batches, sharding, ahead=1):
    """Puts host batches onto the devices, `ahead` of them before they are asked for.

    Args:
        batches: iterator of (pytree of NumPy arrays, anything); the arrays have the rows of `local_rows`.
        sharding: of every array.
        ahead: how many batches wait on the devices.

    Yields:
        (pytree of device arrays, the anything). The transfers run while the device computes.
    """
    waiting = collections.deque()
    for batch, note in batches:
        waiting.append((put(batch, sharding), note))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def local_rows(sharding, batch_size):
    """The rows of a batch that the devices of this process hold: (n,) integers, ascending."""
    slices = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([np.arange(batch_size)[rows] for (rows,) in slices]))


def put(tree, sharding):
    """Puts arrays of the host onto the devices of all processes.

    Args:
        tree: pytree of arrays; of a split batch the rows of `local_rows`, of what is replicated the whole, alike everywhere.
        sharding: of every array.

    Returns:
        The pytree of global arrays.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda array: jax.make_array_from_process_local_data(sharding, np.asarray(array)), tree)


def fetch_rows(batch):
    """The rows of this process, NumPy arrays in ascending order, of a pytree of global arrays split over their first axis."""
    if jax.process_count() == 1:
        return jax.device_get(batch)

    def pieces(array):
        return [shard.data for shard in sorted(array.addressable_shards, key=lambda shard: shard.index[0].start or 0)]

    fetched = jax.device_get(jax.tree.map(pieces, batch))
    return jax.tree.map(np.concatenate, fetched, is_leaf=lambda node: isinstance(node, list))
