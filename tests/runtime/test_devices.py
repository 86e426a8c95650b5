"""Rows of batches on their way to the devices and back."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.errors import InputError
from yolojax.runtime.devices import check_devices, fetch_rows, local_rows, make_mesh, put, shardings


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(8)), st.sampled_from([1, 2, 4, 8]), st.integers(1, 3))
def test_rows_and_their_way_to_the_devices_and_back(order, count, each):
    devices = [jax.devices()[place] for place in order[:count]]
    batch_sharding = shardings(make_mesh(devices))[1]
    size = each * count
    assert local_rows(batch_sharding, size).tolist() == list(range(size))
    batch = {"a": np.arange(size * 3).reshape(size, 3), "b": np.arange(size)}
    on_devices = put(batch, batch_sharding)
    assert on_devices["a"].sharding.is_equivalent_to(batch_sharding, 2)
    for name, array in fetch_rows(on_devices).items():
        np.testing.assert_array_equal(array, batch[name])


def test_an_environment_in_which_jax_computes_passes_and_others_are_refused(monkeypatch):
    check_devices()
    for raised, words in [
        (AssertionError(), "JAX's support for it is not installed"),
        (RuntimeError("Unable to initialize backend 'x': INTERNAL: no x. (set JAX_PLATFORMS='' to choose)"), "INTERNAL: no x"),
    ]:

        def fail(error=raised):
            raise error

        monkeypatch.setattr(jax, "devices", fail)
        with pytest.raises(InputError) as caught:
            check_devices()
        assert f"({words}); set JAX_PLATFORMS=cpu" in str(caught.value)
    with jax.disable_jit(), pytest.raises(InputError, match="JAX_DISABLE_JIT is set"):
        check_devices()
