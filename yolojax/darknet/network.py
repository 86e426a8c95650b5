"""A network of the YOLO family as a Flax module, built from the layers of its cfg."""

import os
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from yolojax.config import ModelConfig
from yolojax.darknet.cfg import Section, parse_cfg, read_cfg
from yolojax.darknet.layers import build_layers
from yolojax.darknet.sections import Context, Layer, Yolo
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.models.layers import to_unit_range
from yolojax.runtime.command import command


class DarknetNetwork(nn.Module):
    """A network built from a cfg. It is called as `YOLOv3` is, and returns raw heads in the same layout, fine to coarse.

    Heads with fewer anchors than another are padded with slots whose objectness is -1e4, a score of 0.
    In training, [dropout] draws from the random stream "dropout".

    Attributes:
        layers: as `build_layers` returns them.
        size: (height, width) of the cfg in pixels; the network also takes any other size that the cells of every head divide.
        dtype, momentum, axis_name, frozen, remat: as in `YOLOv3`.
    """

    layers: tuple[Layer, ...]
    size: tuple[int, int]
    dtype: jnp.dtype = jnp.float32
    momentum: float = 0.99
    axis_name: str | None = None
    frozen: str = ""
    remat: bool = False

    @property
    def heads(self) -> list[int]:
        """Numbers of the [yolo] layers, fine to coarse."""
        return [number for number, _ in _yolos(self.layers)]

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        (_, yolo), *_ = _yolos(self.layers)
        return yolo.classes

    @property
    def distance_power(self) -> float | None:
        """The `distance_power` of `postprocess`, from the last layer as in Darknet; None for plain suppression."""
        last = self.layers[-1].operation
        return last.distance_power if isinstance(last, Yolo) else None

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        images = to_unit_range(images, self.dtype)
        outputs = []
        for number, layer in enumerate(self.layers):
            inputs = [outputs[source] if source >= 0 else images for source in layer.sources]
            context = Context(number, train, self.dtype, self.momentum, self.axis_name, self.frozen, self.remat)
            outputs.append(layer.operation.compute(context, *inputs))
        yolos = _yolos(self.layers)
        anchors = max(len(yolo.anchors) for _, yolo in yolos)
        return tuple(yolo.slots(outputs[number], anchors) for number, yolo in yolos)


def network_from_cfg(path: str | os.PathLike[str]) -> tuple[DarknetNetwork, AnchorGrid]:
    """Builds the network that a cfg file describes, and the grid of its slots.

    Args:
        path: the cfg file.

    Returns:
        The network and its grid.

    Raises:
        InputError: with file, line, section and option: what cannot be honoured, and layers that do not fit each other.
    """
    return build_network(read_cfg(path))


def model_from_config(config: ModelConfig) -> DarknetNetwork:
    """Builds the network of a `ModelConfig` whose name is "darknet".

    Args:
        config: the configuration, with the text of a cfg and a known number of classes.

    Raises:
        InputError: there is no cfg, it cannot be honoured, or it is for another number of classes.
    """
    model, _ = _from_config(config)
    if model.num_classes != config.num_classes:
        raise InputError(
            f"config.model.cfg is for {model.num_classes} classes, but config.model.num_classes or the data has "
            f"{config.num_classes}"
        )
    return model


def grid_from_config(config: ModelConfig, size: tuple[int, int]) -> AnchorGrid:
    """Builds the grid of a `ModelConfig` whose name is "darknet".

    Args:
        config: the configuration, with the text of a cfg.
        size: (height, width) of the network's input in pixels.

    Raises:
        InputError: there is no cfg, or it cannot be honoured at this size.
    """
    return _from_config(config, size)[1]


def build_network(
    sections: list[Section], size: tuple[int, int] | None = None, **attributes: Any
) -> tuple[DarknetNetwork, AnchorGrid]:
    """Builds the network of the sections of a cfg, and the grid of its slots.

    Args:
        sections: as `parse_cfg` returns them.
        size: (height, width) of the grid's input in pixels; by default that of [net].
        attributes: attributes of `DarknetNetwork`, such as dtype and momentum.

    Returns:
        The network and its grid.

    Raises:
        InputError: as `network_from_cfg`.
    """
    size, layers = build_layers(sections, size)
    model = DarknetNetwork(layers, size, **attributes)
    yolos = [yolo for _, yolo in _yolos(layers)]
    coarsest = sections[model.heads[-1] + 1]  # [net] is not a layer
    if len({yolo.classes for yolo in yolos}) > 1:
        coarsest.fail("has a different number of classes from another [yolo]", "classes")
    if len({yolo.squared_sizes for yolo in yolos}) > 1:
        coarsest.fail("has a different new_coords from another [yolo]", "new_coords")
    anchors = max(len(yolo.anchors) for yolo in yolos)
    try:
        grid = AnchorGrid(
            size,
            tuple(size[0] // layers[number].shape[0] for number in model.heads),
            tuple(yolo.anchors + ((1, 1),) * (anchors - len(yolo.anchors)) for yolo in yolos),
            tuple(yolo.scale_x_y for yolo in yolos),
            yolos[0].squared_sizes,
        )
    except ValueError as error:
        raise InputError(f"{sections[0].path}: {error}") from None
    return model, grid


def _yolos(layers: tuple[Layer, ...]) -> list[tuple[int, Yolo]]:
    """The [yolo] layers with their numbers, fine to coarse."""
    yolos = [(number, layer.operation) for number, layer in enumerate(layers) if isinstance(layer.operation, Yolo)]
    return sorted(yolos, key=lambda item: -layers[item[0]].shape[0])


def _from_config(config: ModelConfig, size: tuple[int, int] | None = None) -> tuple[DarknetNetwork, AnchorGrid]:
    if not config.cfg:
        raise InputError(f"config.model.name is darknet, but config.model.cfg is not set; {command('import')} writes both")
    if "\n" not in config.cfg.strip():
        raise InputError(
            f"config.model.cfg is {config.cfg!r}, but it holds the text of a cfg; {command('train')} --cfg FILE reads a file"
        )
    sections = parse_cfg(config.cfg, "config.model.cfg")
    return build_network(sections, size, dtype=jnp.dtype(config.dtype), momentum=config.batch_norm_momentum)
