"""One run at a time on a workdir."""

import contextlib
import os
from collections.abc import Iterator

from yolojax.errors import InputError
from yolojax.runtime.locks import folder_lock


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
    with contextlib.ExitStack() as stack:
        try:
            os.makedirs(workdir, exist_ok=True)
            held = stack.enter_context(folder_lock(workdir, wait=0))
        except OSError as error:
            raise InputError(f"{workdir} cannot be written: {error.strerror or error}") from error
        if held is False:
            raise InputError(
                f"{workdir}: another run is training there; wait until it ends, stop it, or name another --workdir"
            )
        yield
