"""One run at a time on a workdir."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from yolojax.errors import InputError

fcntl: Any
try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None


@contextlib.contextmanager
def lock_workdir(workdir: str | os.PathLike[str]) -> Iterator[None]:
    """Makes a workdir and locks it for this process inside a `with` block.

    The folder itself is locked, so no lock file can be left behind, and the system releases the lock when the process ends,
    however it ends. On systems and file servers without such locks nothing is locked.

    Args:
        workdir: folder of the run.

    Raises:
        InputError: another run holds the lock, or the folder cannot be made.
    """
    try:
        os.makedirs(workdir, exist_ok=True)
        descriptor = os.open(workdir, os.O_RDONLY) if fcntl else -1
    except OSError as error:
        raise InputError(f"{workdir} cannot be written: {error.strerror or error}") from error
    try:
        if fcntl:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{workdir}: another run is training there; wait until it ends, stop it, or name another --workdir"
                ) from None
            except OSError:
                pass  # some network file systems have no locks
        yield
    finally:
        if fcntl:
            os.close(descriptor)
