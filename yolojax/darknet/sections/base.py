"""What the sections of a cfg have in common: how they declare options, are built, compute, and are registered.

A new section is one subclass of `Operation` under `@register`, in a module that `yolojax.darknet.sections` imports.
"""

import abc
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from yolojax.darknet.cfg import Section

Shape = tuple[int, int, int]
"""(height, width, channels)."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The options that a section accepts; all others are refused.

    Attributes:
        honoured: names of the options that shape the network.
        training: names of the options that only matter to Darknet's training; they are accepted and have no effect.
        neutral: options that would change what the network finds, each with the values that do not; any other value is
            refused.
    """

    honoured: frozenset[str]
    training: frozenset[str]
    neutral: Mapping[str, tuple[str, ...]]

    def check(self, section: Section) -> None:
        """Refuses a section with an option that cannot be honoured.

        Raises:
            InputError: an unknown option, a value that changes what the network finds, or an option given twice with different
                values; with file, line, section and option.
        """
        for option, (text, _) in section.options.items():
            if option in self.neutral:
                if text not in self.neutral[option]:
                    only = " or ".join(self.neutral[option])
                    section.fail(f"{option}={text} changes what the network finds and is not supported; only {only} is", option)
            elif option not in self.honoured and option not in self.training:
                section.fail(
                    f"{option}={text} is not an option that yolojax knows; remove it if it only matters to training", option
                )
        for option, line in section.repeated:
            if option not in self.training:
                section.fail(f"{option}= is given again on line {line} with another value; remove one of them", option)


def options(honoured: str = "", training: str = "", neutral: Mapping[str, tuple[str, ...]] | None = None) -> Options:
    """The options of [net], from names separated by spaces; see `Options`."""
    return Options(frozenset(honoured.split()), frozenset(training.split()), MappingProxyType(neutral or {}))


def layer_options(honoured: str = "", training: str = "", neutral: Mapping[str, tuple[str, ...]] | None = None) -> Options:
    """The options of a layer: those given, as in `options`, and those that every layer accepts."""
    training += " stopbackward onlyforward dont_update burnin_update train_only_bn learning_rate clip smooth truth"
    return options(honoured, training, {**(neutral or {}), **dict.fromkeys(("dontload", "dontloadscales", "dontsave"), ("0",))})


class Layer(NamedTuple):
    """A layer of a network: static and hashable.

    Attributes:
        operation: what it computes.
        sources: numbers of the layers that it reads, from 0; -1 is the image.
        shape: the shape of its output.
    """

    operation: "Operation"
    sources: tuple[int, ...]
    shape: Shape


class LayersBefore:
    """The input and the layers that precede a section.

    Attributes:
        size: (height, width) of the input in pixels.
        layers: the layers so far, in order.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self.layers: list[Layer] = []

    def previous(self) -> tuple[int, Shape]:
        """The number of the last layer and the shape of its output; -1 and the shape of the image if there is no layer."""
        return len(self.layers) - 1, self.layers[-1].shape if self.layers else (*self.size, 3)

    def named(self, section: Section, option: str, count: int | None = None) -> tuple[int, ...]:
        """The numbers of the layers that an option names; negative ones count back from the section's own layer.

        Args:
            section: the section of the option.
            option: its name.
            count: how many layers it must name; any number by default.

        Raises:
            InputError: the option is missing, is not whole numbers, or names a layer that does not come before the section.
        """
        sources = []
        for number in section.wholes(option):
            source = number + len(self.layers) if number < 0 else number
            if not 0 <= source < len(self.layers):
                section.fail(f"{option}={number} names layer {source}, but this is layer {len(self.layers)}", option)
            sources.append(source)
        if count and len(sources) != count:
            section.fail(f"{option}={section.text(option)} must name {count} layer", option)
        return tuple(sources)


class Context(NamedTuple):
    """What an operation needs to compute, besides its inputs.

    Attributes:
        number: the number of its layer, from 0.
        train: whether the network is being trained.
        dtype: the dtype of the computation.
        momentum: the momentum of the running batch statistics.
        axis_name: the pmap or shard_map axis over which batch statistics are taken, if any.
        frozen: regular expression of the layers, by path, whose batch statistics are held in training; "" for none.
        remat: whether the gradient computes the layer anew instead of keeping what is inside it.
    """

    number: int
    train: bool
    dtype: jnp.dtype
    momentum: float
    axis_name: str | None
    frozen: str
    remat: bool


class Operation(abc.ABC):
    """A section after [net]: the options it accepts, how it is built from them, and what it computes.

    Subclasses are frozen dataclasses. Their fields are hashable, because networks are static arguments of compiled functions.

    Attributes:
        cfg_name: the section's name in a cfg, as in `[cfg_name]`.
        options: the options that the section accepts.
    """

    cfg_name: str
    options: Options

    @classmethod
    @abc.abstractmethod
    def build(cls, section: Section, before: LayersBefore) -> Layer:
        """Builds the layer of a section whose options have been checked.

        Args:
            section: the section.
            before: the layers before it. A section may replace a layer there, as [yolo] turns a convolution into a head.

        Raises:
            InputError: with file, line, section and option: a value that cannot be honoured, or inputs that do not fit.
        """

    @abc.abstractmethod
    def compute(self, context: Context, *inputs: jax.Array) -> jax.Array:
        """Computes the layer inside `DarknetNetwork.__call__`, where Flax modules can be created.

        Args:
            context: the layer's number and how the network computes.
            inputs: outputs of the layer's sources, each (B, height, width, channels).

        Returns:
            (B, height, width, channels), of the layer's shape.
        """


OPERATIONS: dict[str, type[Operation]] = {}
"""The registered sections after [net], by their names in a cfg."""

AnyOperation = TypeVar("AnyOperation", bound=type[Operation])


def register(operation: AnyOperation) -> AnyOperation:
    """Registers a section under its `cfg_name`; a class decorator.

    Raises:
        ValueError: the name is taken.
    """
    if operation.cfg_name in OPERATIONS:
        raise ValueError(f"[{operation.cfg_name}] is registered already, as {OPERATIONS[operation.cfg_name].__name__}")
    OPERATIONS[operation.cfg_name] = operation
    return operation


def shape_text(shape: Shape) -> str:
    """A shape for messages, as in "8 x 8 x 6"."""
    return " x ".join(map(str, shape))


def read_strides(section: Section) -> tuple[int, int]:
    """The strides (down, across) of a section's windows in pixels, 1 by default.

    Raises:
        InputError: they are not whole numbers from 1.
    """
    stride = section.whole("stride", 1, minimum=1)
    return section.whole("stride_y", stride, minimum=1), section.whole("stride_x", stride, minimum=1)


def count_windows(size: tuple[int, int], padding: int, window: int, strides: tuple[int, int]) -> tuple[int, int]:
    """How many windows fit (down, across).

    Args:
        size: (height, width) of the input in pixels.
        padding: pixels on both sides in total.
        window: side of the square window in pixels.
        strides: (down, across) in pixels.
    """
    (height, width), (down, across) = size, strides
    return (height + padding - window) // down + 1, (width + padding - window) // across + 1
