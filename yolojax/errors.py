"""The exception for unusable input, and helpers that keep messages to one readable line."""

import re


class InputError(ValueError):
    """Bad input from the user: a file, a flag or a configuration field.

    The message is one line that says what is wrong, where (with file and line if known) and what to do about it. The programs
    print it without a traceback and exit with status 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or the exception's type if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def printable(text: str, keep: str = "\n\t") -> str:
    """A text without characters that a terminal would obey, such as escape sequences in a class name: they become escapes.

    Args:
        text: what is to be printed.
        keep: unprintable characters that stay.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def one_line(message: str) -> str:
    """A message that any terminal can show: unprintable characters (in file names, say) escaped, overlong words shortened."""
    if len(message) > 20_000:
        message = f"{message[:10_000]}...{message[-200:]}"
    message = printable(message, keep="")
    return re.sub(r"(\S{200})\S{400,}(\S{100})", r"\1...\2", message)
