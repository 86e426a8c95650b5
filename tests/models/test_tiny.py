"""YOLOv3-tiny: its input, its dtypes, and what it says before it is trained."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.networks import NETWORKS
from yolojax.models import YOLOv3Tiny, initialize


def test_bytes_and_floats_in_the_unit_range_are_the_same_picture():
    model, _ = NETWORKS["tiny"]
    variables = initialize(model, 0)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    forward = jax.jit(lambda x: model.apply(variables, x, train=False))
    for a, b in zip(forward(images), forward(images.astype(np.float32) / 255), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_bfloat16_computes_in_bfloat16_and_keeps_parameters_and_heads_in_float32():
    model = YOLOv3Tiny(3, width=0.125, dtype=jnp.bfloat16)
    variables = initialize(model, 0)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}
    images = jnp.ones((1, 32, 32, 3))
    forward = jax.jit(functools.partial(model.apply, train=False))
    assert "bf16[1,32,32,4]" in str(jax.make_jaxpr(forward)(variables, images))
    assert {head.dtype for head in forward(variables, images)} == {jnp.dtype(jnp.float32)}


def test_an_untrained_network_says_that_one_slot_in_a_hundred_holds_an_object():
    model, _ = NETWORKS["tiny"]
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    raw = jax.jit(functools.partial(model.apply, train=False))(initialize(model, 0), images)
    for head in raw:
        assert float(jax.nn.sigmoid(head[..., 4]).mean()) == pytest.approx(0.01, rel=0.2)
