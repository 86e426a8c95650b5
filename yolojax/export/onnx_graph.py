"""A network as a list of ONNX nodes, read off the program that JAX traces of it.

What JAX computes from the parameters alone (the root of the variances, say) is computed here; batch normalization becomes part
of the convolution before it.
"""

import jax
import numpy as np
from jax.extend.core import Literal

from yolojax.errors import InputError
from yolojax.export.onnx_nodes import Head, Value
from yolojax.export.onnx_operations import NODES


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
    heads = _run(program.jaxpr, program.consts, [Value(images)], nodes)
    if not all(isinstance(head, Head) for head in heads):
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
    name = params["name"] if primitive.name == "jit" else primitive.name
    inner = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr"}.get(primitive.name)
    if inner and name not in NODES:
        return _run(params[inner].jaxpr, params[inner].consts, operands, nodes)
    shapes = [variable.aval.shape for variable in equation.invars]
    value = NODES[name](nodes, operands, shapes, equation.outvars[0].aval.shape, params) if name in NODES else None
    if value is None:
        raise InputError(f"the network computes {name!r} in a way that the ONNX export does not know ({shapes})")
    return [value]
