"""Absolute paths."""

import os


def absolute(path: str | os.PathLike[str]) -> str:
    """The absolute path of a file or folder, for use after the current folder has changed, or by another program.

    Unlike that of `os.path.abspath` it leads to the same place where `..` follows a link; and two slashes at its start, which
    mean one on Linux but something else to some libraries, become one.

    Args:
        path: the path; a link in its last part is not followed.
    """
    path = os.fspath(path)
    parent, name = os.path.split(path)
    if os.pardir in parent.split(os.sep):
        path = os.path.join(os.path.realpath(parent), name)
    if name == os.pardir:
        return os.path.realpath(path)
    path = os.path.abspath(path)
    return path[1:] if path.startswith("//") and os.name == "posix" else path
