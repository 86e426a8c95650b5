"""A source of examples of the user's own, completed and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.example import Example, checked_example
from yolojax.data.source import UnreadablePicture
from yolojax.errors import InputError, first_line
from yolojax.parts import NO_PARTS, Parts

if TYPE_CHECKING:
    from yolojax.config import Config


class OwnSource:
    """A source of the user's own as a whole `Source`: its examples are checked, and what it may lack is added.

    It has to have names, a length and `example(epoch, index)`. `describe`, `title`, `notes`, `fingerprint` and `truth` are
    taken from it where it has them.

    Attributes:
        names: the class names.
        name: what the configuration calls it.
    """

    def __init__(self, source: Any, name: str, split: str):
        """Check the source.

        Args:
            source: what the user's function has returned.
            name: what the configuration calls that function.
            split: the split, for messages.

        Raises:
            InputError: names, length or `example` are missing, or there is no example.
        """
        self._where = f"config.data.source: {name}, split {split!r}"
        self._source, self.name, self._split = source, name, split
        names = getattr(source, "names", None)
        if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(n, str) and n for n in names):
            raise InputError(f"{self._where}: its names must be a list of class names, not {names!r}")
        if not names or len(set(names)) < len(names):
            raise InputError(f"{self._where}: its names must be different, at least one, not {list(names)}")
        if not callable(getattr(source, "example", None)) or not hasattr(source, "__len__"):
            raise InputError(
                f"{self._where}: {source!r} has no example(epoch, index) or no length; see yolojax.data.source.Source"
            )
        if not len(source):
            raise InputError(f"{self._where}: it has no examples")
        self.names: Sequence[str] = tuple(names)
        records = getattr(source, "records", None)
        # Others may call something else so.
        if isinstance(records, Sequence) and all(isinstance(record, Record) for record in records):
            self.records = records

    def __len__(self) -> int:
        return len(self._source)

    def example(self, epoch: int, index: int) -> Example:
        """The source's example, with boxes of float32 and classes of int32.

        Raises:
            UnreadablePicture: as the source raises it.
            InputError: it is not an `Example`, or has a class without a name.
        """
        where = f"{self._where}: example({epoch}, {index})"
        try:
            value = self._source.example(epoch, index)
        except (UnreadablePicture, InputError):
            raise
        except OSError as error:
            raise UnreadablePicture(f"{where}: {error}") from error
        except Exception as error:  # whatever a user's source raises
            error.add_note(where)
            raise
        example = checked_example(value, where)
        if (example.classes >= len(self.names)).any():
            raise InputError(f"{where}: class {example.classes.max()} has no name; the classes are {', '.join(self.names)}")
        return example

    def describe(self, index: int) -> str:
        """The source's description of an example, or its number."""
        own = getattr(self._source, "describe", None)
        return str(own(index)) if own else f"example {index} of {self.name}, {self._split}"

    def title(self, index: int) -> str:
        """The source's title of an example, or its number."""
        own = getattr(self._source, "title", None)
        return str(own(index)) if own else f"{self._split} {index}"

    def notes(self, split: str) -> list[str]:
        """The source's lines, if it has any."""
        own = getattr(self._source, "notes", None)
        lines = own(split) if own else []
        return [lines] if isinstance(lines, str) else list(lines)

    def fingerprint(self) -> Any:
        """The source's fingerprint, {"own": plain JSON value}; None if it has none."""
        own = getattr(self._source, "fingerprint", None)
        value = own() if own else None
        try:
            return None if value is None else {"own": json.loads(json.dumps(value)), "examples": len(self)}
        except (TypeError, ValueError) as error:
            raise InputError(f"{self._where}: its fingerprint must be a value that JSON has: {error}") from error

    def truth(self, index: int, example: Example) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The source's truth of an example, as `sources.truth` gives it; by default all of its boxes, none of them ignored.

        Raises:
            InputError: it returns something else.
        """
        own = getattr(self._source, "truth", None)
        if not own:
            return example.boxes, example.classes, np.zeros(len(example.boxes), bool)
        where, value = f"{self._where}: truth({index}, example)", own(index, example)
        try:
            boxes, classes, ignored = value
        except (TypeError, ValueError) as error:
            raise InputError(f"{where} must return boxes (n, 4), classes (n,), ignored (n,): {first_line(error)}") from error
        whole, ignored = checked_example((example.image, boxes, classes), where), np.asarray(ignored, bool)
        if ignored.shape != whole.classes.shape:
            raise InputError(f"{where} must return ignored ({len(whole.classes)},), one for each box, not {ignored.shape}")
        return whole.boxes, whole.classes, ignored


def open_own(config: Config, split: str, parts: Parts = NO_PARTS) -> OwnSource:
    """Open a split of the source that `config.data.source` names.

    Args:
        config: the configuration, which is handed on to the user's function.
        split: "train", "val" or "test".
        parts: parts that a program gives as objects.

    Raises:
        InputError: the function cannot be found or called, or returns something that is no source.
    """
    build: Callable[..., Any] = parts.build("source", config.data.source, config.data.options, "config", "split")
    return OwnSource(build(config, split), config.data.source, split)
