"""How readers of data sets report mistakes: each one as a problem, to a function that stops or continues."""

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from yolojax.errors import InputError

OnProblem = Callable[[str, str], None]
"""Called with (kind, message) for each mistake: a few words that group mistakes, and one line with the place. If it returns,
the reader leaves out what is wrong and continues."""


class Problem(NamedTuple):
    """Something wrong in a data set.

    Attributes:
        kind: a few words that group problems, such as "box without area".
        message: one line with the file, the line and what to do.
    """

    kind: str
    message: str


def refuse(kind: str, message: str) -> NoReturn:
    """Raise InputError with the message: the `OnProblem` that stops at the first mistake."""
    raise InputError(message)
