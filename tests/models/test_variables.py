"""The number and the initial values of a network's variables."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.networks import NETWORKS
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables, count_floats, initialize


@pytest.mark.parametrize(
    "model, floats",
    [
        (YOLOv3(80), 62_001_757),
        (YOLOv3(80, spp=True), 63_052_381),
        (YOLOv3(20), 61_678_657),
        (YOLOv3Tiny(80), 8_858_734),
    ],
)
def test_floats_are_those_of_the_published_weights_files(model, floats):
    assert count_floats(abstract_variables(model)) == floats


def test_initial_values_follow_the_modules_own_initializers():
    model, _ = NETWORKS["tiny"]
    ours, again, other = initialize(model, 0), initialize(model, 0), initialize(model, 1)
    theirs = jax.jit(lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False))()
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    assert all(map(np.array_equal, jax.tree.leaves(ours), jax.tree.leaves(again)))
    for (path, a), b, c in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), jax.tree.leaves(other), strict=True
    ):
        name = jax.tree_util.keystr(path)
        assert a.shape == b.shape and a.dtype == b.dtype, name
        if path[-1].key == "kernel":
            assert not np.array_equal(a, c), name
            # Standard deviations of n draws differ by about 1 / sqrt(n) of themselves.
            assert np.std(a) == pytest.approx(float(np.std(b)), rel=6 / math.sqrt(a.size)), name
            assert abs(np.mean(a)) < 5 * np.std(a) / math.sqrt(a.size), name
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)
