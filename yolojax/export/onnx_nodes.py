"""The nodes of an ONNX graph while it is made, and the values between them.

JAX's pictures are (B, H, W, C), ONNX's (B, C, H, W): every picture-like value is kept in the latter layout. Some operations of
ONNX are several of JAX, like upsampling, which repeats along a new axis and then merges it: the first of them leaves a note,
one of the kinds of values here, the last writes the node.
"""

from typing import NamedTuple

import numpy as np
from onnx import helper, numpy_helper


class Nodes:
    """Nodes and constants of an ONNX graph, in the order of their computation."""

    def __init__(self):
        self.nodes, self.constants, self._written = [], [], {}

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

    def write(self, value):
        """The name of a value, whose node is written now if it has been put off; None for what has no layout."""
        if isinstance(value, Value):
            return value.name
        if id(value) not in self._written:
            # The value too is kept: its id must not become another one's.
            self._written[id(value)] = value, self._write(value)
        return self._written[id(value)][1]

    def _write(self, value):
        if isinstance(value, Convolution):
            return self.add("Conv", value.source, self.constant(value.kernel), self.constant(value.bias), **value.attributes)
        if isinstance(value, Resized) and value.factors == (1, 1):
            return value.source
        if isinstance(value, Resized):
            scales = self.constant([1, 1, *value.factors])
            # "asymmetric" and "floor": pixel x comes from pixel floor(x / factor).
            how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
            return self.add("Resize", value.source, "", scales, **how)
        return None


class Value(NamedTuple):
    """A picture-like value that a node computes, in the layout (B, C, H, W)."""

    name: str


class Convolution(NamedTuple):
    """A convolution that is written when its result is needed: until then, factors and shifts go into its weights."""

    source: str
    kernel: np.ndarray  # (out, in, height, width)
    bias: np.ndarray
    attributes: dict


class Resized(NamedTuple):
    """A value upsampled by whole factors, written when it is needed."""

    source: str
    factors: tuple  # of height, of width


class Repeated(NamedTuple):
    """A value with a new axis after its height (1) or width (2), along which it is repeated."""

    source: Resized
    axis: int
    shape: tuple


class Blocks(NamedTuple):
    """A value cut into blocks (height, width), (B, H / h, h, W / w, w, C)."""

    source: str
    sides: tuple


class Sum(NamedTuple):
    """The sum over all `count` pixels of a value; divided by that number, their mean."""

    source: str
    count: int


class Head(NamedTuple):
    """A value that leaves the network as (B, H, W, A, outputs); `source` is (B, A * outputs, H, W)."""

    source: str
    shape: tuple
