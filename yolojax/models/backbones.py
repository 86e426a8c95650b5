"""The backbones and necks by name, and what a network says of its heads: strides and number of anchors."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.errors import InputError
from yolojax.models.csp_darknet53 import CSPDarknet53
from yolojax.models.darknet53 import Darknet53
from yolojax.models.declared import image_size, train_argument
from yolojax.models.fpn import FPN
from yolojax.models.resnet import ResNet
from yolojax.models.strides import strides_of

BACKBONES: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "darknet53": Darknet53,
        "csp_darknet53": CSPDarknet53,
        "resnet18": functools.partial(ResNet, depth=18),
        "resnet50": functools.partial(ResNet, depth=50),
    }
)
"""What makes each backbone, from keyword arguments: its fields, such as width and strides."""

NECKS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType({"fpn": FPN})
"""What makes each neck, from keyword arguments: its fields, such as width and spp."""


def model_strides(model: nn.Module) -> tuple[int, ...]:
    """Finds the strides of a network's heads without running it.

    Args:
        model: any Flax module that makes raw heads (B, H_s, W_s, A, 5 + C), fine to coarse, of images (B, H, W, 3). These have
            the size of its attribute `size`, (height, width) in pixels, or else 768 x 768.

    Returns:
        For each head, pixels of the images from one cell to the next.

    Raises:
        InputError: it returns something else, or a stride is not a whole number, or differs down and across.
    """
    return _heads(model)[0]


def model_anchors(model: nn.Module) -> int:
    """Finds the number of anchors per cell of a network's heads without running it.

    Args:
        model: as for `model_strides`.

    Returns:
        A, the same on every scale.

    Raises:
        InputError: as for `model_strides`, or the number is not the same on every scale.
    """
    return _heads(model)[1]


def _heads(model):
    """(strides, anchors per cell) of a network."""
    size = image_size(model) or (768, 768)
    images = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    train = train_argument(model, False)
    heads, _ = jax.eval_shape(lambda images: model.init_with_output(jax.random.key(0), images, **train), images)
    whose = f"the network {type(model).__name__}"
    strides = strides_of(size, heads, whose)
    if list(strides) != sorted(strides):
        raise InputError(f"{whose} returns heads of strides {strides}; it must return them fine to coarse")
    shapes = [head.shape for head in heads]
    if any(len(shape) != 5 or shape[4] < 6 for shape in shapes):
        raise InputError(
            f"{whose} must return raw heads (B, H_s, W_s, A, 5 + C), fine to coarse, not arrays of shapes {shapes}"
        )
    anchors = [shape[3] for shape in shapes]
    if len(set(anchors)) > 1:
        raise InputError(f"{whose} has {anchors} anchors per cell on its scales; every scale needs the same number")
    return strides, anchors[0]
