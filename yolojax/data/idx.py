"""IDX files, the format in which MNIST is published: a header and an array of bytes, plain or compressed by gzip.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits": two zero bytes, a byte for the type of the values (8:
unsigned bytes), a byte for the number of dimensions, each dimension as four bytes, the largest first, and the values.
"""

import gzip
import math
import os
import struct
import sys
import zlib

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular
from yolojax.runtime.memory import gib, host_memory

_TYPES = {8: "unsigned bytes", 9: "signed bytes", 11: "short integers", 12: "integers", 13: "floats", 14: "doubles"}
_MOST_DIMENSIONS = 32
_GZIP = b"\x1f\x8b"


def looks_like_idx(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins as an IDX file of any type, or is compressed by gzip; False for one that cannot be read."""
    try:
        with open_regular(path) as file:
            start = file.read(4)
    except (OSError, ValueError):
        return False
    return start[:2] == _GZIP or (len(start) == 4 and start[:2] == b"\0\0" and start[2] in _TYPES)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Args:
        path: the file; one that begins as gzip files do is decompressed, whatever its name.

    Returns:
        The array, uint8, with the file's dimensions.

    Raises:
        InputError: the file cannot be read, is no IDX file or one of another type, or holds fewer or more bytes than it states.
    """
    most = (host_memory() or sys.maxsize) // 2
    try:
        with open_regular(path) as file:
            compressed = file.read(2) == _GZIP
            file.seek(0)
            # What is compressed may be a thousand times as long as the file: no more is read than the header states.
            stream = gzip.GzipFile(fileobj=file) if compressed else file
            start = stream.read(4)
            shape = _shape(path, start, stream.read(4 * start[3] if len(start) == 4 else 0))
            stated = math.prod(shape)
            content = stream.read(min(stated + 1, most))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) == most:
        raise InputError(f"{path}: {gib(most)} of values or more, half of the memory; use a smaller set")
    if stated != len(content):
        size = " x ".join(map(str, shape))
        found, what = (
            (len(content), "it was cut off") if len(content) < stated else (f"at least {len(content)}", "there is more")
        )
        raise InputError(f"{path}: {found} bytes of values for the {size} that the header states: {what}")
    try:
        return np.frombuffer(content, np.uint8).reshape(shape)
    except ValueError as error:  # without any value, but with sizes that no array has
        raise InputError(f"{path}: cannot be read: {error}") from error


def _shape(path: str | os.PathLike[str], start: bytes, sizes: bytes) -> tuple[int, ...]:
    """The dimensions that the header of an IDX file of bytes states, from its first four bytes and those that follow."""
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES:
        raise InputError(f"{path}: not an IDX file: it begins with the bytes {start.hex(' ') or '(none)'}")
    if start[2] != 8:
        raise InputError(f"{path}: an IDX file of {_TYPES[start[2]]}; give one of unsigned bytes")
    if start[3] > _MOST_DIMENSIONS:
        raise InputError(f"{path}: an IDX file of {start[3]} dimensions; give one of pictures or of labels")
    if len(sizes) < 4 * start[3]:
        raise InputError(f"{path}: the file ends within its header, after {4 + len(sizes)} bytes; it was cut off")
    return struct.unpack(f">{start[3]}I", sizes)
