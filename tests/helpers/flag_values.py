"""Flags of a program, parsed within this process and taken back afterwards."""

import contextlib

from absl import flags


@contextlib.contextmanager
def parsed(define, *arguments):
    """Defines flags and parses arguments inside a `with` block; yields the arguments that are not flags."""
    before = set(flags.FLAGS)
    try:
        define()
        yield flags.FLAGS(["program", *arguments])[1:]
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()
