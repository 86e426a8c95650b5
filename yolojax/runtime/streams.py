"""Stdout and stderr that cannot end a program: closed ones, full ones, and ones that cannot show every character."""

import contextlib
import io
import os
import sys
from typing import Any

from yolojax.errors import InputError, printable


def say(text: str, end: str = "\n") -> None:
    """Prints a text on stdout at once, without anything that a terminal would obey: names in it may come from a stranger.

    Raises:
        BrokenPipeError: nobody reads stdout any more.
        InputError: it cannot be written, as a file on a disk that is full.
    """
    try:
        print(printable(text), end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"stdout cannot be written: {error.strerror or error}") from error


def prepare_streams() -> None:
    """Makes stdout and stderr usable, whatever the program was started with.

    Closed streams are opened on the null device; otherwise the first files that the program opens would take their places.
    Characters that stdout cannot encode are printed as escapes.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for number, name in enumerate(("stdout", "stderr"), 1):
        if getattr(sys, name) is None:  # it was closed when Python started
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_stdout() -> None:
    """After a BrokenPipeError: drops what is still to be printed, so that there is no second error when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def outlive_readers() -> None:
    """Lets a program whose results are files continue when its output has no reader any more, such as after `| head`.

    From the first failed write on, what is printed is dropped; one line on stderr says so.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or stream is not getattr(sys, f"__{name}__"):
            continue  # someone else, such as a notebook or a test, has replaced it
        stream.flush()
        raw = _LastingOutput(stream.fileno(), name)
        lasting = io.TextIOWrapper(
            io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=stream.line_buffering, write_through=False
        )
        setattr(sys, name, lasting)


class _LastingOutput(io.FileIO):
    """A file descriptor to which every write succeeds; after the first failure everything is dropped."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._title, self._failed = name, False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._failed:
            return size
        try:
            return super().write(data) or 0
        except KeyboardInterrupt:
            # It may have waited for a reader that has stopped (Ctrl-S): what is printed on the way out must not wait again.
            self._failed = True
            raise
        except OSError as error:
            self._failed = True
            if self._title == "stdout":
                with contextlib.suppress(OSError):
                    program = os.path.basename(sys.argv[0])
                    print(f"{program}: {self._title}: {error.strerror}; continuing without it", file=sys.stderr, flush=True)
            return size
