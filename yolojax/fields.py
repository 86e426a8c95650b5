"""Fields of a configuration: each is declared once, with its default, its description and the values it accepts.

    coord_weight: float = field(5.0, "weight of the box term", at_least(0), used_with={"name": one_of("paper")})

Conditions on other fields are mappings of names to checks. A name without a dot is a field of the same section; a name with
dots ("model.name") starts at the whole configuration.
"""

import copy
import dataclasses
import math
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from yolojax.references import is_part, json_options

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """A condition on a value.

    Attributes:
        problem: takes a value and returns what is wrong with it ("must be at least 1"), or None.
        values: the accepted values in short (">= 1"), for the help; empty where the description of the field has to say it.
        choices: the accepted values if there is a fixed set of them.
    """

    problem: Callable[[Any], str | None]
    values: str = ""
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Depending:
    """Two checks, one of which applies, depending on another field.

    Attributes:
        other: name of the other field.
        condition: what its value decides by.
        then: the check if the condition holds.
        otherwise: the check if it does not.
    """

    other: str
    condition: Check
    then: Check
    otherwise: Check


Conditions = Mapping[str, Check]


@dataclasses.dataclass(frozen=True, slots=True)
class Required:
    """A field that must be set under certain conditions.

    Attributes:
        hint: what to do if it is not set, the end of the error message.
        conditions: the field must be set if all of them hold.
    """

    hint: str
    conditions: Conditions


@dataclasses.dataclass(frozen=True, slots=True)
class Declaration:
    """The arguments of `field` except the default."""

    doc: str
    check: Check | Depending
    used_with: Conditions
    needs: Conditions
    required: Required | None


_NO_CONDITIONS: Conditions = types.MappingProxyType({})


