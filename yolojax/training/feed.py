"""Batches onto the devices, ahead of the step that asks for them."""

import collections

import jax


def feed(batches, sharding, ahead=1):
    """Puts host batches onto the devices, `ahead` of them before they are asked for.

    Args:
        batches: iterator of (pytree of NumPy arrays, anything).
        sharding: of every array.
        ahead: how many batches wait on the devices.

    Yields:
        (pytree of device arrays, the anything). The transfers run while the device computes.
    """
    waiting = collections.deque()
    for batch, note in batches:
        waiting.append((jax.device_put(batch, sharding), note))
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting
