"""Small networks as cfg text, and random weights for them."""

from typing import Any

import jax
import numpy as np

ZOO = """[net]
width=56
height=40
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish

[convolutional]
batch_normalize=1
filters=8
size=5
groups=4
stride=1
pad=1
activation=swish

[route]
layers=-1,-2
groups=2
group_id=1

[convolutional]
filters=12
size=1
stride=1
activation=relu6

[avgpool]

[convolutional]
filters=12
size=1
stride=1
activation=logistic

[scale_channels]
from=3

[dropout]
probability=.5

[shortcut]
from=2
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=12
size=3
stride_x=1
stride_y=1
stride=1
padding=1
activation=tanh

[sam]
from=-2
activation=elu

[maxpool]
size=3
stride=2

[maxpool]
size=5
stride=1

[shortcut]
from=12,-1
activation=relu

[convolutional]
filters=21
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=2,0,1
anchors=4,6, 7,5, 20,30.5
classes=2
num=3
scale_x_y=1.2

[route]
layers=-3

[upsample]
stride=2
scale=0.5

[route]
layers=-1,-9

[activation]
activation=leaky

[convolutional]
filters=14
size=1
stride=1
pad=1
activation=linear

[yolo]
mask=0,1
anchors=4,6, 7,5, 20,30.5
classes=2
num=3
"""
"""Every section and activation, two heads with different numbers of anchors, the coarse one first, and an oblong input."""

FACE = """[net]
width=32
height=32

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

[dropout]
probability=.1

[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=30
size=1
stride=1
activation=linear

[yolo]
anchors=10,12,20,24
num=2
classes=10
"""
"""Three convolutions, ten classes, and one head of stride 4."""


CSP = """[net]
width=48
height=32

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
dilation=2
activation=mish

[convolutional]
filters=28
size=1
stride=1
pad=1
activation=logistic

[yolo]
mask=1,2,0,1
anchors=4,6,7,5,20,30
classes=2
num=3
scale_x_y=2.0
new_coords=1
nms_kind=diounms
beta_nms=0.7
"""
"""Ends as YOLOv4-CSP and YOLOv7-tiny do: sizes are squares of sigmoids, and suppression uses distances too."""


def random_floats(number: int, seed: int = 0) -> np.ndarray:
    """Draws floats, (number,) float32, that can be biases as well as variances."""
    return np.random.default_rng(seed).uniform(0.1, 0.6, number).astype("<f4")


def random_variables(variables: Any, seed: int = 0) -> Any:
    """Draws variables for the shapes of a tree.

    Kernels keep the variance of their input; everything else is between 0.5 and 1.5.

    Args:
        variables: a tree of arrays, or of their shapes.
        seed: of the draw.

    Returns:
        The same tree of float32 NumPy arrays.
    """
    rng = np.random.default_rng(seed)

    def draw(leaf):
        if len(leaf.shape) == 4:
            return (rng.standard_normal(leaf.shape) * (2 / np.prod(leaf.shape[:-1])) ** 0.5).astype(np.float32)
        return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)

    return jax.tree.map(draw, variables)
