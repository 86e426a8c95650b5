"""One run at a time on a workdir."""

import contextlib
import os

from yolojax.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None


@contextlib.contextmanager
def lock_workdir(workdir):
    """Makes a workdir and holds it for this process; the system lets go of it when the process ends, however it ends.

    The folder itself is locked, so that no file of the lock can be left over. Where the system or its file server has no such
    locks, nothing is held.

    Raises:
        InputError: another run holds it, or it cannot be made.
    """
    try:
        os.makedirs(workdir, exist_ok=True)
        held = os.open(workdir, os.O_RDONLY) if fcntl else None
    except OSError as error:
        raise InputError(f"{workdir} cannot be written: {error.strerror or error}") from error
    try:
        if fcntl:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{workdir}: another run trains there at this moment; wait for its end, stop it, or name another --workdir"
                ) from None
            except OSError:
                pass  # some network file systems have no locks
        yield
    finally:
        if fcntl:
            os.close(held)
