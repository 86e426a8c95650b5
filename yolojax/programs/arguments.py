"""What is asked of the arguments of every command."""

import os
from collections.abc import Mapping

from yolojax.errors import InputError


def refuse_slips(values: Mapping[str, object]) -> None:
    """Refuses what a shell has made of an argument and nobody meant.

    That is what is empty, as an unset variable makes it, for an empty path would be the current folder; and a path that begins
    with ~, which most shells leave as it is in --out=~/found.

    Args:
        values: {name of a flag or an argument: its value, or the list of its values}.

    Raises:
        InputError: one is.
    """
    for name, value in values.items():
        texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
        for home in (text for text in texts if text == "~" or text.startswith("~/")):
            if not os.path.exists(home):
                raise InputError(
                    f"{name} is {home!r}: the shell has not put the home folder in the place of ~, and a folder of that name "
                    f'would be made; leave a blank before it in place of =, or write "$HOME{home[1:]}"'
                )
        if value == "" or (isinstance(value, list) and "" in value):
            raise InputError(f"{name} is empty: give a value, or leave it out; perhaps a variable of the shell is not set")
