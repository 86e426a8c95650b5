"""Locks on folders, which the system releases when a process ends, however it ends."""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

_PAUSE = 0.02  # seconds between two tries


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike[str], *, wait: float) -> Iterator[bool | None]:
    """Locks a folder for this process inside a `with` block; no file is left behind.

    Args:
        folder: an existing folder.
        wait: the seconds to wait for a process that holds the lock.

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
        held, deadline = _try_lock(descriptor), time.monotonic() + wait
        while held is False and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            held = _try_lock(descriptor)
        yield held
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None  # some network file systems have no locks
    return True
