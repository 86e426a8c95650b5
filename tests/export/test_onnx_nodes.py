"""Nodes of an ONNX graph, which are written when their value is needed, and once."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the package onnx is not installed")

from onnx import numpy_helper

from yolojax.export.onnx_nodes import Convolution, Head, Nodes, Resized, Sum, Value


def test_a_convolution_is_written_once_with_its_weights():
    nodes = Nodes()
    kernel = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    convolution = Convolution("images", kernel, np.ones(2, np.float32), {"strides": (2, 2)})
    assert nodes.nodes == []
    name = nodes.write(convolution)
    assert nodes.write(convolution) == name
    (node,) = nodes.nodes
    assert (node.op_type, list(node.output), node.input[0]) == ("Conv", [name], "images")
    weights = {constant.name: numpy_helper.to_array(constant) for constant in nodes.constants}
    np.testing.assert_array_equal(weights[node.input[1]], kernel)
    np.testing.assert_array_equal(weights[node.input[2]], [1, 1])
    # An equal one is another node: it may have other factors later.
    assert nodes.write(Convolution(*convolution)) != name and len(nodes.nodes) == 2


def test_upsampling_by_one_is_no_node_and_other_factors_are_heights_first():
    nodes = Nodes()
    assert nodes.write(Resized("x", (1, 1))) == "x" and nodes.nodes == []
    nodes.write(Resized("x", (2, 3)))
    (node,), (scales,) = nodes.nodes, nodes.constants
    assert node.op_type == "Resize" and list(node.input) == ["x", "", scales.name]
    assert numpy_helper.to_array(scales).tolist() == [1, 1, 2, 3]


def test_values_that_only_another_operation_ends_have_no_name():
    nodes = Nodes()
    assert nodes.write(Value("x")) == "x"
    assert nodes.write(Sum("x", 12)) is None and nodes.write(Head("x", (1, 2, 2, 3, 6))) is None
    assert nodes.nodes == []


def test_names_are_unique_and_constants_have_the_type_that_is_asked_for():
    nodes = Nodes()
    names = [nodes.add("Relu", "x"), nodes.add("Relu", "x"), nodes.add("Identity", "x", name="boxes")]
    assert len(set(names)) == 3 and names[2] == "boxes"
    nodes.constant([1, 2], np.int64), nodes.constant(0.5)
    assert [numpy_helper.to_array(constant).dtype for constant in nodes.constants] == [np.int64, np.float32]
