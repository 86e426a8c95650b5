"""JAX's operations as nodes of an ONNX graph.

Every function takes the Nodes, the operands (values of `onnx_nodes`, or arrays for constants), the operands' shapes and the
result's shape as JAX has them, and the parameters of JAX's operation. It returns a value, or None if it does not support the
case.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from yolojax.export.onnx_nodes import Blocks, Convolution, Head, Repeated, Resized, Sum, Value


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
    return Convolution(nodes.write(source), kernel, np.zeros(len(kernel), np.float32), attributes)


def _add(nodes, operands, shapes, shape, params):
    convolution, shift = _channelwise(operands)
    if convolution is None:
        return _arithmetic("Add")(nodes, operands, shapes, shape, params)
    return convolution._replace(bias=convolution.bias + shift)


def _subtract(nodes, operands, shapes, shape, params):
    convolution, shift = _channelwise(operands)
    if convolution is None or operands[0] is not convolution:
        return _arithmetic("Sub")(nodes, operands, shapes, shape, params)
    return convolution._replace(bias=convolution.bias - shift)


def _multiply(nodes, operands, shapes, shape, params):
    convolution, factor = _channelwise(operands)
    if convolution is None or factor is None:
        return _arithmetic("Mul")(nodes, operands, shapes, shape, params)
    kernel = convolution.kernel * factor[:, None, None, None]
    return convolution._replace(kernel=kernel, bias=convolution.bias * factor)


def _divide(nodes, operands, shapes, shape, params):
    dividend, divisor = operands
    if not isinstance(dividend, Sum):
        return _arithmetic("Div")(nodes, operands, shapes, shape, params)
    return Value(nodes.add("GlobalAveragePool", dividend.source)) if np.array_equal(divisor, dividend.pixels) else None


def _channelwise(operands):
    """The convolution of a pair and its constant, one number per channel; (None, None) if the pair is none of these."""
    convolution = next((operand for operand in operands if isinstance(operand, Convolution)), None)
    constant = next((operand for operand in operands if not isinstance(operand, tuple)), None)
    channels = len(convolution.bias) if convolution else 0
    if constant is None or np.shape(constant) not in ((), (1, 1, 1, channels)):
        return None, None
    return convolution, np.broadcast_to(np.asarray(constant, np.float32).ravel(), (channels,))


def _arithmetic(operation):
    """An operation on two operands, each of the result's shape, a scalar, or one number per channel."""

    def write(nodes, operands, shapes, shape, params):
        names = []
        for operand, operand_shape in zip(operands, shapes, strict=True):
            if operand_shape not in ((), shape, (shape[0], 1, 1, shape[-1])) or len(shape) != 4:
                return None
            if isinstance(operand, tuple):
                names.append(nodes.write(operand))
            elif operand_shape in ((), (1, 1, 1, shape[3])):
                names.append(nodes.constant(np.asarray(operand).reshape(1, -1, 1, 1)))
            else:
                return None
        return Value(nodes.add(operation, *names)) if all(names) else None

    return write


def _function(operation, **attributes):
    """An elementwise function."""

    def write(nodes, operands, shapes, shape, params):
        name = nodes.write(operands[0])
        return name and Value(nodes.add(operation, name, **attributes))

    return write


def _leaky_relu(nodes, operands, shapes, shape, params):
    return Value(nodes.add("LeakyRelu", nodes.write(operands[0]), alpha=float(operands[1])))


def _relu6(nodes, operands, shapes, shape, params):
    return Value(nodes.add("Clip", nodes.write(operands[0]), nodes.constant(0.0), nodes.constant(6.0)))


def _concatenate(nodes, operands, shapes, shape, params):
    names = [nodes.write(operand) for operand in operands]
    return Value(nodes.add("Concat", *names, axis=1)) if params["dimension"] == 3 and all(names) else None


def _slice(nodes, operands, shapes, shape, params):
    (before,) = shapes
    start, stop, name = params["start_indices"], params["limit_indices"], nodes.write(operands[0])
    if len(shape) != 4 or shape[:3] != before[:3] or params["strides"] not in (None, (1, 1, 1, 1)) or not name:
        return None
    return Value(nodes.add("Slice", name, *(nodes.constant([number], np.int64) for number in (start[3], stop[3], 1))))


