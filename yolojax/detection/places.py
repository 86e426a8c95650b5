"""Where the outputs of a detection run go: names of their own, and never the place of one of the user's files."""

import contextlib
import os
import re
from pathlib import Path

from yolojax.data.formats.yolo import label_path
from yolojax.data.images import WRITTEN_ENDINGS
from yolojax.errors import InputError
from yolojax.runtime.drafts import draft_of
from yolojax.runtime.file_names import folded
from yolojax.runtime.files import naming
from yolojax.runtime.marks import mark_output, refuse_to_replace

_FRAME = re.compile(r"(.+)-[0-9]{6,}")  # a frame's output has its video's name and its own number of six digits


class Places:
    """The places that the outputs of one run may take in a folder.

    Names are chosen so that no source that is known is overwritten. Of the other files that were there before, only outputs of
    earlier runs are replaced. Where more sources may come, on standard input, such an output may be one of them: what is to
    replace it is written beside it, and takes its place in `release`, when all sources are known.

    Args:
        out: the folder.
        more_to_come: whether sources may come that are not known yet.
    """

    def __init__(self, out: Path, *, more_to_come: bool = False) -> None:
        self._out, self._more_to_come = out, more_to_come
        self._sources: set[tuple[int, int]] = set()
        self._drawings, self._stems, self._videos, self._like_frames = set[str](), set[str](), set[str](), set[str]()
        self._held: list[tuple[Path, Path]] = []

    def protect(self, path: str | os.PathLike[str] | int) -> None:
        """Registers a file that no output may overwrite, or an open file by its number; of a picture, its YOLO labels too."""
        with contextlib.suppress(OSError, ValueError):  # it may be missing; "." has no labels
            self._sources.add(_identity(path))
            if not isinstance(path, int):
                self._sources.add(_identity(label_path(path)))

    def drawing(self, path: Path, ending: str | None = None) -> Path:
        """Chooses the file for the drawing of a source: of the source's name, with a number if another has that.

        Args:
            path: the path of the source.
            ending: the extension; by default the picture's own, or .png for formats that cannot be written.

        Raises:
            InputError: it would overwrite a source.
        """
        writable = ending or path.suffix.lower() in WRITTEN_ENDINGS
        stem, suffix = (path.stem, ending or path.suffix) if writable else (path.name, ".png")
        name, number = stem + suffix, 1
        while folded(name) in self._drawings:
            number += 1
            name = f"{stem}-{number}{suffix}"
        self._drawings.add(folded(name))
        self._refuse_source(self._out / name)
        return self._out / name

    def stem(self, path: Path, *, video: bool = False) -> str:
        """Chooses the name, without extension, of the labels and crops of a source; those of a video's frames begin with it.

        Raises:
            InputError: the labels would overwrite a source or its labels.
        """
        name, number = path.stem, 1
        while self._meets(name, video):
            number += 1
            name = f"{path.stem}-{number}"
        self._stems.add(folded(name))
        if video:
            self._videos.add(folded(name))
        elif like_frame := _FRAME.fullmatch(folded(name)):
            self._like_frames.add(like_frame[1])
        self._refuse_source(self._out / "labels" / f"{name}.txt")
        return name

    def place(self, target: Path) -> Path:
        """The path to write for an output, in general the output's own.

        Raises:
            InputError: as for `check`.
        """
        self.check(target)
        if not self._more_to_come or not os.path.lexists(target):
            return target
        draft = draft_of(target)
        self._held.append((draft, target))
        return draft

    def release(self) -> list[InputError]:
        """Moves what was written beside its place there; returns an error for each that could not be."""
        errors = []
        while self._held:
            draft, target = self._held.pop()
            if draft.exists():
                try:
                    self.check(target)
                    with naming(target):
                        mark_output(draft, target)
                        os.replace(draft, target)
                except InputError as error:
                    errors.append(error)
                except OSError as error:
                    errors.append(InputError(f"{target}: cannot be written: {error.strerror}"))
                draft.unlink(missing_ok=True)
        return errors

    def discard(self) -> None:
        """Removes what was written beside its place."""
        while self._held:
            self._held.pop()[0].unlink(missing_ok=True)

    def check(self, target: Path) -> None:
        """Refuses a place that is taken by a file of the user's.

        Raises:
            InputError: the file is a source or its labels, was not written by an earlier run, or was changed since, or there is
                a folder in its place.
        """
        self._refuse_source(target)
        refuse_to_replace(target)
        if target.is_dir():
            raise InputError(f"{target} is a folder, and a file is to be written there; move it, or name another --out")

    def _refuse_source(self, target: Path) -> None:
        if os.path.exists(target) and _identity(target) in self._sources:
            raise InputError(f"{target} is a source, or the labels of one, and would be overwritten; name another --out")

    def _meets(self, stem: str, video: bool) -> bool:
        """Whether files that begin with a stem might be those of another source."""
        name = folded(stem)
        frame = _FRAME.fullmatch(name)
        return name in self._stems or bool(frame and frame[1] in self._videos) or (video and name in self._like_frames)


def _identity(path: str | os.PathLike[str] | int) -> tuple[int, int]:
    """Tells files apart even if links or letter case give one file several names."""
    status = os.stat(path)
    return status.st_dev, status.st_ino
