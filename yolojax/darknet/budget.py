"""What a layer of a cfg costs, from its shapes alone: layers that no machine can compute are refused before they are tried."""

import math

from yolojax.darknet.cfg import Section
from yolojax.darknet.sections import Layer
from yolojax.darknet.sections.base import Shape, shape_text
from yolojax.darknet.sections.convolution import Convolution
from yolojax.darknet.sections.pooling import MaxPool
from yolojax.runtime.memory import gib, host_memory

FLOAT = 4  # bytes
# Comparisons or multiplications of one layer for one picture. YOLOv4-P7's largest convolution takes 5e10 at 1536 x 1536 pixels,
# and the pools of spatial pyramids 1e8. Pooling is many times slower.
MOST_MULTIPLICATIONS = 10**13
MOST_COMPARISONS = 10**10


def check_cost(section: Section, layer: Layer, inputs: list[Shape]) -> None:
    """Refuses a layer that needs more memory than there is, or hours for one picture.

    Args:
        section: its section, for the message.
        layer: the layer.
        inputs: the shapes of what it reads.

    Raises:
        InputError: with file, line and section.
    """
    memory, operation = host_memory(), layer.operation
    padded = [_padded(operation, shape) for shape in inputs]
    floats = sum(map(math.prod, (*inputs, *padded, layer.shape)))
    if isinstance(operation, Convolution):
        floats += _weights(operation, inputs[0])
    if memory and FLOAT * floats > memory / 2:
        section.fail(
            f"needs {gib(FLOAT * floats)} for one picture ({' and '.join(map(shape_text, inputs))} to "
            f"{shape_text(layer.shape)}), more than half of the memory of {gib(memory)}; the numbers of this section, or "
            "the size in [net], are too large"
        )
    count, most, what = 0, 1, ""
    if isinstance(operation, Convolution):
        count, most = layer.shape[0] * layer.shape[1] * _weights(operation, inputs[0]), MOST_MULTIPLICATIONS
        what = "multiplications"
    elif isinstance(operation, MaxPool):
        count, most, what = math.prod(layer.shape) * operation.size**2, MOST_COMPARISONS, "comparisons"
    if count > most:
        section.fail(f"takes {float(count):.0e} {what} for one picture, more than {most:.0e}: make size= smaller", "size")


def _weights(operation: Convolution, shape: Shape) -> int:
    return operation.size**2 * (shape[2] // operation.groups) * operation.filters


def _padded(operation: object, shape: Shape) -> Shape:
    """The shape of an input with the zeros around it; (0, 0, 0) where there are none."""
    if isinstance(operation, Convolution) and operation.padding:
        around = 2 * operation.padding * operation.dilation
    elif isinstance(operation, MaxPool) and operation.padding:
        around = operation.padding
    else:
        return 0, 0, 0
    return shape[0] + around, shape[1] + around, shape[2]
