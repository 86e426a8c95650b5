"""Files of a data set, opened so that none of them can make a program wait for ever."""

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from yolojax.errors import InputError


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading bytes, where it is a regular one: a pipe or a device might never end.

    Raises: OSError, for a pipe or a device as well; ValueError for a path that no file can have.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "Not a regular file")
    return open(path, "rb")


def write_json(path, value):
    """Writes a value as JSON, whole or not at all: a reader, or a crash, never meets half a file.

    Args:
        path: the file; its folder is made where it is missing.
        value: dicts, lists, strings and numbers, NumPy's scalars included; NaN and infinities become null.
    """
    value = _plain(value)
    if isinstance(value, list):
        # One entry a line: indented, a result of four numbers would take nine lines.
        entries = ",\n".join(json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in value)
        text = f"[\n{entries}\n]"
    else:
        text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False)
        # A list of numbers on one line: a curve would take a hundred. Strings hold no raw line breaks, so none is touched.
        text = re.sub(r"\[\n\s*([^][{}\"]*?)\n\s*\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    write_text(path, text + "\n")


def write_text(path, text):
    """Writes a text, whole or not at all; the file's folder is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename across file systems is not atomic.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def whole_or_not_at_all(out):
    """Gives a path of the same name in a new folder beside `out`; what lies in that folder at the end takes its place.

    After an exception nothing is left of it, nor of folders that were made for it.

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
                folder.rmdir()  # which leaves alone what is not empty
        if isinstance(error, OSError):
            raise InputError(f"{out} cannot be written: {error.strerror or error}") from error
        raise
