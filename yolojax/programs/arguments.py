"""What is asked of the arguments of every command."""

from collections.abc import Mapping

from yolojax.errors import InputError


def refuse_empty(values: Mapping[str, object]) -> None:
    """Refuses what is given but empty, as an unset variable of a shell makes it: an empty path would be the current folder.

    Args:
        values: {name of a flag or an argument: its value, or the list of its values}.

    Raises:
        InputError: one is.
    """
    for name, value in values.items():
        if value == "" or (isinstance(value, list) and "" in value):
            raise InputError(f"{name} is empty: give a value, or leave it out; perhaps a variable of the shell is not set")
