"""Darknet's `.cfg` files: sections of options, each with the line where it stands."""

import math
import os
import re
from typing import NamedTuple

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool"}


class Option(NamedTuple):
    """The text of an option, and its line (from 1)."""

    text: str
    line: int


class Section(NamedTuple):
    """A section of a cfg file.

    Attributes:
        path: of the file, for messages.
        name: as in `[name]`, in its usual spelling.
        line: of its header, from 1.
        options: by name; of one given twice the first, as Darknet takes it.
        repeated: (name, line) of options given again with another value.
    """

    path: str
    name: str
    line: int
    options: dict
    repeated: list

    def fail(self, problem, option=None):
        """Raises the InputError that names file, line and section.

        Args:
            problem: what is wrong and what to do about it.
            option: whose line is named; the section's own by default.
        """
        line = self.options[option].line if option in self.options else self.line
        raise InputError(f"{self.path}:{line}: [{self.name}] {problem}")

    def text(self, option, default=None):
        """The text of an option; without a default it must be there."""
        if option not in self.options:
            if default is None:
                self.fail(f"has no {option}=")
            return default
        return self.options[option].text

    def whole(self, option, default=None, minimum=None):
        """A whole number, at least `minimum`."""
        (value,) = self._numbers(option, int, "a whole number", default, 1)
        if minimum is not None and value < minimum:
            self.fail(f"{option}={value} must be at least {minimum}", option)
        return value

    def wholes(self, option):
        """Whole numbers between commas, a tuple."""
        return self._numbers(option, int, "whole numbers between commas")

    def number(self, option, default=None):
        """A finite number."""
        (value,) = self._numbers(option, float, "a number", default, 1)
        return value

    def numbers(self, option):
        """Finite numbers between commas, a tuple."""
        return self._numbers(option, float, "numbers between commas")

    def _numbers(self, option, kind, wanted, default=None, count=None):
        if default is not None and option not in self.options:
            return (default,)
        text = self.text(option)
        try:
            values = tuple(map(kind, text.rstrip(",").split(",")))
        except ValueError:
            values = ()
        # Darknet's whole numbers are C's int; not finite is not less either.
        bound = 2**31 if kind is int else math.inf
        if not values or (count and len(values) != count) or not all(abs(value) < bound for value in values):
            self.fail(f"{option}={text} must be {wanted}", option)
        return values


def read_cfg(path: str | os.PathLike) -> list[Section]:
    """Reads a cfg file.

    Raises: InputError, with file and line, for a file that cannot be read or is no cfg.
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


def parse_cfg(text: str, path: str | os.PathLike = "cfg") -> list[Section]:
    """Parses the text of a cfg: `[section]` and `option=value` lines, comments from `#` or `;`, spaces without meaning.

    Args:
        text: of the file.
        path: what messages call it.

    Raises:
        InputError: a line that is neither, an option before the first section, or a first section other than [net].
    """
    sections = []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"\s", "", re.split("[#;]", line, maxsplit=1)[0])
        if not line:
            continue
        header = re.fullmatch(r"\[(.+)\]", line)
        if header:
            name = ALIASES.get(header[1], header[1])
            if not sections and name != "net":
                raise InputError(f"{path}:{number}: the first section is [{name}], but [net] must come first")
            sections.append(Section(str(path), name, number, {}, []))
            continue
        name, equals, value = line.partition("=")
        if not equals or not name:
            raise InputError(f"{path}:{number}: {line!r} is neither [section] nor option=value")
        if not sections:
            raise InputError(f"{path}:{number}: {line!r} stands before the first section; [net] must come first")
        section = sections[-1]
        if name not in section.options:
            section.options[name] = Option(value, number)
        elif section.options[name].text != value:
            section.repeated.append((name, number))
    if not sections:
        raise InputError(f"{path}: no sections; a cfg begins with [net]")
    return sections
