"""Darknet's `.weights` files: a header, then the floats of one convolution after another."""

import math
import os
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np

from yolojax.darknet.places import Place, places
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular


class Header(NamedTuple):
    """The header of a weights file.

    Attributes:
        major, minor, revision: version of the Darknet that wrote it.
        seen: number of images that the network has seen in training.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def layout(self) -> str:
        """The format for `struct`: `seen` has 64 bits from version 0.2 on and 32 before, so a header has 20 bytes or 16."""
        long = self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000
        return "<iiiQ" if long else "<iiiI"


class Weights(NamedTuple):
    """What was read from a weights file.

    Attributes:
        variables: {"params", "batch_stats"}, trees of float32 NumPy arrays.
        header: the header of the file.
        loaded: "/"-joined paths of the convolutions whose values are from the file, in its order.
    """

    variables: dict[str, Any]
    header: Header
    loaded: tuple[str, ...]


def read_weights(path: str | os.PathLike[str], model: nn.Module) -> Weights:
    """Reads a whole weights file into the variables of its network.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork.

    Raises:
        InputError: the file cannot be read or is for another network. The message names the layer at which the file ends, or
            what follows the last one, with the floats expected and found.
    """
    header, floats = _read(path)
    return _fill(path, model, header, floats, places(model))


def read_backbone(path: str | os.PathLike[str], model: nn.Module, variables: Mapping[str, Any]) -> Weights:
    """Reads a file of a network's first layers, such as darknet53.conv.74.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork.
        variables: {"params", "batch_stats"}, from which the other layers are copied.

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


def read_with_own_heads(path: str | os.PathLike[str], model: nn.Module) -> tuple[Weights, int]:
    """Reads a file of the same network for any number of classes, heads included.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork, for whatever number of classes.

    Returns:
        The weights, with heads for the classes of the file, and their number.

    Raises:
        InputError: the file cannot be read, or is not of this network for any number of classes.
    """
    header, floats = _read(path)
    everything = places(model)
    classes = _classes_that_fit(len(floats), everything, model)
    if classes is None:
        return _fill(path, model, header, floats, everything), model.num_classes  # raises, with the layer that does not fit
    wanted = [_with_classes(place, model.num_classes, classes) if place.conv == "head" else place for place in everything]
    return _fill(path, model, header, floats, wanted), classes


def classes_of_file(path: str | os.PathLike[str], model: nn.Module) -> int | None:
    """The number of classes for which a network would have as many floats as a file; None if there is none.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork, for whatever number of classes.

    Raises:
        InputError: the file cannot be read.
    """
    data, size = _read_bytes(path, struct.calcsize(Header().layout))
    floats = (size - struct.calcsize(_read_header(path, data, size).layout)) // 4
    return _classes_that_fit(floats, places(model), model)


def read_all_but_heads(path: str | os.PathLike[str], model: nn.Module, variables: Mapping[str, Any]) -> Weights:
    """Reads a file of the same network, for any number of classes, without its heads.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork.
        variables: {"params", "batch_stats"}, from which the heads are copied.

    Raises:
        InputError: the file cannot be read, or is not of this network for any number of classes.
    """
    weights, _ = read_with_own_heads(path, model)
    heads = [place for place in places(model) if place.conv == "head"]
    for *branch, name in (leaf for place in heads for _, leaf in place.arrays()):
        to, source = weights.variables, variables
        for module in branch:
            to, source = to[module], source[module]
        to[name] = np.array(source[name])
    without = {"/".join(place.path) for place in heads}
    return weights._replace(loaded=tuple(name for name in weights.loaded if name not in without))


def write_weights(
    path: str | os.PathLike[str], model: nn.Module, variables: Mapping[str, Any], header: Header | None = None
) -> None:
    """Writes the variables of a network as a weights file.

    Args:
        path: the file.
        model: a YOLOv3, YOLOv3Tiny or DarknetNetwork.
        variables: {"params", "batch_stats"}.
        header: by default the header of current Darknet, 20 bytes, with no images seen.

    Raises:
        InputError: the file cannot be written.
    """
    header = header or Header()
    try:
        with open(path, "wb") as file:
            file.write(struct.pack(header.layout, *header))
            for place in places(model):
                for _, leaf in place.arrays():
                    array = variables
                    for name in leaf:
                        array = array[name]
                    file.write(_to_darknet(np.asarray(array, np.float32)).astype("<f4").tobytes())
    except OSError as error:
        raise InputError(f"{path}: the weights cannot be written: {error.strerror or error}") from error


