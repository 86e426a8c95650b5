import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from yolojax.runtime.axes import synchronized, varying
from yolojax.runtime.devices import make_mesh

pytestmark = pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")


def on_four(function, weights, rows, out, check_vma=True):
    whole, part = PartitionSpec(), PartitionSpec("data")
    specs = {"mesh": make_mesh(jax.devices()[:4]), "in_specs": (whole, part), "out_specs": (part, whole)[out == "whole"]}
    return jax.jit(jax.shard_map(function, check_vma=check_vma, **specs))(weights, rows)


@pytest.mark.parametrize("check_vma", [False, True])
def test_gradients_with_respect_to_varying_arrays_are_those_of_each_device(check_vma):
    def gradient(weight, rows):
        return jax.grad(lambda w: (w * rows).sum())(varying(varying(weight, "data"), ("data",)))[None]

    rows = np.arange(8, dtype=np.float32)
    found = on_four(gradient, jnp.ones(()), rows, "rows", check_vma)
    np.testing.assert_array_equal(found, rows.reshape(4, 2).sum(1))


def test_what_may_differ_is_averaged():
    def average(weight, rows):
        tree = {"same": weight, "own": rows.sum(), "count": jnp.int32(3)}
        return synchronized(tree, "data", same=True)

    # Without the average, shard_map would refuse to return it as the same on all devices.
    found = on_four(average, jnp.float32(0.1), np.arange(8, dtype=np.float32), "whole")
    assert found["same"] == np.float32(0.1) and found["own"] == 7 and found["count"] == 3


def test_where_nothing_is_known_everything_is_averaged_on_demand():
    def average(weight, rows):
        return synchronized({"own": rows.sum()}, "data", same=False)["own"][None]

    found = on_four(average, jnp.ones(()), np.arange(8, dtype=np.float32), "rows", check_vma=False)
    np.testing.assert_array_equal(found, [7, 7, 7, 7])
