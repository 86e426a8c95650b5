"""What the layers of a cfg can be: operations, static and hashable."""

from typing import NamedTuple

ACTIVATIONS = ("linear", "leaky", "relu", "relu6", "mish", "swish", "logistic", "tanh", "elu")


class Convolution(NamedTuple):
    """A convolution of `filters` square kernels, with batch normalization or a bias, and an activation; head: of a [yolo].

    dilation: pixels from one weight of the kernel to the next.
    """

    filters: int
    size: int
    strides: tuple
    padding: int
    groups: int
    batch_normalize: bool
    activation: str
    head: bool
    dilation: int = 1


class MaxPool(NamedTuple):
    """Max-pooling; padding: of both sides together, the smaller half before."""

    size: int
    strides: tuple
    padding: int


class AveragePool(NamedTuple):
    """The mean over all pixels, 1 x 1."""


class Shortcut(NamedTuple):
    """A sum; of an input with other channels than the first one, as many as both have are added."""

    activation: str


class Route(NamedTuple):
    """Channels one behind the other, of each input those of group `group` out of `groups`."""

    groups: int
    group: int


class Upsample(NamedTuple):
    """Nearest-neighbour upsampling, times a number."""

    stride: int
    scale: float


class Scale(NamedTuple):
    """A product of two inputs, the second of which may be 1 x 1 (squeeze and excitation)."""

    activation: str


class Activation(NamedTuple):
    """An activation by itself."""

    activation: str


class Dropout(NamedTuple):
    """Dropout, in training alone."""

    probability: float


class Yolo(NamedTuple):
    """A head: anchors ((width, height), ...) in pixels of its own mask, and the scale of the sigmoid of x and y.

    squared_sizes: as of `AnchorGrid`; distance_power: of `postprocess`.
    """

    anchors: tuple
    classes: int
    scale_x_y: float
    squared_sizes: bool = False
    distance_power: float | None = None


class Layer(NamedTuple):
    """An operation, the numbers of the layers that it reads (-1: the picture), and its output (height, width, channels)."""

    operation: tuple
    sources: tuple
    shape: tuple
