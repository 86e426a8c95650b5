"""The sources of a detection run: pictures, videos, cameras, and paths on standard input."""

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from yolojax.data.images import ENDINGS
from yolojax.data.lines import read_lines
from yolojax.data.video import ENDINGS as VIDEO_ENDINGS
from yolojax.errors import InputError
from yolojax.runtime.drafts import is_draft

_LONGEST_PATH = 1 << 16  # bytes
STANDARD_INPUT = "-"

Entry = Path | int | str
"""A picture or video (Path), the number of a camera, or STANDARD_INPUT."""


def find_sources(sources: Iterable[str | os.PathLike[str]]) -> list[Entry]:
    """List the pictures, videos and cameras that a user names.

    Args:
        sources: pictures, videos, folders (the pictures and videos directly in them, by name), globs, lists (.txt: one path
            per line, relative to the list's folder; boxes behind it are ignored), numbers of cameras, and "-" for paths on
            standard input.

    Returns:
        Paths of pictures and videos, numbers of cameras and "-", each once, in the order of the sources.

    Raises:
        InputError: a source does not exist, or a folder, glob or list has no pictures or videos.
    """
    entries: dict[Entry, Entry] = {}
    for source in sources:
        for entry in _entries(source):
            entries.setdefault(os.path.realpath(entry.parent) / Path(entry.name) if isinstance(entry, Path) else entry, entry)
    return list(entries.values())


def is_video(source: Entry) -> bool:
    """Whether an entry of `find_sources` is a camera, or a file with the extension of a video."""
    return isinstance(source, int) or (isinstance(source, Path) and source.suffix.lower() in VIDEO_ENDINGS)


def paths_of(descriptor: int) -> Iterator[Path]:
    """Yield the path on each line of an open file as soon as the line is complete; empty lines are skipped.

    Args:
        descriptor: the open file, as of standard input; it is not closed.

    Yields:
        The paths.

    Raises:
        InputError: a line has a NUL byte, as of `find -print0`, or is longer than a path can be.
    """
    # Unbuffered: the buffer of sys.stdin is locked while a thread waits in it, and the program could not end.
    with open(descriptor, "rb", buffering=0, closefd=False) as lines:
        while line := lines.readline(_LONGEST_PATH):
            if b"\0" in line or (len(line) == _LONGEST_PATH and not line.endswith(b"\n")):
                fault = "with a NUL byte" if b"\0" in line else f"of more than {_LONGEST_PATH} bytes"
                raise InputError(f"standard input has a line {fault}; write one path a line (find -print)")
            if line := line.rstrip(b"\r\n"):
                yield Path(os.fsdecode(line))


def _entries(source: str | os.PathLike[str]) -> Sequence[Entry]:
    """What one source names, at least one entry."""
    text = os.fspath(source)
    if text == STANDARD_INPUT:
        return [STANDARD_INPUT]
    if os.path.isdir(text):
        known = sorted(ENDINGS) + sorted(VIDEO_ENDINGS)
        files = (p for p in Path(text).iterdir() if p.suffix.lower() in known and not is_draft(p))
        entries = sorted(p for p in files if p.is_file())
        problem = f"{text}: no pictures or videos in this folder ({', '.join(known)})"
    elif os.path.exists(text) and text.lower().endswith(".txt"):
        # Lists of training data have boxes behind the path.
        lines = [re.sub(r"(\s+-?[\d.]+(,-?[\d.]+){4})+\s*$", "", line).strip() for line in read_lines(text)]
        for number, line in enumerate(lines, 1):
            if "\0" in line:
                raise InputError(f"{text}:{number}: a path cannot have a NUL byte; write one path a line (find -print)")
        entries = [Path(text).parent / line for line in lines if line]
        problem = f"{text}: no path in this list"
    elif os.path.exists(text):
        return [Path(text)]
    elif re.fullmatch(r"\d{1,4}", text):
        return [int(text)]
    else:
        entries = sorted(Path(p) for p in glob.glob(text, recursive=True) if os.path.isfile(p))
        problem = f"{text}: there is no such picture or folder"
    if not entries:
        raise InputError(problem)
    return entries
