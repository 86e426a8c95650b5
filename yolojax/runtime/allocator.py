"""The C library's memory allocator, tuned for steps that free and allocate the same large buffers over and over."""

import ctypes

# From malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD = 256 * 2**20


def keep_freed_memory() -> bool:
    """Makes glibc keep large buffers that are freed, instead of returning each to the kernel, which zeroes it for the next use.

    XLA on a CPU takes its temporary buffers from malloc at every step. The process never shrinks again, and grows in blocks of
    256 MiB. This cannot be undone. It makes no difference for a GPU or TPU.

    Returns:
        Whether the allocator accepted the setting; False if the C library is not glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018 (mallopt of musl and Bionic has another meaning)
    except (OSError, AttributeError, TypeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, _TOP_PAD))
    return all([mallopt(name, value) == 1 for name, value in settings])
