"""The lines of text files that people and labelling tools write."""

import os
import re

from yolojax.data.problems import OnProblem, refuse
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
"""A decimal number. It matches a run of digits in one way only: in several, long ones would take minutes."""


def read_lines(path: str | os.PathLike[str], on_problem: OnProblem = refuse) -> list[str]:
    """Read the lines of a UTF-8 text file, with or without byte order mark and carriage returns.

    Args:
        path: the file.
        on_problem: called for each line that is not UTF-8; if it returns, that line is read as empty.

    Returns:
        The lines without their line breaks.

    Raises:
        InputError: the file cannot be read; the message names it.
    """
    try:
        with open_regular(path) as file:
            content = file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    lines = []
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf")), 1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError:
            on_problem("not text", f"{path}:{number}: not UTF-8 text; save the file as UTF-8")
            lines.append("")
    return lines
