"""Losses of means over a batch whose images lie on several devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from yolojax.runtime.devices import make_mesh
from yolojax.targets import Targets


def assert_means_are_those_of_all_devices(loss, raw, targets, *, atol):
    """Compares a loss of eight images on one device, on four by jit and by shard_map, and on each of four by itself.

    Args:
        loss: (raw, targets, axis_name=None) -> LossTerms.
        raw: raw heads of eight images.
        targets: their targets.
        atol: of the gradients.

    Returns:
        The terms on one device, and those that each device takes of its own images, each (3, 8).
    """

    def terms_of(raw, targets, axis_name=None):
        return jnp.stack(loss(raw, targets, axis_name=axis_name))

    def slopes_of(raw, targets, axis_name=None):
        return jax.grad(lambda raw: terms_of(raw, targets, axis_name).sum(0).mean())(raw)

    compiled, slopes = jax.jit(terms_of), jax.jit(slopes_of)(raw, targets)
    expected = np.asarray(compiled(raw, targets))
    mesh, part = make_mesh(jax.devices()[:4]), PartitionSpec("data")
    spread = jax.device_put((raw, targets), NamedSharding(mesh, part))
    np.testing.assert_allclose(compiled(*spread), expected, rtol=1e-5)

    def mapped(function, axis_name, out_specs):
        named = functools.partial(function, axis_name=axis_name)
        return jax.jit(jax.shard_map(named, mesh=mesh, in_specs=part, out_specs=out_specs))(raw, targets)

    by_picture = PartitionSpec(None, "data")
    np.testing.assert_allclose(mapped(terms_of, "data", by_picture), expected, rtol=1e-5)
    # Each device has the gradient of the mean over its own pictures, and these are averaged.
    for gradient, slope in zip(mapped(slopes_of, "data", part), slopes, strict=True):
        np.testing.assert_allclose(gradient / 4, slope, rtol=1e-4, atol=atol)

    # Without the name, each device takes the means of its own pictures.
    apart = mapped(terms_of, None, by_picture)
    for rows in (slice(2 * device, 2 * device + 2) for device in range(4)):
        alone = compiled(tuple(head[rows] for head in raw), Targets(*(member[rows] for member in targets)))
        np.testing.assert_allclose(apart[:, rows], alone, rtol=1e-5)
    return expected, apart
