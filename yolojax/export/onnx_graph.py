"""A network as a list of ONNX nodes, read off the program that JAX traces of it.

JAX's pictures are (B, H, W, C), ONNX's (B, C, H, W): every picture-like value is kept in the latter layout. What JAX computes
from the parameters alone (the root of the variances, say) is computed here; batch normalization becomes part of the convolution
before it. Some operations of ONNX are two of JAX, like upsampling, which repeats along a new axis and then merges it: the first
of them leaves a note, the second writes the node.
"""

from typing import NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal
from onnx import helper, numpy_helper

from yolojax.errors import InputError


class Nodes:
    """Nodes and constants of an ONNX graph, in the order of their computation."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def add(self, operation, *inputs, name=None, **attributes):
        """Appends a node with one output; returns the output's name."""
        name = name or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values, dtype=np.float32):
        """Appends a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name


class _Value(NamedTuple):
    """A picture-like value that a node computes, in the layout (B, C, H, W)."""

    name: str


class _Convolution(NamedTuple):
    """A convolution that is written when its result is needed: until then, factors and shifts go into its weights."""

    source: str
    kernel: np.ndarray  # (out, in, height, width)
    bias: np.ndarray
    attributes: dict


class _Resized(NamedTuple):
    """A value upsampled by whole factors, written when it is needed."""

    source: str
    factors: tuple  # of height, of width


class _Repeated(NamedTuple):
    """A value with a new axis after its height (1) or width (2), along which it is repeated."""

    source: _Resized
    axis: int
    shape: tuple


class _Blocks(NamedTuple):
    """A value cut into blocks (height, width), (B, H / h, h, W / w, w, C)."""

    source: str
    sides: tuple


class _Head(NamedTuple):
    """A value that leaves the network as (B, H, W, A, outputs); `source` is (B, A * outputs, H, W)."""

    source: str
    shape: tuple


def trace(model, variables, size, nodes, images):
    """Appends the nodes of a network to a graph.

    Args:
        model, variables: a network whose computations are in float32.
        size: (height, width) of its input in pixels.
        nodes: Nodes.
        images: name of the input, float32 (B, 3, H, W) in [0, 1].

    Returns:
        For each head the name of its node, (B, A * outputs, H, W), and (H, W, A, outputs).

    Raises:
        InputError: the network computes something for which there is no node here.
    """
    shape = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
    program = jax.make_jaxpr(lambda pictures: model.apply(variables, pictures, train=False))(shape)
    heads = _run(program.jaxpr, program.consts, [_Value(images)], nodes)
    if not all(isinstance(head, _Head) for head in heads):
        raise InputError("the network does not end in heads of (B, H, W, A, 5 + classes), which the ONNX export needs")
    return [(head.source, head.shape[1:]) for head in heads]


def _run(jaxpr, constants, inputs, nodes):
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *inputs], strict=True))

    def read(variable):
        return variable.val if isinstance(variable, Literal) else known[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        known.update(zip(equation.outvars, _apply(equation, operands, nodes), strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _apply(equation, operands, nodes):
    """The values of one equation, constants as arrays."""
    primitive, params = equation.primitive, equation.params
    if not any(isinstance(operand, tuple) for operand in operands):
        found = primitive.bind(*operands, **params)
        return found if primitive.multiple_results else [found]
    if primitive.name == "jit" and params["name"] != "leaky_relu":
        return _run(params["jaxpr"].jaxpr, params["jaxpr"].consts, operands, nodes)
    name = params["name"] if primitive.name == "jit" else primitive.name
    shapes = [variable.aval.shape for variable in equation.invars]
    value = NODES[name](nodes, operands, shapes, equation.outvars[0].aval.shape, params) if name in NODES else None
    if value is None:
        raise InputError(f"the network computes {name!r} in a way that the ONNX export does not know ({shapes})")
    return [value]


def _written(nodes, value):
    """The name of a value, written now if it has been put off; None for what has no layout."""
    if isinstance(value, _Value):
        return value.name
    if isinstance(value, _Convolution):
        kernel, bias = nodes.constant(value.kernel), nodes.constant(value.bias)
        return nodes.add("Conv", value.source, kernel, bias, **value.attributes)
    if isinstance(value, _Resized) and value.factors == (1, 1):
        return value.source
    if isinstance(value, _Resized):
        scales = nodes.constant([1, 1, *value.factors])
        # "asymmetric" and "floor": pixel x comes from pixel floor(x / factor).
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
        return nodes.add("Resize", value.source, "", scales, **how)
    return None


def _convolve(nodes, operands, shapes, shape, params):
    source, kernel = operands
    layout = params["dimension_numbers"]
    if (
        isinstance(kernel, tuple)
        or (layout.lhs_spec, layout.rhs_spec, layout.out_spec) != ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
        or (*params["lhs_dilation"], params["batch_group_count"]) != (1, 1, 1)
    ):
        return None
    (top, bottom), (left, right) = params["padding"]
    kernel = np.asarray(kernel).transpose(3, 2, 0, 1)
    attributes = {
        "kernel_shape": kernel.shape[2:],
        "strides": params["window_strides"],
        "pads": (top, left, bottom, right),
        "dilations": params["rhs_dilation"],
        "group": params["feature_group_count"],
    }
    return _Convolution(_written(nodes, source), kernel, np.zeros(len(kernel), np.float32), attributes)


def _add(nodes, operands, shapes, shape, params):
    if all(isinstance(operand, tuple) for operand in operands):
        return _Value(nodes.add("Add", *(_written(nodes, operand) for operand in operands))) if shapes[0] == shapes[1] else None
    convolution, shift = _channelwise(operands)
    return convolution and convolution._replace(bias=convolution.bias + shift)


def _subtract(nodes, operands, shapes, shape, params):
    convolution, shift = _channelwise(operands)
    return convolution and convolution._replace(bias=convolution.bias - shift) if operands[0] is convolution else None


def _multiply(nodes, operands, shapes, shape, params):
    convolution, factor = _channelwise(operands)
    if convolution is None:
        return None
    kernel = convolution.kernel * factor[:, None, None, None]
    return convolution._replace(kernel=kernel, bias=convolution.bias * factor)


def _channelwise(operands):
    """The convolution and the constant of a pair, one number a channel; (None, None) where it is no such pair."""
    convolution = next((operand for operand in operands if isinstance(operand, _Convolution)), None)
    constant = next((operand for operand in operands if not isinstance(operand, tuple)), None)
    channels = len(convolution.bias) if convolution else 0
    if constant is None or np.shape(constant) not in ((), (1, 1, 1, channels)):
        return None, None
    return convolution, np.broadcast_to(np.asarray(constant, np.float32).ravel(), (channels,))


def _leaky_relu(nodes, operands, shapes, shape, params):
    return _Value(nodes.add("LeakyRelu", _written(nodes, operands[0]), alpha=float(operands[1])))


def _concatenate(nodes, operands, shapes, shape, params):
    names = [_written(nodes, operand) for operand in operands]
    return _Value(nodes.add("Concat", *names, axis=1)) if params["dimension"] == 3 and all(names) else None


def _repeat(nodes, operands, shapes, shape, params):
    axis = {(0, 1, 3, 4): 1, (0, 1, 2, 4): 2}.get(params["broadcast_dimensions"])
    if axis is None:
        return None
    source = operands[0] if isinstance(operands[0], _Resized) else _Resized(_written(nodes, operands[0]), (1, 1))
    return _Repeated(source, axis, shape)


def _reshape(nodes, operands, shapes, shape, params):
    (value,), (before,) = operands, shapes
    if isinstance(value, _Repeated):
        axis, count = value.axis, before[value.axis + 1]
        if shape != (*before[:axis], before[axis] * count, *before[axis + 2 :]):
            return None
        factors = tuple(f * count if i == axis else f for i, f in enumerate(value.source.factors, start=1))
        return value.source._replace(factors=factors)
    if len(before) == 4 and len(shape) == 5 and before[:3] == shape[:3]:
        return _Head(_written(nodes, value), shape)
    if len(before) == 4 and len(shape) == 6 and (shape[1] * shape[2], shape[3] * shape[4], shape[5]) == before[1:]:
        return _Blocks(_written(nodes, value), (shape[2], shape[4]))
    return None


def _reduce_max(nodes, operands, shapes, shape, params):
    (value,) = operands
    if not isinstance(value, _Blocks) or tuple(params["axes"]) != (2, 4):
        return None
    return _Value(nodes.add("MaxPool", value.source, kernel_shape=value.sides, strides=value.sides))


def _window_max(nodes, operands, shapes, shape, params):
    one, *window, last = params["window_dimensions"]
    if {one, last, *params["base_dilation"], *params["window_dilation"]} != {1} or len(window) != 2:
        return None
    _, (top, bottom), (left, right), _ = params["padding"]
    pads, strides = (top, left, bottom, right), params["window_strides"][1:3]
    return _Value(nodes.add("MaxPool", _written(nodes, operands[0]), kernel_shape=window, strides=strides, pads=pads))


NODES = {
    "conv_general_dilated": _convolve,
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "leaky_relu": _leaky_relu,
    "concatenate": _concatenate,
    "broadcast_in_dim": _repeat,
    "reshape": _reshape,
    "reduce_max": _reduce_max,
    "reduce_window_max": _window_max,
}
