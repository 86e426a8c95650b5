"""Finding pictures on disk: under another form of their name, and in folders."""

import functools
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from yolojax.data.images import ENDINGS, UNREAD_ENDINGS
from yolojax.data.problems import OnProblem
from yolojax.runtime.files import is_kernels

_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
_HIDDEN = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def find_file(path: str | os.PathLike[str], where: str, on_problem: OnProblem) -> str:
    """Find a file whose name may be written in another form than on disk.

    Tried are the path as it is, with slashes for backslashes, and with a Unicode form (NFC, NFD) per part: zip files made on
    a Mac decompose letters with accents, Windows writes backslashes.

    Args:
        path: the path as it is written.
        where: the place where it is written, as "a.json: image 3".
        on_problem: called with "other form of name" if the file is found under another form.

    Returns:
        The path under which the file exists; `path` itself if there is none.
    """
    path = os.fspath(path)
    if os.path.isfile(path):
        return path
    for candidate in (path, path.replace("\\", "/")):
        found = candidate if os.path.isfile(candidate) else _normalised(Path(candidate))
        if found is not None:
            form = "" if os.fspath(found) == candidate else ", in another Unicode form"
            on_problem("other form of name", f"{where}: {path} is {found} on disk{form}")
            return os.fspath(found)
    return path


def standard_split(name: str) -> str | None:
    """The split that a folder's or list's name stands for, as "val" for Valid: "train", "val", "test", or None."""
    return next((split for split, spellings in _SPLITS.items() if name.lower() in spellings), None)


def split_of_name(name: str) -> str | None:
    """The split that a word of a name stands for, as "val" for instances_val2017 or bccd-valid; None if none or two do."""
    named = {split for word in re.split(r"[^A-Za-z]+", name) if (split := standard_split(word))}
    return named.pop() if len(named) == 1 else None


def is_hidden(path: str | os.PathLike[str]) -> bool:
    """Whether a file or folder is one that an operating system or a tool leaves behind: `._a.jpg`, `.DS_Store`, `Thumbs.db`."""
    name = os.path.basename(path)
    return name.startswith(".") or name.lower() in _HIDDEN


def visible_names(folder: str | os.PathLike[str]) -> list[str]:
    """The names in a folder, sorted, without hidden ones; none where it cannot be read."""
    try:
        return sorted(name for name in os.listdir(folder) if not is_hidden(name))
    except (OSError, ValueError):
        return []


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder that are not hidden, sorted; none where it cannot be read."""
    return [folder / name for name in visible_names(folder) if os.path.isdir(folder / name)]


def walk(folder: str | os.PathLike[str], on_problem: OnProblem, *, into: bool = True) -> Iterator[Path]:
    """List the files in a folder and its folders, linked ones as well, in order; each real folder once, those of /proc never.

    Args:
        folder: the folder.
        on_problem: called with "hidden file" for each hidden file that is passed over.
        into: whether to look into the folders inside.

    Yields:
        The files that are not hidden, and empty folders that are named like pictures, so that they are not passed over.
    """
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or is_kernels(os.stat(real)):
            folders.clear()
            continue
        seen.add(real)
        if not (folders or files) and parent != os.fspath(folder) and Path(parent).suffix.lower() in ENDINGS:
            yield Path(parent)
        folders[:] = sorted(name for name in folders if not is_hidden(name)) if into else []
        for name in sorted(files):
            path = Path(parent, name)
            if is_hidden(name):
                on_problem("hidden file", f"{path}: a hidden file")
            else:
                yield path


def pictures_in(folder: str | os.PathLike[str], on_problem: OnProblem, *, into: bool = True) -> list[Path]:
    """List the pictures in a folder by their extensions.

    Args:
        folder: the folder.
        on_problem: called for hidden files, and with "unknown picture format" for pictures that cannot be read.
        into: whether to look into the folders inside, linked ones as well.

    Returns:
        Their paths, sorted.
    """
    pictures = []
    for path in walk(folder, on_problem, into=into):
        ending = path.suffix.lower()
        if ending in ENDINGS:
            pictures.append(path)
        elif ending in UNREAD_ENDINGS:
            on_problem("unknown picture format", f"{path}: {ending} is not read; save the picture as .jpg or .png")
    return sorted(pictures)


def _normalised(path: Path) -> str | None:
    """The existing file that differs from a path only by the Unicode form of its parts, or None."""
    if str(path).isascii():
        return None
    found = Path(path.anchor or ".")
    for part in path.parts[bool(path.anchor) :]:
        if not os.path.exists(found / part):
            try:
                names = _names_by_form(str(found), os.stat(found).st_mtime_ns)
            except (OSError, ValueError):
                return None
            part = names.get(unicodedata.normalize("NFC", part), part)
        found /= part
    return os.fspath(found) if os.path.isfile(found) else None


@functools.lru_cache(maxsize=16)
def _names_by_form(folder: str, changed: int) -> dict[str, str]:
    """{name in Unicode's composed form: name} of what is in a folder, which was last changed at a time."""
    return {unicodedata.normalize("NFC", name): name for name in sorted(os.listdir(folder), reverse=True)}