def _pad(nodes, operands, shapes, shape, params):
    value, number = operands
    *others, (before, after, between) = params["padding_config"]
    if {*map(tuple, others)} != {(0, 0, 0)} or len(others) != 3 or before or between or isinstance(number, tuple) or number:
        return None
    if isinstance(value, Convolution) and value.attributes["group"] == 1:
        kernel, bias = (np.pad(part, [(0, after)] + [(0, 0)] * (part.ndim - 1)) for part in (value.kernel, value.bias))
        return value._replace(kernel=kernel, bias=bias)
    return Value(nodes.add("Pad", nodes.write(value), nodes.constant([0, 0, 0, 0, 0, after, 0, 0], np.int64)))


def _broadcast(nodes, operands, shapes, shape, params):
    (value,), dimensions = operands, params["broadcast_dimensions"]
    if isinstance(value, Sum):
        return value if (dimensions, shape[1:3]) == ((0, 3), (1, 1)) else None
    axis = {(0, 1, 3, 4): 1, (0, 1, 2, 4): 2}.get(dimensions)
    if axis is None:
        return None
    source = value if isinstance(value, Resized) else Resized(nodes.write(value), (1, 1))
    return Repeated(source, axis, shape)


def _reshape(nodes, operands, shapes, shape, params):
    (value,), (before,) = operands, shapes
    if isinstance(value, Repeated):
        axis, count = value.axis, before[value.axis + 1]
        if shape != (*before[:axis], before[axis] * count, *before[axis + 2 :]):
            return None
        factors = tuple(f * count if i == axis else f for i, f in enumerate(value.source.factors, start=1))
        return value.source._replace(factors=factors)
    if len(before) == 4 and len(shape) == 5 and before[:3] == shape[:3]:
        return Head(nodes.write(value), shape)
    if len(before) == 4 and len(shape) == 6 and (shape[1] * shape[2], shape[3] * shape[4], shape[5]) == before[1:]:
        return Blocks(nodes.write(value), (shape[2], shape[4]))
    return None


def _reduce_max(nodes, operands, shapes, shape, params):
    (value,) = operands
    if not isinstance(value, Blocks) or tuple(params["axes"]) != (2, 4):
        return None
    return Value(nodes.add("MaxPool", value.source, kernel_shape=value.sides, strides=value.sides))


def _reduce_sum(nodes, operands, shapes, shape, params):
    name = nodes.write(operands[0])
    return Sum(name, shapes[0][1] * shapes[0][2]) if name and tuple(params["axes"]) == (1, 2) else None


def _window_max(nodes, operands, shapes, shape, params):
    one, *window, last = params["window_dimensions"]
    if {one, last, *params["base_dilation"], *params["window_dilation"]} != {1} or len(window) != 2:
        return None
    strides, pads = params["window_strides"][1:3], []
    for axis, (side, stride) in enumerate(zip(window, strides, strict=True), start=1):
        before = params["padding"][axis][0]
        # Only as far as the last window reaches: onnxruntime refuses more padding, although it would have no effect.
        pads.append((before, max(0, (shape[axis] - 1) * stride + side - before - shapes[0][axis])))
    pads = [pad[end] for end in (0, 1) for pad in pads]
    return Value(nodes.add("MaxPool", nodes.write(operands[0]), kernel_shape=window, strides=strides, pads=pads))


NODES: dict[str, Callable[..., Any]] = {
    "conv_general_dilated": _convolve,
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "tanh": _function("Tanh"),
    "logistic": _function("Sigmoid"),
    "softplus": _function("Softplus"),
    "relu": _function("Relu"),
    "relu6": _relu6,
    "elu": _function("Elu", alpha=1.0),
    "leaky_relu": _leaky_relu,
    "concatenate": _concatenate,
    "slice": _slice,
    "pad": _pad,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "reduce_max": _reduce_max,
    "reduce_sum": _reduce_sum,
    "reduce_window_max": _window_max,
}
"""By name of JAX's operation, or of a function that JAX compiles separately, such as those of `jax.nn`."""
