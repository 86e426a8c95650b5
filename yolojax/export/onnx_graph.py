"""A network as a list of ONNX nodes, translated from the program that JAX traces.

Whatever depends on the parameters alone (the root of the variances, for example) is computed during the translation; batch
normalization becomes part of the convolution before it.
"""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.extend.core import Literal

from yolojax.errors import InputError
from yolojax.export.onnx_nodes import Head, Nodes, Value
from yolojax.export.onnx_operations import NODES
from yolojax.inference import raw_heads


def trace(
    model: nn.Module, variables: dict[str, Any], size: tuple[int, int], nodes: Nodes, images: str
) -> list[tuple[str, tuple[int, ...]]]:
    """Appends the nodes of a network to a graph.

    Args:
        model: a network that computes in float32.
        variables: {"params", "batch_stats"} of the network.
        size: (height, width) of its input in pixels.
        nodes: the nodes of the graph.
        images: name of the input, float32 (B, 3, H, W) in [0, 1].

    Returns:
        For each head the name of its node, which is (B, A * outputs, H, W), and its shape (H, W, A, outputs).

    Raises:
        InputError: the network computes something that cannot be translated.
    """
    shape = jax.ShapeDtypeStruct((1, *size, 3), np.float32)
    program = jax.make_jaxpr(lambda images: raw_heads(model, variables, images))(shape)
    outputs = _run(program.jaxpr, program.consts, [Value(images)], nodes)
    heads = [output for output in outputs if isinstance(output, Head)]
    if len(heads) < len(outputs):
        raise InputError("the network does not end in heads of (B, H, W, A, 5 + classes), which the ONNX export needs")
    return [(head.source, head.shape[1:]) for head in heads]


def _run(jaxpr, constants, inputs, nodes):
    """The outputs of a jaxpr: values of the graph, or arrays if they depend on constants alone."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *inputs], strict=True))

    def read(variable):
        return variable.val if isinstance(variable, Literal) else known[variable]

    for equation in jaxpr.eqns:
        operands = [read(variable) for variable in equation.invars]
        known.update(zip(equation.outvars, _apply(equation, operands, nodes), strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _apply(equation, operands, nodes):
    """The outputs of one equation: values of the graph, or arrays if they depend on constants alone."""
    primitive, params = equation.primitive, equation.params
    if primitive.name == "platform_index":  # of what is computed on all platforms but some
        return [np.int32(params["platforms"].index(None))]
    if primitive.name == "cond" and not isinstance(operands[0], tuple):
        chosen = params["branches"][int(operands[0])]
        return _run(chosen.jaxpr, chosen.consts, operands[1:], nodes)
    if not any(isinstance(operand, tuple) for operand in operands):
        result = primitive.bind(*operands, **params)
        return result if primitive.multiple_results else [result]
    name = params["name"] if primitive.name == "jit" else primitive.name
    inner = {"jit": "jaxpr", "custom_jvp_call": "call_jaxpr"}.get(primitive.name)
    if inner and name not in NODES:
        return _run(params[inner].jaxpr, params[inner].consts, operands, nodes)
    if primitive.name in ("checkpoint", "remat2"):
        return _run(params["jaxpr"], (), operands, nodes)
    shapes = [variable.aval.shape for variable in equation.invars]
    value = NODES[name](nodes, operands, shapes, equation.outvars[0].aval.shape, params) if name in NODES else None
    if value is None:
        raise InputError(f"the network computes {name!r} in a way that the ONNX export does not support ({shapes})")
    return [value]
