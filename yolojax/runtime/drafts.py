"""The names under which files and folders are written before they get their own, and what killed programs left under them."""

import contextlib
import re
import secrets
import shutil
import stat
import time
from pathlib import Path

from yolojax.runtime.locks import folder_lock

FOLDER_SECONDS = 60
"""A draft folder without a lock that is younger may be one whose program has not locked it yet."""
FILE_SECONDS = 24 * 3600
"""Files have no lock: one that has changed since may be a video that is still written, however slowly."""


def draft_name() -> str:
    """A new name, unlike any other: hidden, short and ASCII, without an extension, so that it is not taken for a picture."""
    return f".yolojax.{secrets.token_hex(6)}.tmp"


def draft_of(path: Path) -> Path:
    """Another name in the folder of a file, under which it can be written before it gets its own by a rename.

    A rename is atomic in one file system only. The name has the file's extension.
    """
    return path.with_name(f"{draft_name()}{path.suffix if len(path.suffix) < 9 and path.suffix.isascii() else ''}")


def is_draft(path: Path) -> bool:
    """Whether a file or folder is one that is being written, or was when its program was killed."""
    return re.match(r"\.yolojax\.[0-9a-f]{12}\.tmp", path.name) is not None


def remove_left_behind(folder: Path) -> None:
    """Removes what killed programs left in a folder: draft folders whose lock nobody holds, and draft files of days ago."""
    with contextlib.suppress(OSError):
        for draft in filter(is_draft, folder.iterdir()):
            status = draft.lstat()
            age = time.time() - status.st_mtime
            if stat.S_ISDIR(status.st_mode) and age > FOLDER_SECONDS:
                with folder_lock(draft, wait=0) as held:
                    if held:
                        shutil.rmtree(draft, ignore_errors=True)
            elif stat.S_ISREG(status.st_mode) and age > FILE_SECONDS:
                draft.unlink()
