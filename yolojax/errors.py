"""The one exception that means: what the user gave cannot be used."""


class InputError(ValueError):
    """Bad input from the user: a file, a flag or a configuration field.

    The message is one line that says what is wrong, where (file and line where there is one) and what to do about it;
    the programs print it without a traceback and exit with status 1.
    """
