"""A path for a folder that the checkpoint store takes as it stands."""

import os
import re
import weakref
from collections.abc import Callable
from pathlib import Path

from yolojax.errors import InputError

_HANDLES = Path("/proc/self/fd")


class _Handle:
    """Holds a descriptor open until it is released, or forgotten."""

    def __init__(self, descriptor: int) -> None:
        self.release = weakref.finalize(self, os.close, descriptor)


def store_folder(folder: Path, *, make: bool) -> tuple[Path, Callable[[], object]]:
    """Returns a path of a folder in which no character has a meaning for the checkpoint store.

    tensorstore takes a path for a part of a URL: what follows `?` or `#` is lost, `%20` is a blank, and bytes that are not
    UTF-8 are refused; and `..` does not lead back over a link. On Linux a folder with such characters is opened, and named by
    the number under which this process has it open.

    Args:
        folder: the absolute path of the folder.
        make: whether it is made if it is missing.

    Returns:
        The path, and a function that ends its use.

    Raises:
        InputError: the path has such characters, and the system has no other name for it; or the folder cannot be made.
    """
    if ".." in folder.parts or str(folder).startswith("//"):
        folder = Path(os.path.realpath(folder))  # the store takes `..` for the part before it, whatever that links to
    if re.fullmatch(r"[A-Za-z0-9_./+=~-]*", str(folder)):
        return folder, lambda: None
    if not _HANDLES.is_dir():
        raise InputError(
            f"{folder}: checkpoints cannot be kept under this path: only letters from a to z, digits and _ . - + = ~ are taken "
            "as they stand; name another --workdir"
        )
    try:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if not make and isinstance(error, FileNotFoundError):
            return folder, lambda: None
        raise InputError(f"{folder} cannot be opened: {error.strerror or error}") from error
    handle = _Handle(descriptor)

    def release() -> None:
        handle.release()

    return _HANDLES / str(descriptor), release
