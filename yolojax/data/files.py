"""Files of a data set, opened so that none of them can make a program wait for ever."""

import errno
import os
import stat
from typing import BinaryIO


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading bytes, where it is a regular one: a pipe or a device might never end.

    Raises: OSError, for a pipe or a device as well; ValueError for a path that no file can have.
    """
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "Not a regular file")
    return open(path, "rb")
