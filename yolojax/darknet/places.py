"""The convolutions of a network in the order in which a `.weights` file holds them."""

import functools
import math
from typing import NamedTuple

import flax.linen as nn

from yolojax.darknet.network import DarknetNetwork
from yolojax.darknet.sections import Convolution, convolution_name
from yolojax.errors import InputError
from yolojax.models import FPN, Darknet53, YOLOv3, YOLOv3Tiny, abstract_variables
from yolojax.models.darknet53 import BLOCKS


class Place(NamedTuple):
    """A convolution of a network, as a weights file holds it.

    Attributes:
        path: names of the modules down to it, as in the tree of variables.
        conv: name of the convolution in there, "conv" or "head".
        kernel: shape of its kernel, (height, width, channels in a group, filters).
        batch_normalize: whether it has batch normalization; otherwise it has a bias.
        layer: its number in Darknet's count of layers, from 0; None where that is not known.
    """

    path: tuple[str, ...]
    conv: str
    kernel: tuple[int, int, int, int]
    batch_normalize: bool
    layer: int | None

    @property
    def floats(self) -> int:
        """Number of floats that the file holds for it."""
        return math.prod(self.kernel) + self.kernel[3] * (4 if self.batch_normalize else 1)

    def arrays(self) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
        """Its arrays in the order of the file: (shape in the file, path in the tree of variables) of each."""
        height, width, channels, filters = self.kernel
        names = [("params", self.conv, "bias")]
        if self.batch_normalize:
            names = [("params", "bn", "bias"), ("params", "bn", "scale")]
            names += [("batch_stats", "bn", "mean"), ("batch_stats", "bn", "var")]
        vectors = [((filters,), (collection, *self.path, module, name)) for collection, module, name in names]
        return [*vectors, ((filters, channels, height, width), ("params", *self.path, self.conv, "kernel"))]


@functools.lru_cache(16)
def places(model: nn.Module) -> tuple[Place, ...]:
    """The convolutions of a network in the order of its weights file.

    Args:
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork.

    Raises:
        InputError: the order is known for this kind of network, but not with its backbone or neck.
        TypeError: the model is something else.
    """
    order = _order(model)
    params = abstract_variables(model)["params"]
    convolutions = []
    for path, layer in order:
        module = params
        for name in path:
            module = module[name]
        (conv,) = set(module) & {"conv", "head"}
        convolutions.append(Place(path, conv, module[conv]["kernel"].shape, "bn" in module, layer))
    return tuple(convolutions)


def _order(model: nn.Module) -> list[tuple[tuple[str, ...], int | None]]:
    """(path, number of Darknet's layer) of every convolution, in the order of the file."""
    if isinstance(model, DarknetNetwork):
        return [
            ((convolution_name(number),), number)
            for number, layer in enumerate(model.layers)
            if isinstance(layer.operation, Convolution)
        ]
    if isinstance(model, YOLOv3Tiny):
        names = [*(f"conv{stage}" for stage in range(1, 8)), "neck32", "detect32", "head32", "up32", "detect16", "head16"]
        return [((name,), None) for name in names]
    if not isinstance(model, YOLOv3):
        raise TypeError(f"the order of Darknet's layers is not known for {type(model).__name__}")
    _check_published(model)
    names = [("backbone", "stem")]
    for stage, blocks in enumerate(BLOCKS, 1):
        names.append(("backbone", f"stage{stage}_down"))
        for block in range(1, blocks + 1):
            names += [("backbone", f"stage{stage}_block{block}_{part}") for part in ("reduce", "expand")]
    for stride in (32, 16, 8):
        necks = [f"neck{stride}_conv{number}" for number in range(1, 6)]
        if stride == 32 and (model.spp or getattr(model.neck, "spp", False)):
            necks.insert(3, "spp")
        names += [(name,) for name in (*necks, f"detect{stride}", f"head{stride}")]
        if stride > 8:
            names.append((f"up{stride}",))
    return [(name, None) for name in names]


def _check_published(model):
    """Refuses a YOLOv3 with other layers than Darknet's."""
    if not isinstance(model.backbone, Darknet53 | None) or getattr(model.backbone, "strides", (8, 16, 32)) != (8, 16, 32):
        given = f"{type(model.backbone).__name__} with strides {getattr(model.backbone, 'strides', 'of its own')}"
        raise InputError(f"a .weights file can only hold YOLOv3 on Darknet53 with strides (8, 16, 32), not on {given}")
    if not isinstance(model.neck, FPN | None):
        raise InputError(f"a .weights file can only hold YOLOv3 with the neck FPN, not with {type(model.neck).__name__}")
