"""Darknet's `.weights` files: a header, then the floats of one convolution after the other."""

import functools
import math
import os
import struct
from typing import NamedTuple

import flax.linen as nn
import numpy as np

from yolojax.darknet.network import DarknetNetwork
from yolojax.darknet.sections import Convolution, convolution_name
from yolojax.errors import InputError
from yolojax.models import YOLOv3, YOLOv3Tiny, abstract_variables
from yolojax.models.darknet53 import BLOCKS
from yolojax.runtime.files import open_regular


class Header(NamedTuple):
    """The version of the Darknet that wrote a file, and how many pictures its network had seen in training."""

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def layout(self):
        """The `struct` format: from version 0.2 on `seen` has 64 bits, before that 32: 20 bytes or 16."""
        long = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        return "<iiiQ" if long else "<iiiI"


class Place(NamedTuple):
    """A convolution of a network, as a weights file holds it.

    Attributes:
        path: names of the modules down to it, as in the tree of variables.
        conv: name of the convolution in there, "conv" or "head".
        kernel: shape of its kernel, (height, width, channels in a group, filters).
        batch_normalize: whether it has batch normalization; else it has a bias.
        layer: its number in Darknet's count of layers, from 0; None where that is not known.
    """

    path: tuple
    conv: str
    kernel: tuple
    batch_normalize: bool
    layer: int | None

    @property
    def floats(self):
        """How many floats of the file are its."""
        return math.prod(self.kernel) + self.kernel[3] * (4 if self.batch_normalize else 1)


class Weights(NamedTuple):
    """What was read from a weights file.

    Attributes:
        variables: {"params", "batch_stats"}, float32 NumPy arrays.
        header: Header.
        loaded: "/"-joined paths of the convolutions whose values are from the file, in its order.
    """

    variables: dict
    header: Header
    loaded: tuple


@functools.lru_cache(16)
def places(model: nn.Module) -> tuple[Place, ...]:
    """The convolutions of a network in the order of its weights file.

    Args:
        model: YOLOv3, YOLOv3Tiny or DarknetNetwork.
    """
    order = _order(model)
    params = abstract_variables(model)["params"]
    found = []
    for path, layer in order:
        module = params
        for name in path:
            module = module[name]
        (conv,) = set(module) & {"conv", "head"}
        found.append(Place(path, conv, module[conv]["kernel"].shape, "bn" in module, layer))
    return tuple(found)


def read_weights(path: str | os.PathLike, model: nn.Module) -> Weights:
    """Reads a whole weights file into the variables of its network.

    Raises:
        InputError: the file cannot be read, or is not of this network: the layer at which it ends, or what follows the last
            one, with the floats expected and found.
    """
    header, floats = _read(path)
    return _fill(path, model, header, floats, places(model))


def read_backbone(path: str | os.PathLike, model: nn.Module, variables: dict) -> Weights:
    """Reads a file of a network's first layers, such as darknet53.conv.74; the others stay as in `variables`.

    Raises:
        InputError: the file cannot be read, or does not end where a layer does.
    """
    header, floats = _read(path)
    wanted, total = [], 0
    for place in places(model):
        if total == len(floats):
            break
        wanted.append(place)
        total += place.floats
    return _fill(path, model, header, floats, wanted, variables)


def read_all_but_heads(path: str | os.PathLike, model: nn.Module, variables: dict) -> Weights:
    """Reads a file of the same network for any number of classes; the heads stay as in `variables`.

    Raises:
        InputError: the file cannot be read, or is not of this network for any number of classes.
    """
    header, floats = _read(path)
    wanted = places(model)
    classes = _classes_of(len(floats), wanted, model)
    if classes is None:
        return _fill(path, model, header, floats, wanted)  # which says where it does not fit
    here, there = 5 + model.num_classes, 5 + classes
    kept, start = [], 0
    for place in wanted:
        length = place.floats
        if place.conv == "head":
            length = length // here * there
        else:
            kept.append(floats[start : start + length])
        start += length
    return _fill(path, model, header, np.concatenate(kept), [place for place in wanted if place.conv != "head"], variables)


def write_weights(path: str | os.PathLike, model: nn.Module, variables: dict, header: Header | None = None) -> None:
    """Writes the variables of a network as a weights file.

    Args:
        path: the file.
        model: YOLOv3, YOLOv3Tiny or DarknetNetwork.
        variables: {"params", "batch_stats"}.
        header: by default that of today's Darknet, 20 bytes, with no pictures seen.

    Raises:
        InputError: the file cannot be written.
    """
    header = header or Header()
    try:
        with open(path, "wb") as file:
            file.write(struct.pack(header.layout, *header))
            for place in places(model):
                for _, leaf in _leaves(place):
                    array = np.asarray(_at(variables, leaf), np.float32)
                    file.write(_to_darknet(array).astype("<f4").tobytes())
    except OSError as error:
        raise InputError(f"{path}: the weights cannot be written: {error.strerror or error}") from error


