"""Files: opened so that none can block a program forever, and written whole or not at all."""

import contextlib
import errno
import json
import math
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from yolojax.errors import InputError
from yolojax.runtime.drafts import draft_name, is_draft, remove_left_behind
from yolojax.runtime.locks import folder_lock
from yolojax.runtime.marks import mark_output
from yolojax.runtime.memory import gib, host_memory

SMALL_FILE = 1 << 28  # bytes that any machine has
# How long after a failure others may go on writing into a temporary folder, and how long it must stay away to be gone.
_LATE_SECONDS, _QUIET_SECONDS = 5.0, 0.1
_LOCKED_SECONDS = 10.0  # another process that moves a set to the same folder takes milliseconds
_MOUNTS = Path("/proc/self/mountinfo")
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)


def is_kernels(status: os.stat_result) -> bool:
    """Whether a file or folder is one of /proc or /sys, by what `os.stat` says of it.

    Their files call themselves regular and empty, and /proc/kmsg waits for messages; their links lead to the whole disk.
    """
    if status.st_size:
        return False
    return any(os.path.ismount(root) and os.stat(root).st_dev == status.st_dev for root in ("/proc", "/sys"))


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens a regular file for reading bytes; pipes, devices and the kernel's files are refused, for they might never end.

    Raises:
        OSError: the file cannot be opened, is not one on a disk, or is larger than half of the memory.
        ValueError: no file can have this path.
    """
    status = os.stat(path)
    if (not stat.S_ISREG(status.st_mode) and not os.path.isdir(path)) or is_kernels(status):
        raise OSError(errno.EINVAL, "Not a regular file")
    memory = host_memory() if status.st_size > SMALL_FILE else None
    if memory and status.st_size > memory / 2:
        raise OSError(errno.EFBIG, f"its {gib(status.st_size)} are more than half of the memory of {gib(memory)}")
    return open(path, "rb")


def read_whole(path: str | os.PathLike[str], what: str) -> bytes:
    """Reads a whole regular file.

    Args:
        path: the file.
        what: what messages call it, such as "the picture".

    Raises:
        InputError: it cannot be read; the message names it.
    """
    try:
        with open_regular(path) as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {what} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def beginning(path: str | os.PathLike[str], length: int) -> bytes:
    """The first bytes of a regular file, at most so many; none where it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(length)
    except (OSError, ValueError):
        return b""


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a value as JSON, whole or not at all: neither a reader nor a crash leaves half a file.

    Args:
        path: the file; its folder is made if it is missing.
        value: dicts, lists, strings and numbers, including NumPy scalars; NaN and infinities become null.
    """
    if isinstance(value, list | tuple):
        # One entry per line: indented, a detection would take nine lines.
        text = "[\n{}\n]".format(",\n".join(map(_one_line, value)))
    else:
        text = json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False)
        # Lists of numbers go on one line: a curve would take a hundred. Strings in JSON have no raw line breaks to match.
        text = re.sub(r"\[\n\s*([^][{}\"]*?)\n\s*\]", lambda match: f"[{' '.join(match[1].split())}]", text)
    write_text(path, text + "\n")


def write_json_entries(path: str | os.PathLike[str], entries: Iterable[Any]) -> None:
    """Writes a list as JSON, one entry per line, as `write_json` does, but without having all entries in memory.

    Args:
        path: the file; its folder is made if it is missing.
        entries: what `write_json` takes, one after the other.
    """
    path = Path(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with _draft(path) as draft, draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for number, entry in enumerate(entries):
            file.write(("[\n" if number == 0 else ",\n") + _one_line(entry))
        file.write("\n]\n" if file.tell() else "[\n\n]\n")


def write_text(path: str | os.PathLike[str], text: str, *, marked: bool = False) -> None:
    """Writes a text file, whole or not at all; its folder is made if it is missing.

    Half of a surrogate pair, which a name in a JSON file may have, is written as its escape. `marked` is as for `write_bytes`.
    """
    with naming(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode("utf-8", "backslashreplace"), marked=marked)


def write_bytes(path: str | os.PathLike[str], content: bytes | memoryview, *, marked: bool = False) -> None:
    """Writes a file, whole or not at all.

    Args:
        path: the file.
        content: what it is to hold.
        marked: whether a later run may replace it, see `marks`.

    Raises:
        OSError: it cannot be written; its `filename` is the path.
    """
    with _draft(Path(path)) as draft:
        draft.write_bytes(content)
        if marked:
            mark_output(draft, path)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside another one, which it replaces at the end of a block without an exception."""
    with naming(path):
        draft = path.with_name(draft_name())  # without an extension: it must not be taken for a picture
        try:
            yield draft
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Has an OSError from its block name this path: a write to a full disk names none, and one to a draft names the draft."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def _one_line(value: Any) -> str:
    # Tens of thousands of detections are plain already: only what is not is copied.
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        return _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def whole_or_not_at_all(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Lets its block write a file in a temporary folder beside `out`, and moves the folder's contents there at the end.

    After an exception nothing is left, including folders that were made for `out`.

    Yields:
        The path to write to, of the same name as `out`.

    Raises:
        InputError: `out` is a folder, or its folder cannot be written.
    """
    out = Path(out)
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file")
    with _aside(out, out.parent) as draft:
        yield draft / out.name
        for path in sorted(draft.iterdir()):
            os.replace(path, out.parent / path.name)


@contextlib.contextmanager
def whole_set(folder: str | os.PathLike[str], last: str = "", old: Callable[[str], bool] | None = None) -> Iterator[Path]:
    """Lets its block write the files of a set in a temporary folder beside `folder`, and makes them visible at the end.

    A folder that is new or empty appears by one rename. In any other, the file `last`, without which the set is none, comes
    last; one of an earlier set is removed first. Until then other processes that move a set there wait. After an exception
    nothing has changed, and nothing is left.

    Args:
        folder: where the set belongs; files of other names stay there.
        last: the name of the file that makes the set one; "" where the folder must be new or empty.
        old: tells by their names which files of an earlier set go if the new one lacks them; None where nothing that is there
            may be replaced.

    Yields:
        The temporary folder. Relative paths lead to the same places from there and from `folder` if it is `beside` it.

    Raises:
        InputError: the folder cannot be written, or holds by now what may not be replaced.
    """
    given, folder = Path(folder), Path(os.path.realpath(folder))
    with _aside(given, folder.parent if beside(folder) else folder) as draft:
        yield draft
        while not _moved(draft, folder, last, old):
            pass  # another process has made or replaced the folder meanwhile


def _moved(draft: Path, folder: Path, last: str, old: Callable[[str], bool] | None) -> bool:
    """Moves a set to its folder; returns whether the folder stayed the same meanwhile, else nothing was done."""
    if not folder.exists():
        try:
            os.rename(draft, folder)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return False
        return True
    before = folder.stat()
    with folder_lock(folder, wait=_LOCKED_SECONDS) as held:
        if held is False:
            raise InputError(f"{folder}: another program keeps it locked; end that program, or name another folder")
        if not folder.exists() or not os.path.samestat(before, folder.stat()):
            return False
        there = os.listdir(folder)
        # The current folder stays: a shell that is in it would see nothing of another one in its place.
        if beside(folder) and not there and not _is_current(before):
            with contextlib.suppress(OSError, AttributeError):  # on Windows there is no chown
                os.chown(draft, before.st_uid, before.st_gid)
            os.chmod(draft, stat.S_IMODE(before.st_mode))
            os.rename(draft, folder)
            return True
        # Folders first: of most formats a set without its files is none.
        names = sorted(os.listdir(draft), key=lambda name: (name == last, not (draft / name).is_dir(), name))
        own = [name for name in there if not is_draft(Path(name))]
        if old is None and (set(names) & set(own) or (own and not last)):
            raise InputError(f"{folder}: another program has written there meanwhile; name another folder")
        earlier = [name for name in own if name == last or name in names or (old and old(name))]
        _exchange(draft, folder, names, sorted(earlier, key=lambda name: name != last))
    return True


def _is_current(status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.stat(os.curdir))
    except OSError:  # it was removed
        return False


def _exchange(draft: Path, folder: Path, names: list[str], earlier: list[str]) -> None:
    """Moves files out of a folder and others in from a draft, in these orders; after an exception the folder is as it was."""
    for name in earlier:
        if (folder / name).is_dir():
            raise InputError(f"{folder / name} is a folder, where a file is to be written; move it, or name another folder")
    aside = draft / draft_name()
    aside.mkdir()
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in [
            *((folder / name, aside / name) for name in earlier),
            *((draft / name, folder / name) for name in names),
        ]:
            os.rename(source, target)
            moved.append((source, target))
    except BaseException:
        for source, target in reversed(moved):
            os.rename(target, source)
        raise


def beside(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder can be written beside this one and be renamed to it: not if it is a mount point, or its parent fixed."""
    folder = os.path.realpath(folder)
    return not _is_mount(folder) and (not os.path.exists(folder) or os.access(os.path.dirname(folder), os.W_OK))


def _is_mount(folder: str) -> bool:
    """Whether a folder is a mount point; Linux alone tells of one that shows a folder of the same disk."""
    try:
        table = _MOUNTS.read_bytes()
    except OSError:
        table = b""
    points = (line.split()[4] for line in table.splitlines())
    same = os.fsencode(folder)
    return os.path.ismount(folder) or any(
        re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), point) == same for point in points
    )


def _remove(draft: Path, failed: bool) -> None:
    """Removes a temporary folder; after a failure, a library's threads may write into it for a moment yet, and make it anew."""
    deadline = time.monotonic() + _LATE_SECONDS
    shutil.rmtree(draft, ignore_errors=True)
    while failed and time.monotonic() < deadline:
        time.sleep(_QUIET_SECONDS)
        if not draft.exists():
            break
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _aside(out: Path, place: Path) -> Iterator[Path]:
    """A temporary folder in `place` for what becomes `out`; both are named `out` in errors, and removed with what was made."""
    made = [folder for folder in (place, *place.parents) if not folder.exists()]
    draft, failed = place / draft_name(), True
    try:
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        place.mkdir(parents=True, exist_ok=True)
        remove_left_behind(place)
        draft.mkdir()
        with folder_lock(draft, wait=0):
            yield draft
        failed = False
    except InputError as error:
        raise InputError(str(error).replace(str(draft), str(out))) from error
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        _remove(draft, failed)
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()  # refuses folders that are not empty
