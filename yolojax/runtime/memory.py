"""How much memory there is, and what to say where it does not suffice."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yolojax.errors import InputError, first_line

resource: Any
try:
    import resource
except ImportError:  # on Windows
    resource = None

GIB = 2**30
_EXHAUSTED = ("RESOURCE_EXHAUSTED", "Insufficient memory", "Out of memory", "Failed to allocate", "array is too big")


def host_memory(cgroups: str | os.PathLike[str] = "/sys/fs/cgroup") -> int | None:
    """Bytes of memory of this machine, or the container's or the process's share of it; None if the system does not say."""
    try:
        sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    except (AttributeError, ValueError, OSError):
        return None
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            sizes.append(int((Path(cgroups) / name).read_text()))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return min([*sizes, *limit_of("AS")])


def limit_of(name: str) -> list[int]:
    """The limit of this process on a resource, as `ulimit` sets it: [number], or [] where there is none.

    Args:
        name: of the constant RLIMIT_NAME, such as "AS", "NOFILE" or "NPROC".
    """
    number = getattr(resource, f"RLIMIT_{name}", None)
    if number is None:
        return []
    soft, _ = resource.getrlimit(number)
    return [] if soft in (resource.RLIM_INFINITY, -1) else [soft]


def gib(size: float) -> str:
    """A number of bytes for messages, as in "1.5 GiB"; in MiB below a tenth of that."""
    if size >= 2**60:
        return "more than a billion GiB"
    return f"{size / GIB:,.1f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"


@contextlib.contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Turns the ways in which Python, NumPy, OpenCV and XLA say that memory is short into an InputError.

    Args:
        what: what needs the memory, and what to do, for the message.

    Raises:
        InputError: the block ran out of memory.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise InputError(f"{what}: there is not enough memory ({first_line(error)[:200]})") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, of whatever library, says that memory is short."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _EXHAUSTED)