def field(
    default: T,
    doc: str,
    check: Check | Depending,
    *,
    used_with: Conditions = _NO_CONDITIONS,
    needs: Conditions = _NO_CONDITIONS,
    required: Required | None = None,
) -> T:
    """Declares a field of a configuration dataclass.

    Args:
        default: its default value.
        doc: its meaning and unit, as --help prints it.
        check: the values it accepts, besides its type; `any_value` for all of them.
        used_with: the field is used if one of these conditions holds; if none does, it must keep its default.
        needs: if the field differs from its default, all these conditions must hold.
        required: when it must be set.
    """
    metadata = {"declaration": Declaration(doc, check, used_with, needs, required)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class Leaf(NamedTuple):
    """A field that is not a section, with its value.

    Attributes:
        name: dotted name, from the whole configuration.
        declaration: how it was declared.
        value: its value.
    """

    name: str
    declaration: Declaration
    value: Any


def leaves(config: Any, prefix: str = "") -> Iterator[Leaf]:
    """Walks through the fields of a configuration and its sections, in the order of their declaration.

    Args:
        config: a dataclass whose fields are sections (dataclasses too) or declared with `field`.
        prefix: put before every name.

    Yields:
        Every field that is not a section.

    Raises:
        TypeError: a field without a declaration.
    """
    for member in dataclasses.fields(config):
        value = getattr(config, member.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{prefix}{member.name}.")
        elif "declaration" in member.metadata:
            yield Leaf(f"{prefix}{member.name}", member.metadata["declaration"], value)
        else:
            raise TypeError(f"{prefix}{member.name} is not declared with yolojax.fields.field")


def full_name(name: str, other: str) -> str:
    """The dotted name of a field that the declaration of the field `name` calls `other`."""
    section = name.rpartition(".")[0]
    return other if "." in other or not section else f"{section}.{other}"


def _check(accepts: Callable[[Any], Any], requirement: str, values: str = "") -> Check:
    return Check(lambda value: None if accepts(value) else f"must {requirement}", values)


any_value = Check(lambda value: None)
given = _check(bool, "be given")
empty = _check(lambda value: not value, "be empty")
zero = _check(lambda value: value == 0, "be 0", "= 0")
positive = _check(lambda value: value > 0, "be greater than 0", "> 0")
fraction = _check(lambda value: 0 < value <= 1, "be greater than 0 and at most 1", "> 0, <= 1")
below_one = _check(lambda value: 0 <= value < 1, "be at least 0 and less than 1", ">= 0, < 1")
distinct = _check(lambda value: len(set(value)) == len(value), "name every class differently")


def one_of(*choices: str) -> Check:
    """Accepts these values only."""
    names = ", ".join(choices)
    return Check(lambda value: None if value in choices else f"must be one of {names}", f"one of {names}", choices)


def one_of_or_part(*choices: str) -> Check:
    """Accepts these values, and the name of a part of the user's own, "package.module:name" (`yolojax.parts`)."""
    names = ", ".join(choices)
    return Check(
        lambda value: None if value in choices or is_part(value) else f"must be one of {names}, or package.module:name",
        f"one of {names}, or package.module:name",
        choices,
    )


def at_least(minimum: float, most: float = math.inf) -> Check:
    """Accepts numbers from a minimum up to `most`, which is far beyond what anybody needs."""

    def problem(value: float) -> str | None:
        if value < minimum:
            return f"must be at least {minimum}"
        return f"must be at most {most:,}" if value > most else None

    return Check(problem, f">= {minimum}")


def greater(minimum: float) -> Check:
    """Accepts numbers greater than a bound."""
    return _check(lambda value: value > minimum, f"be greater than {minimum}", f"> {minimum}")


def between(low: float, high: float) -> Check:
    """Accepts numbers from `low` to `high`, both included."""
    return _check(lambda value: low <= value <= high, f"lie between {low} and {high}", f"{low} to {high}")


LARGEST_INPUT = 2**26
"""Pixels of a network's input, 8192 x 8192: no network finds anything in a larger one that was made for a smaller."""


def input_size(multiple: int) -> Check:
    """Accepts a (height, width) in pixels, both multiples of a number."""
    return _check(lambda value: _is_size(value, multiple), f"be (height, width), {_described(multiple)}", _described(multiple))


def input_sizes(multiple: int) -> Check:
    """Accepts several different sizes; see `input_size`."""

    def accepts(sizes):
        return all(_is_size(size, multiple) for size in sizes) and len(set(sizes)) == len(sizes)

    return _check(accepts, f"hold different ((height, width), ...), {_described(multiple)}", _described(multiple))


def _described(multiple):
    return f"{f'multiples of {multiple}' if multiple > 1 else 'whole and positive'}, at most {LARGEST_INPUT:,} pixels"


def _is_size(value, multiple):
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(isinstance(side, int) and side > 0 and side % multiple == 0 for side in value)
        and value[0] * value[1] <= LARGEST_INPUT
    )


def _is_number(value):
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _pattern_problem(value):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what may mean something else in a later Python
            re.compile(value)
    except re.error as error:
        return f"must be a regular expression ({error})"


def _is_anchors(scales):
    def is_anchor(anchor):
        return isinstance(anchor, tuple) and len(anchor) == 2 and all(_is_number(side) and side > 0 for side in anchor)

    return all(isinstance(scale, tuple) and scale and all(map(is_anchor, scale)) for scale in scales)


def _is_drops(drops):
    def is_drop(drop):
        return isinstance(drop, tuple) and len(drop) == 2 and all(map(_is_number, drop)) and 0 < drop[0] <= 1 and drop[1] >= 0

    return all(map(is_drop, drops)) and list(drops) == sorted(drops)


def _is_layer_rates(rates):
    def is_rate(rate):
        if not (isinstance(rate, tuple) and len(rate) == 2 and isinstance(rate[0], str)):
            return False
        return not _pattern_problem(rate[0]) and _is_number(rate[1]) and rate[1] >= 0

    return all(map(is_rate, rates))


regular_expression = Check(_pattern_problem)
keyword_arguments = Check(json_options, "keyword arguments")
own_part = _check(is_part, "name a part of your own, package.module:name", "=package.module:name")
own_parts = _check(lambda names: all(map(is_part, names)), "hold names of your own functions, package.module:name")
anchors_per_scale = _check(_is_anchors, "hold ((width, height), ...) in pixels for each scale")
positive_numbers = _check(lambda values: all(value > 0 for value in values), "hold numbers greater than 0", "> 0")
rate_drops = _check(_is_drops, "hold ((share of the run, factor), ...), the shares rising and at most 1")
rates_by_layer = _check(_is_layer_rates, "hold ((regular expression, factor), ...)")
