"""What training and evaluation need from a data set: a `Source` of examples."""

from collections.abc import Sequence
from typing import Any, Protocol

from yolojax.data.example import Example
from yolojax.errors import InputError


class UnreadablePicture(InputError):
    """A picture that cannot be read, which `data.on_unreadable` may allow."""


class Source(Protocol):
    """One split of a data set, as pictures that are read from files or scenes that are drawn.

    Attributes:
        names: the class names, class 0 first.
    """

    names: Sequence[str]

    def __len__(self) -> int:
        """The number of pictures, which is the number of examples in an epoch."""
        ...

    def example(self, epoch: int, index: int) -> Example:
        """An example, a function of these two numbers alone; called from several threads at once.

        Raises:
            UnreadablePicture: the picture cannot be read.
        """
        ...

    def describe(self, index: int) -> str:
        """A picture's name in messages, with the place where it comes from."""
        ...

    def title(self, index: int) -> str:
        """A short name for a picture, for reports."""
        ...

    def notes(self, split: str) -> list[str]:
        """Lines that a user should know, such as about boxes that are not trained on; `split` is the split's name in them."""
        ...

    def fingerprint(self) -> dict[str, Any] | None:
        """Plain JSON values that change whenever the data changes; None where it follows from the configuration."""
        ...
