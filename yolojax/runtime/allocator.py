"""The C library's memory allocator, tuned for steps that free and ask for the same large buffers again and again."""

import ctypes

# Of malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 256 * 2**20


def keep_freed_memory():
    """Lets glibc keep large buffers that are freed, where it would hand each back to the kernel and have it zeroed anew.

    XLA on a CPU takes its temporary buffers from malloc at every step. The process stays as large as it ever was, and grows in
    blocks of 256 MiB. It cannot be undone; for a GPU or TPU it changes nothing.

    Returns:
        Whether the allocator took the setting: False where the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018 (musl and Bionic have a mallopt of another meaning)
    except (OSError, AttributeError, TypeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, _TOP_PAD))
    return all([mallopt(name, value) == 1 for name, value in settings])
