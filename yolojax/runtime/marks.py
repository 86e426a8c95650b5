"""Marks on the files that commands write into a folder of the user's, so that the next run knows which it may replace.

A mark is an extended attribute with the time of the file's last change: a file without one, or one that was edited or copied
since, is the user's. Where there are no such attributes (macOS, some network file systems), an empty file with that time, in a
hidden folder beside the output, takes their place.
"""

import contextlib
import os
from pathlib import Path

from yolojax.errors import InputError
from yolojax.runtime.drafts import is_draft

ATTRIBUTE = "user.yolojax.output"
FOLDER = ".yolojax.outputs"


def mark_output(path: str | os.PathLike[str], name: str | os.PathLike[str] | None = None) -> None:
    """Marks a file as written by a command. If it cannot be marked, a later run will not replace it.

    Args:
        path: the file, complete.
        name: the path that it gets by a rename, if this is not its own yet.
    """
    changed = os.stat(path).st_mtime_ns
    try:
        os.setxattr(path, ATTRIBUTE, str(changed).encode())
    except (AttributeError, OSError):
        note = _note(Path(name or path))
        if is_draft(note):
            return  # this name is not its last one either
        with contextlib.suppress(OSError):
            note.parent.mkdir(exist_ok=True)
            note.touch()
            os.utime(note, ns=(changed, changed))


def is_own_output(path: str | os.PathLike[str]) -> bool:
    """Whether a file was written by a command and has not been changed since. A link never was."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    changed = os.stat(path).st_mtime_ns
    with contextlib.suppress(AttributeError, OSError):
        if os.getxattr(path, ATTRIBUTE) == str(changed).encode():
            return True
    with contextlib.suppress(OSError):
        return os.stat(_note(Path(path))).st_mtime_ns == changed
    return False


def refuse_to_replace(path: str | os.PathLike[str]) -> None:
    """Refuses to write to the path of a file or link that is no output of an earlier run.

    Raises:
        InputError: there is one; the message names it.
    """
    folder = os.path.isdir(path) and not os.path.islink(path)  # which no rename replaces
    if os.path.lexists(path) and not folder and not is_own_output(path):
        raise InputError(
            f"{path} exists, and is not marked as an unchanged output of an earlier run; move it, or name another --out"
        )


def _note(path: Path) -> Path:
    return path.parent / FOLDER / path.name
