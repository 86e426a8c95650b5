"""Locks on folders, which the system releases when a process ends, however it ends."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike[str], *, wait: bool) -> Iterator[bool | None]:
    """Locks a folder for this process inside a `with` block; no file is left behind.

    Args:
        folder: an existing folder.
        wait: whether to wait until no other process holds the lock.

    Yields:
        Whether this process holds the lock; False if another one does, and None on systems and file servers without locks.

    Raises:
        OSError: the folder cannot be opened.
    """
    if not fcntl:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            held = True
        except BlockingIOError:
            held = False
        except OSError:
            held = None  # some network file systems have no locks
        yield held
    finally:
        os.close(descriptor)
