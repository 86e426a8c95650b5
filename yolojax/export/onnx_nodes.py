"""The nodes of an ONNX graph under construction, and the values between them.

JAX's images are (B, H, W, C), ONNX's (B, C, H, W): every image-like value is kept in the latter layout. Some operations of ONNX
are several of JAX, such as upsampling, which repeats along a new axis and then merges it: the first of them returns an
intermediate value, one of the classes below, and the last writes the node.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from onnx import NodeProto, TensorProto, helper, numpy_helper


class Nodes:
    """Nodes and constants of an ONNX graph, in the order of their computation.

    Attributes:
        nodes: the nodes.
        constants: the constants.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._written: dict[int, tuple[Any, str | None]] = {}

    def add(self, operation: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Appends a node with one output; returns the output's name."""
        name = name or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """Appends a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name

    def write(self, value: Any) -> Any:
        """The name of a value, whose node is written now if it was deferred; None for a value without a node of its own."""
        if isinstance(value, Value):
            return value.name
        if id(value) not in self._written:
            # The value is stored too, so that no other object can get its id.
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
            nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
            return self.add("Resize", value.source, "", scales, **nearest)
        return None


class Value(NamedTuple):
    """An image-like value that a node computes, in the layout (B, C, H, W)."""

    name: str


class Convolution(NamedTuple):
    """A convolution that is written when its result is needed; until then, factors and shifts are merged into its weights.

    Attributes:
        source: name of its input.
        kernel: (out, in, height, width) float32.
        bias: (out,) float32.
        attributes: attributes of the node.
    """

    source: str
    kernel: np.ndarray
    bias: np.ndarray
    attributes: dict[str, Any]


class Resized(NamedTuple):
    """A value upsampled by integer factors, written when it is needed.

    Attributes:
        source: name of its input.
        factors: the factors of height and of width.
    """

    source: str
    factors: tuple[int, ...]


class Repeated(NamedTuple):
    """A value repeated along a new axis.

    Attributes:
        source: the value.
        axis: the axis that the new one follows, 1 for height or 2 for width.
        shape: with the new axis, as JAX has it.
    """

    source: Resized
    axis: int
    shape: tuple[int, ...]


class Blocks(NamedTuple):
    """A value cut into blocks, (B, H / h, h, W / w, w, C).

    Attributes:
        source: name of the value.
        sides: (h, w) of a block.
    """

    source: str
    sides: tuple[int, int]


class Sum(NamedTuple):
    """The sum over all pixels of a value; divided by their number, `pixels`, it is the mean."""

    source: str
    pixels: int


class Head(NamedTuple):
    """An output of the network.

    Attributes:
        source: name of the value, (B, A * outputs, H, W).
        shape: (B, H, W, A, outputs), as JAX has it.
    """

    source: str
    shape: tuple[int, ...]
