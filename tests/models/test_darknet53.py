"""Darknet-53 against table 1 of the paper."""

import jax
import jax.numpy as jnp
import pytest

from yolojax.models import abstract_variables, initialize
from yolojax.models.darknet53 import Darknet53


@pytest.mark.parametrize("width", [1.0, 0.25])
def test_features_and_convolutions_are_those_of_the_table(width):
    model = Darknet53(width=width)
    images = jax.ShapeDtypeStruct((2, 64, 96, 3), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), images)
    features = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert [feature.shape for feature in features] == [
        (2, 64 // stride, 96 // stride, int(channels * width)) for stride, channels in ((8, 256), (16, 512), (32, 1024))
    ]
    # The 53rd layer of the paper is the classifier's.
    assert len(variables["params"]) == 52
    shapes = {name: layer["conv"]["kernel"].shape for name, layer in variables["params"].items()}
    assert sum(shape[:2] == (1, 1) for shape in shapes.values()) == 1 + 2 + 8 + 8 + 4
    assert all(shape[2] == 2 * shape[3] for shape in shapes.values() if shape[:2] == (1, 1))


def test_stride_64_is_one_more_stage_like_the_last_and_unused_stages_are_left_out():
    params = {s: abstract_variables(Darknet53(strides=s))["params"] for s in ((2, 8), (8, 16, 32), (4, 64))}
    more = params[4, 64].keys() - params[8, 16, 32].keys()
    assert {name.partition("_")[0] for name in more} == {"stage6"} and len(more) == 1 + 2 * 4
    assert params[4, 64]["stage6_block4_expand"]["conv"]["kernel"].shape == (3, 3, 512, 1024)
    assert {name.partition("_")[0] for name in params[2, 8]} == {"stem", "stage1", "stage2", "stage3"}


def test_residual_blocks_add_their_input():
    model = Darknet53(width=0.125)
    images = jax.random.uniform(jax.random.key(1), (1, 32, 32, 3))
    variables = initialize(model, 0)
    apply = jax.jit(lambda v: model.apply(v, images, train=False))
    before = apply(variables)
    # Without its second convolution a block is the identity: only the last stage of the last feature changes.
    layer = variables["params"]["stage5_block4_expand"]
    silent = jax.tree.map(jnp.zeros_like, layer)
    after = apply({**variables, "params": {**variables["params"], "stage5_block4_expand": silent}})
    other = {name: jax.tree.map(jnp.zeros_like, value) if name == "stage5_block4_reduce" else value
             for name, value in variables["params"].items()}  # fmt: skip
    assert (before[2] != after[2]).any() and (after[2] != 0).any()
    assert (before[0] == after[0]).all() and (before[1] == after[1]).all()
    assert jnp.allclose(apply({**variables, "params": other})[2], after[2], atol=1e-6)
