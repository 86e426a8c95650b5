"""YOLOv3 and its variants: FLOPs, shapes, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.networks import NETWORKS, convolution_flops
from yolojax.models import YOLOv3, YOLOv3Tiny, initialize


@pytest.mark.parametrize("model, flops", [(YOLOv3(80), 65.86e9), (YOLOv3Tiny(80), 5.56e9)])
def test_flops_of_the_convolutions_are_those_that_darknet_prints(model, flops):
    assert convolution_flops(model, (1, 416, 416, 3)) == pytest.approx(flops, rel=2e-3)


@pytest.mark.parametrize("name", [n if n == "tiny" else pytest.param(n, marks=pytest.mark.slow) for n in NETWORKS])
def test_forward_backward_shapes_and_a_gradient_for_every_parameter(name):
    model, strides = NETWORKS[name]
    variables = initialize(model, 0)
    height, width = 64, 96
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8))

    def objective(params):
        raw, updates = model.apply(
            {"params": params, "batch_stats": variables["batch_stats"]}, images, train=True, mutable=["batch_stats"]
        )
        return sum((head**2).mean() for head in raw), (raw, updates["batch_stats"])

    gradients, (raw, batch_stats) = jax.device_get(jax.jit(jax.grad(objective, has_aux=True))(variables["params"]))
    assert [head.shape for head in raw] == [(2, height // s, width // s, 3, 8) for s in strides]
    assert all(head.dtype == np.float32 and np.isfinite(head).all() for head in raw)
    for path, gradient in jax.tree_util.tree_leaves_with_path(gradients):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, jax.tree_util.keystr(path)
    for old, new in zip(jax.tree.leaves(variables["batch_stats"]), jax.tree.leaves(batch_stats), strict=True):
        assert (old != new).any()
