"""Narrow networks of each kind, and the operations of a network's convolutions."""

import math

import jax
import jax.numpy as jnp

from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables

NETWORKS = {
    "yolov3": (YOLOv3(3, width=0.125), (8, 16, 32)),
    "spp": (YOLOv3(3, spp=True, width=0.125), (8, 16, 32)),
    "tiny": (YOLOv3Tiny(3, width=0.125), (16, 32)),
}


def convolution_flops(model, shape):
    """Operations of the convolutions of a forward pass of images of that shape."""
    images = jax.ShapeDtypeStruct(shape, jnp.float32)
    jaxpr = jax.make_jaxpr(lambda v, x: model.apply(v, x, train=False))(abstract_variables(model), images)
    return _convolution_flops(jaxpr.jaxpr)


def _is_jaxpr(value):
    return hasattr(value, "eqns")


def _convolution_flops(jaxpr):
    flops = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            flops += 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel[:-1])
        inner = [value for value in jax.tree.leaves(tuple(equation.params.values()), is_leaf=_is_jaxpr) if _is_jaxpr(value)]
        # The branches of a condition are the programs of a convolution for different platforms.
        if inner:
            flops += (max if equation.primitive.name == "cond" else sum)(map(_convolution_flops, inner))
    return flops
