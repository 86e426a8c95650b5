"""What a system gives a process, limits and a current folder: what is missing is named before a library meets it and aborts."""

import contextlib
import os
import threading
from typing import Any

from yolojax.errors import InputError, first_line
from yolojax.runtime.memory import GIB, gib, is_out_of_memory, limit_of

resource: Any
try:
    import resource
except ImportError:  # on Windows
    resource = None

# A run with a small network on two cores has 2.6 GiB of address space (most of it never touched) and 34 threads, and trains,
# saves and evaluates with 64 files.
ADDRESS_SPACE = 4 * GIB
FILES = 64
THREADS = 100


def check_limits() -> None:
    """Refuses limits within which JAX, XLA and the checkpoint store do not work; raises that on open files as far as it may.

    Raises:
        InputError: the address space, the number of open files or the number of threads is too small.
    """
    for limit in limit_of("AS"):
        if limit < ADDRESS_SPACE:
            raise InputError(
                f"this process may use {gib(limit)} of address space (ulimit -v), and needs {gib(ADDRESS_SPACE)}; raise the "
                "limit"
            )
    for limit in limit_of("NOFILE"):
        if limit < FILES and not _raise_files():
            raise InputError(f"this process may open {limit} files (ulimit -n), and needs {FILES}; raise the limit")
    for limit in limit_of("NPROC"):
        # Larger ones are the system's own.
        if limit < 10 * THREADS and not _can_start(THREADS):
            raise InputError(
                f"this process cannot start {THREADS} threads: its user may have {limit} processes and threads (ulimit -u); "
                "end others, or raise the limit"
            )


def check_current_folder() -> None:
    """Refuses to work in a folder that was removed, in which no relative path leads anywhere.

    Raises:
        InputError: the current folder is gone.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise InputError("the current folder was removed; change to another one (cd) and run the command again") from error


def shortage_of(error: BaseException) -> str | None:
    """One line on an exception that says that memory or threads are short; None for any other."""
    if is_out_of_memory(error):
        return f"there is not enough memory ({first_line(error)[:200]}); close other programs, or use smaller sizes or batches"
    if "can't start new thread" in str(error):
        return "no more threads can be started; end other programs of this user, or raise the limit (ulimit -u)"
    return None


def _raise_files() -> bool:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES:
        return False
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if most == resource.RLIM_INFINITY else min(most, 4096), most))
        return True
    return False


def _can_start(number: int) -> bool:
    done, threads = threading.Event(), []
    try:
        for _ in range(number):
            threads.append(threading.Thread(target=done.wait, daemon=True))
            threads[-1].start()
    except RuntimeError:
        return False
    finally:
        done.set()
    for thread in threads:
        thread.join()
    return True