def _to_darknet(array: np.ndarray) -> np.ndarray:
    """Kernels HWIO -> OIHW; vectors stay as they are."""
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def _from_darknet(array: np.ndarray) -> np.ndarray:
    """Kernels OIHW -> HWIO; vectors stay as they are."""
    return np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array


def _read(path: str | os.PathLike[str]) -> tuple[Header, np.ndarray]:
    """The header and the floats of a file."""
    data, size = _read_bytes(path)
    header = _read_header(path, data, size)
    return header, np.frombuffer(data, "<f4", offset=struct.calcsize(header.layout))


def _read_bytes(path: str | os.PathLike[str], most: int = -1) -> tuple[bytes, int]:
    """The first bytes of a file, all by default, and how many it has."""
    try:
        with open_regular(path) as file:
            return file.read(most), os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the weights cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _read_header(path: str | os.PathLike[str], data: bytes, size: int) -> Header:
    """The header at the beginning of a file of so many bytes."""
    if size < 16:
        raise InputError(f"{path}: {size} bytes are too few for a weights file, whose header alone has 16 or 20")
    header = Header(*struct.unpack_from("<iii", data), 0)
    length = struct.calcsize(header.layout)
    if size < length or (size - length) % 4:
        raise InputError(
            f"{path}: the {size - length} bytes after its header of {length} bytes are not a whole number of floats; "
            "the file is cut short or is not a weights file"
        )
    return Header(*struct.unpack_from(header.layout, data))


def _fill(
    path: str | os.PathLike[str],
    model: nn.Module,
    header: Header,
    floats: np.ndarray,
    wanted: Sequence[Place],
    variables: Mapping[str, Any] | None = None,
) -> Weights:
    """Fills the places `wanted` with all the floats of a file; the others are copied from `variables`."""
    filled: dict[str, Any] = {"params": {}, "batch_stats": {}} if variables is None else _copied(variables)
    start, everything = 0, places(model)
    for place in wanted:
        if len(floats) - start < place.floats:
            raise InputError(
                f"{path}: too short: {_name(place, everything)} needs {place.floats:,} floats, and {len(floats) - start:,} are "
                f"left of {len(floats):,}; the network has {_count(everything):,}{_hint(len(floats), everything, model)}"
            )
        for shape, leaf in place.arrays():
            count = math.prod(shape)
            values = _from_darknet(floats[start : start + count].reshape(shape).astype(np.float32))
            branch = filled
            for name in leaf[:-1]:
                branch = branch.setdefault(name, {})
            branch[leaf[-1]] = values
            start += count
    if start < len(floats):
        raise InputError(
            f"{path}: too long: after {_name(wanted[-1], everything)}, the last layer, {len(floats) - start:,} floats follow: "
            f"{start:,} were expected and {len(floats):,} found{_hint(len(floats), everything, model)}"
        )
    return Weights(filled, header, tuple("/".join(place.path) for place in wanted))


def _with_classes(place: Place, before: int, classes: int) -> Place:
    """A head for another number of classes."""
    *others, filters = place.kernel
    return place._replace(kernel=(*others, filters // (5 + before) * (5 + classes)))


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _copied(part) if isinstance(part, Mapping) else np.array(part) for name, part in tree.items()}


def _count(wanted: Sequence[Place]) -> int:
    return sum(place.floats for place in wanted)


def _name(place: Place, everything: Sequence[Place]) -> str:
    if place.layer is not None:
        return f"layer {place.layer} ([convolutional])"
    return f"convolution {everything.index(place) + 1} of {len(everything)} ({'/'.join(place.path)})"


def _hint(floats: int, everything: Sequence[Place], model: nn.Module) -> str:
    """The end of a message if the file fits the network for another number of classes."""
    classes = _classes_that_fit(floats, everything, model)
    if classes is None or classes == model.num_classes:
        return ""
    return f"; the file fits this network for {classes} classes, but here it is for {model.num_classes}"


def _classes_that_fit(floats: int, everything: Sequence[Place], model: nn.Module) -> int | None:
    """The number of classes for which the network would have this number of floats, or None."""
    heads = [place for place in everything if place.conv == "head"]
    rest = _count(everything) - _count(heads)
    per_output = _count(heads) // (5 + model.num_classes)
    if floats <= rest or not per_output or (floats - rest) % per_output:
        return None
    classes = (floats - rest) // per_output - 5
    return classes if classes > 0 else None
