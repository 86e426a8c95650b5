"""Darknet's `.cfg` files: sections of options, each with its line."""

import math
import os
import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn, TypeVar

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool"}
"""Other spellings of sections' names."""

MOST_SECTIONS = 10_000

Number = TypeVar("Number", int, float)


class Option(NamedTuple):
    """An option of a section.

    Attributes:
        text: its value, without spaces.
        line: its line in the file, from 1.
    """

    text: str
    line: int


class Section(NamedTuple):
    """A section of a cfg file.

    Attributes:
        path: the file, for messages.
        name: as in `[name]`, in its usual spelling.
        line: the line of its header, from 1.
        options: options by name; the first where one is given twice, as in Darknet.
        repeated: (name, line) of options given again with another value.
    """

    path: str
    name: str
    line: int
    options: dict[str, Option]
    repeated: list[tuple[str, int]]

    def fail(self, problem: str, option: str | None = None) -> NoReturn:
        """Raises the InputError that names file, line and section.

        Args:
            problem: what is wrong and what to do about it.
            option: the option whose line is named; by default, or if the section lacks it, the line of the section.

        Raises:
            InputError: always.
        """
        line = self.options[option].line if option in self.options else self.line
        raise InputError(f"{self.path}:{line}: [{self.name}] {problem}")

    def text(self, option: str, default: str | None = None) -> str:
        """The text of an option.

        Args:
            option: its name.
            default: what a section without the option has; None if it must be given.

        Raises:
            InputError: the option is missing and has no default.
        """
        if option not in self.options:
            if default is None:
                self.fail(f"has no {option}=")
            return default
        return self.options[option].text

    def whole(self, option: str, default: int | None = None, minimum: int | None = None) -> int:
        """The whole number of an option.

        Args:
            option: its name.
            default: as in `text`.
            minimum: the least number allowed; any by default.

        Raises:
            InputError: the option is missing and has no default, is not one whole number, or is below the minimum.
        """
        (value,) = self._numbers(option, int, "a whole number", default, 1)
        if minimum is not None and value < minimum:
            self.fail(f"{option}={value} must be at least {minimum}", option)
        return value

    def wholes(self, option: str) -> tuple[int, ...]:
        """The whole numbers of an option, separated by commas.

        Raises:
            InputError: the option is missing, or holds something else.
        """
        return self._numbers(option, int, "whole numbers between commas")

    def number(self, option: str, default: float | None = None) -> float:
        """The finite number of an option; `default` as in `text`.

        Raises:
            InputError: the option is missing and has no default, or is not one finite number.
        """
        (value,) = self._numbers(option, float, "a number", default, 1)
        return value

    def numbers(self, option: str) -> tuple[float, ...]:
        """The finite numbers of an option, separated by commas.

        Raises:
            InputError: the option is missing, or holds something else.
        """
        return self._numbers(option, float, "numbers between commas")

    def _numbers(
        self,
        option: str,
        kind: Callable[[str], Number],
        wanted: str,
        default: Number | None = None,
        count: int | None = None,
    ) -> tuple[Number, ...]:
        if default is not None and option not in self.options:
            return (default,)
        text = self.text(option)
        try:
            values = tuple(map(kind, text.rstrip(",").split(",")))
        except ValueError:
            values = ()
        # Darknet's whole numbers are C ints. Infinity and NaN fail the comparison too.
        bound = 2**31 if kind is int else math.inf
        if not values or (count and len(values) != count) or not all(abs(value) < bound for value in values):
            self.fail(f"{option}={text} must be {wanted}", option)
        return values


def read_cfg(path: str | os.PathLike[str]) -> list[Section]:
    """Reads a cfg file.

    Args:
        path: the file.

    Returns:
        Its sections in order, [net] first.

    Raises:
        InputError: the file cannot be read or is not a cfg; with file and line.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the cfg cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if b"\0" in data:
        raise InputError(f"{path}: not a cfg but a binary file; give the text file that describes the network")
    # Comments may be in any encoding; names and numbers are ASCII.
    return parse_cfg(data.decode("utf-8-sig", "replace"), path)


def parse_cfg(text: str, path: str | os.PathLike[str] = "cfg") -> list[Section]:
    """Parses the text of a cfg.

    Lines are `[section]` or `option=value`; comments begin with `#` or `;`; spaces have no meaning.

    Args:
        text: the text of the file.
        path: what messages call it.

    Returns:
        Its sections in order, [net] first.

    Raises:
        InputError: a line that is neither, an option before the first section, or a first section other than [net].
    """
    sections: list[Section] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"\s", "", re.split("[#;]", line, maxsplit=1)[0])
        if not line:
            continue
        header = re.fullmatch(r"\[(.+)\]", line)
        if header:
            name = ALIASES.get(header[1], header[1])
            if not sections and name != "net":
                raise InputError(f"{path}:{number}: the first section is [{name}], but [net] must come first")
            if len(sections) == MOST_SECTIONS:
                raise InputError(f"{path}:{number}: more than {MOST_SECTIONS:,} sections; no network has so many layers")
            sections.append(Section(str(path), name, number, {}, []))
            continue
        name, equals, value = line.partition("=")
        if not equals or not name:
            raise InputError(f"{path}:{number}: {line!r} is neither [section] nor option=value")
        if not sections:
            raise InputError(f"{path}:{number}: {line!r} comes before the first section; [net] must come first")
        section = sections[-1]
        if name not in section.options:
            section.options[name] = Option(value, number)
        elif section.options[name].text != value:
            section.repeated.append((name, number))
    if not sections:
        raise InputError(f"{path}: no sections; a cfg begins with [net]")
    return sections
