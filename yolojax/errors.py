"""The one exception that means: what the user gave cannot be used."""

import re


class InputError(ValueError):
    """Bad input from the user: a file, a flag or a configuration field.

    The message is one line that says what is wrong, where (file and line where there is one) and what to do about it;
    the programs print it without a traceback and exit with status 1.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


def first_line(error):
    """The first line of an exception's words, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def one_line(message: str) -> str:
    """A message that any terminal can show: what is not printable (in file names, say) escaped, endless words cut."""
    if len(message) > 20_000:
        message = f"{message[:10_000]}...{message[-200:]}"
    message = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
    return re.sub(r"(\S{200})\S{400,}(\S{100})", r"\1...\2", message)
