"""Networks that JAX traces become nodes, or are refused by the name of what they compute."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.errors import InputError
from yolojax.models.layers import ConvBN, Head

pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import numpy_helper

from yolojax.export.onnx_graph import trace
from yolojax.export.onnx_nodes import Nodes

SIZE = (4, 6)


class Network(nn.Module):
    """A convolution, something between, and a head."""

    middle: str

    @nn.compact
    def __call__(self, images, *, train):
        x = ConvBN(4, 3, name="first")(images, train=train)
        if self.middle == "sort":
            x = jnp.sort(x, axis=-1)
        if self.middle == "no head":
            return (x,)
        return (Head(num_classes=2, anchors=3, name="last")(x),)


def traced(middle):
    model, nodes = Network(middle), Nodes()
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32),
        model.init(jax.random.key(0), jnp.zeros((1, *SIZE, 3)), train=False),
    )
    return variables, nodes, trace(model, variables, SIZE, nodes, "images")


def test_batch_normalization_becomes_part_of_the_convolution():
    variables, nodes, ((name, shape),) = traced("nothing")
    assert [node.op_type for node in nodes.nodes] == ["Conv", "LeakyRelu", "Conv"]
    assert name == nodes.nodes[-1].output[0] and shape == (*SIZE, 3, 7)
    weights = {constant.name: numpy_helper.to_array(constant) for constant in nodes.constants}
    params, stats = variables["params"]["first"], variables["batch_stats"]["first"]["bn"]
    factor = params["bn"]["scale"] / np.sqrt(stats["var"] + 1e-5)
    kernel = (params["conv"]["kernel"] * factor).transpose(3, 2, 0, 1)
    np.testing.assert_allclose(weights[nodes.nodes[0].input[1]], kernel, rtol=1e-5)
    np.testing.assert_allclose(weights[nodes.nodes[0].input[2]], params["bn"]["bias"] - stats["mean"] * factor, rtol=1e-4)


def test_what_cannot_be_translated_is_named():
    with pytest.raises(InputError, match="the network computes 'sort' in a way that the ONNX export does not support"):
        traced("sort")
    with pytest.raises(InputError, match="the network does not end in heads"):
        traced("no head")
