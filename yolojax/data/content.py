"""Pictures by what is in their files: doubles are found, and a validation split is chosen that stays the same."""

import bisect
import functools
import hashlib
import os
from collections.abc import Sequence

import numpy as np

from yolojax.runtime.files import open_regular
from yolojax.runtime.threads import thread_pool, worker_count

_HASHES = 2**64
_BLOCK = 1 << 20  # bytes


def content_hashes(paths: Sequence[str]) -> list[int | None]:
    """Hash the bytes of files: BLAKE2b of 8 bytes, big-endian. Files that have not changed are read once per process.

    Args:
        paths: the files.

    Returns:
        For each a number from 0 to 2^64 - 1; None for a file that cannot be read.
    """
    pool = thread_pool(worker_count(), "yolojax-content")
    try:
        return list(pool.map(_hash_or_none, paths))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def chosen_for_validation(paths: Sequence[str], share: float) -> np.ndarray:
    """Choose pictures for validation by their content: those whose hash is less than `share` * 2^64.

    Pictures of the same content are on one side, and whether a picture is chosen does not depend on the others, so that more
    pictures do not move any. Only where this would leave a side empty does the picture with the smallest hash go to
    validation, or the one with the largest to training. Files that cannot be read go to training.

    Args:
        paths: the pictures.
        share: the expected share of the pictures for validation, in (0, 1).

    Returns:
        (n,) bool, which pictures are for validation: none if there are fewer than two different ones.
    """
    hashes = content_hashes(paths)
    different = sorted({number for number in hashes if number is not None})
    if len(different) < 2:
        return np.zeros(len(hashes), bool)
    below = bisect.bisect_left(different, share * _HASHES)
    limit = different[min(max(below, 1), len(different) - 1)]
    return np.array([number is not None and number < limit for number in hashes])


def _hash_or_none(path: str) -> int | None:
    try:
        state = os.stat(path)
        return _hash(os.path.abspath(path), state.st_size, state.st_mtime_ns)
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=1 << 20)
def _hash(path: str, size: int, changed: int) -> int:
    """The hash of a file; its size and the time of its last change tell the cache whether it is still the same."""
    digest = hashlib.blake2b(digest_size=8)
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return int.from_bytes(digest.digest(), "big")
