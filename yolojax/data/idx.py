"""IDX files, the format in which MNIST is published: a header and an array of bytes, plain or compressed by gzip.

LeCun, Cortes and Burges, "The MNIST database of handwritten digits": two zero bytes, a byte for the type of the values (8:
unsigned bytes), a byte for the number of dimensions, each dimension as four bytes, the largest first, and the values.
"""

import gzip
import math
import os
import struct
import zlib

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_TYPES = {8: "unsigned bytes", 9: "signed bytes", 11: "short integers", 12: "integers", 13: "floats", 14: "doubles"}
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
    try:
        with open_regular(path) as file:
            content = file.read()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise InputError(f"{path}: not an IDX file: it begins with the bytes {content[:4].hex(' ') or '(none)'}")
    if content[2] != 8:
        raise InputError(f"{path}: an IDX file of {_TYPES[content[2]]}; give one of unsigned bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise InputError(f"{path}: the file ends within its header, after {len(content)} bytes; it was cut off")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    stated, found = math.prod(shape), len(content) - start
    if stated != found:
        size = " x ".join(map(str, shape))
        what = "it was cut off" if found < stated else "there is more behind them"
        raise InputError(f"{path}: {found} bytes of values for the {size} that the header states: {what}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
