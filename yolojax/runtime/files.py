"""Files: opened so that none can block a program forever, and written whole or not at all."""

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.memory import gib, host_memory

SMALL_FILE = 1 << 28  # bytes that any machine has

_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file for reading bytes; pipes and devices are refused because they might never end.

    Raises:
        OSError: the file cannot be opened, is a pipe or a device, or is larger than half of the memory.
        ValueError: no file can have this path.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "Not a regular file")
    memory = host_memory() if status.st_size > SMALL_FILE else None
    if memory and status.st_size > memory / 2:
        raise OSError(errno.EFBIG, f"its {gib(status.st_size)} are more than half of the memory of {gib(memory)}")
    return open(path, "rb")


def read_whole(path: str | os.PathLike[str], what: str) -> bytes:
    """Reads a whole regular file.

    Args:
        path: the file.
        what: what messages call it, such as "the picture".

    Raises:
        InputError: it cannot be read; the message names it.
    """
    try:
        with open_regular(path) as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {what} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as JSON, whole or not at all: neither a reader nor a crash leaves half a file.

    Args:
        path: the file; its folder is made if it is missing.
        value: dicts, lists, strings and numbers, including NumPy scalars; NaN and infinities become null.
    """
    if isinstance(value, list | tuple):
        # One entry per line: indented, a detection would take nine lines.
        text = "[\n{}\n]".format(",\n".join(map(_one_line, value)))
    else:
        text = json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False)
        # Lists of numbers go on one line: a curve would take a hundred. Strings in JSON have no raw line breaks to match.
        text = re.sub(r"\[\n\s*([^][{}\"]*?)\n\s*\]", lambda match: f"[{' '.join(match[1].split())}]", text)
    write_text(path, text + "\n")


def write_json_entries(path: str | os.PathLike[str], entries: Iterable[Any]) -> None:
    """Writes a list as JSON, one entry per line, as `write_json` does, but without having all entries in memory.

    Args:
        path: the file; its folder is made if it is missing.
        entries: what `write_json` takes, one after the other.
    """
    with _draft(path) as draft, draft.open("w", encoding="utf-8") as file:
        for number, entry in enumerate(entries):
            file.write(("[\n" if number == 0 else ",\n") + json.dumps(_plain(entry), allow_nan=False, ensure_ascii=False))
        file.write("\n]\n" if file.tell() else "[\n\n]\n")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file, whole or not at all; its folder is made if it is missing."""
    with _draft(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _draft(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file beside another one, which it replaces at the end of a block without an exception."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename across file systems is not atomic.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _one_line(value: Any) -> str:
    # Tens of thousands of detections are plain already: only what is not is copied.
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        return _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def whole_or_not_at_all(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Lets its block write a file in a temporary folder beside `out`, and moves the folder's contents there at the end.

    After an exception nothing is left, including folders that were made for `out`.

    Yields:
        The path to write to, of the same name as `out`.

    Raises:
        InputError: `out` is a folder, or its folder cannot be written.
    """
    out = Path(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file")
    made = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            yield Path(folder) / out.name
            for path in sorted(Path(folder).iterdir()):
                os.replace(path, out.parent / path.name)
    except BaseException as error:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()  # refuses folders that are not empty
        if isinstance(error, OSError):
            raise InputError(f"{out} cannot be written: {error.strerror or error}") from error
        raise