def _order(model):
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
        raise TypeError(f"no order of Darknet's layers is known for {type(model).__name__}")
    names = [("backbone", "stem")]
    for stage, blocks in enumerate(BLOCKS, 1):
        names.append(("backbone", f"stage{stage}_down"))
        for block in range(1, blocks + 1):
            names += [("backbone", f"stage{stage}_block{block}_{part}") for part in ("reduce", "expand")]
    for stride in (32, 16, 8):
        necks = [f"neck{stride}_conv{number}" for number in range(1, 6)]
        if model.spp and stride == 32:
            necks.insert(3, "spp")
        names += [(name,) for name in (*necks, f"detect{stride}", f"head{stride}")]
        if stride > 8:
            names.append((f"up{stride}",))
    return [(name, None) for name in names]


def _leaves(place):
    """(shape in the file, path in the variables) of a convolution's arrays, in the order of the file."""
    height, width, channels, filters = place.kernel
    names = [("params", place.conv, "bias")]
    if place.batch_normalize:
        names = [("params", "bn", "bias"), ("params", "bn", "scale")]
        names += [("batch_stats", "bn", "mean"), ("batch_stats", "bn", "var")]
    vectors = [((filters,), (group, *place.path, module, name)) for group, module, name in names]
    kernel = ("params", *place.path, place.conv, "kernel")
    return [*vectors, ((filters, channels, height, width), kernel)]


def _to_darknet(array):
    """Kernels HWIO -> OIHW; vectors as they are."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def _from_darknet(array):
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array


def _at(tree, path):
    for name in path:
        tree = tree[name]
    return tree


def _read(path):
    """The Header and the floats of a file."""
    try:
        with open_regular(path) as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the weights cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) < 16:
        raise InputError(f"{path}: {len(data)} bytes are no weights file, whose header alone has 16 or 20")
    header = Header(*struct.unpack_from("<iii", data), 0)
    length = struct.calcsize(header.layout)
    if len(data) < length or (len(data) - length) % 4:
        raise InputError(
            f"{path}: after the {length} bytes of its header {len(data) - length} bytes are no whole number of floats; it is "
            "cut short or no weights file"
        )
    header = Header(*struct.unpack_from(header.layout, data))
    floats = np.frombuffer(data, "<f4", offset=length)
    return header, floats


def _fill(path, model, header, floats, wanted, variables=None):
    """Variables whose places `wanted` come from all the floats of a file; the others are copied from `variables`."""
    filled = {"params": {}, "batch_stats": {}} if variables is None else _copied(variables)
    start, everywhere = 0, places(model)
    for place in wanted:
        if len(floats) - start < place.floats:
            raise InputError(
                f"{path}: too short: {_name(place, everywhere)} needs {place.floats:,} floats, and {len(floats) - start:,} are "
                f"left of {len(floats):,}; the network has {_count(everywhere):,}{_guess(len(floats), everywhere, model)}"
            )
        for shape, leaf in _leaves(place):
            count = math.prod(shape)
            values = _from_darknet(floats[start : start + count].reshape(shape).astype(np.float32))
            branch = filled
            for name in leaf[:-1]:
                branch = branch.setdefault(name, {})
            branch[leaf[-1]] = values
            start += count
    if start < len(floats):
        raise InputError(
            f"{path}: too long: after {_name(wanted[-1], everywhere)}, the last layer, {len(floats) - start:,} floats follow: "
            f"{start:,} were expected and {len(floats):,} found{_guess(len(floats), everywhere, model)}"
        )
    return Weights(filled, header, tuple("/".join(place.path) for place in wanted))


def _copied(tree):
    return {name: _copied(part) if hasattr(part, "items") else np.array(part) for name, part in tree.items()}


def _count(wanted):
    return sum(place.floats for place in wanted)


def _name(place, everywhere):
    if place.layer is not None:
        return f"layer {place.layer} ([convolutional])"
    return f"convolution {everywhere.index(place) + 1} of {len(everywhere)} ({'/'.join(place.path)})"


def _guess(found, everywhere, model):
    classes = _classes_of(found, everywhere, model)
    if classes is None or classes == model.num_classes:
        return ""
    return f"; they fit this network for {classes} classes, and here it is for {model.num_classes}"


def _classes_of(found, everywhere, model):
    """The number of classes for which the network would have as many floats, or None."""
    heads = [place for place in everywhere if place.conv == "head"]
    rest = _count(everywhere) - _count(heads)
    per_output = _count(heads) // (5 + model.num_classes)
    if found <= rest or not per_output or (found - rest) % per_output:
        return None
    classes = (found - rest) // per_output - 5
    return classes if classes > 0 else None
