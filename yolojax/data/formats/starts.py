"""Where relative paths in lists and in Darknet's .data files start: tools and people disagree."""

import os
from typing import NamedTuple

from yolojax.runtime.paths import absolute


class Start(NamedTuple):
    """One place where relative paths may start.

    Attributes:
        folder: the folder; "" for the current one.
        without: what is taken off the beginning of the path first.
    """

    folder: str
    without: str = ""

    def join(self, path: str) -> str:
        """The path from this start; an absolute path stays as it is."""
        if self.without:
            path = path.replace("\\", "/").removeprefix(self.without)
        return os.path.join(self.folder, path)


def starts(file: str | os.PathLike[str]) -> tuple[Start, ...]:
    """List where the relative paths in a file may start, the likeliest first.

    Args:
        file: the list or .data file.

    Returns:
        Its folder, the folder above, the current folder, and its folder without a leading `data/`: Darknet starts from the
        folder of its program, and CVAT writes `data/` before names that do not lie in such a folder.
    """
    folder = os.path.dirname(os.fspath(file))
    above = os.path.dirname(absolute(folder))
    return Start(folder), Start(above), Start(""), Start(folder, without="data/")
