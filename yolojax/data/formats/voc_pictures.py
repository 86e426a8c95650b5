"""Which picture an annotation file of VOC belongs to."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from yolojax.data.formats.find import find_file, walk
from yolojax.data.images import ENDINGS, UNREAD_ENDINGS
from yolojax.data.problems import OnProblem


class Pictures:
    """The pictures of a folder and of the folders inside, found for their annotations."""

    def __init__(self, folder: Path, labelled: Iterable[str], on_problem: OnProblem) -> None:
        """List the pictures.

        Args:
            folder: the folder.
            labelled: the annotations' paths from their folder, without their extension.
            on_problem: called if it cannot be read, for hidden files and for pictures in formats that are not read.
        """
        self.folder = folder
        self._labelled = set(map(_form, labelled))
        self._on_problem = on_problem
        self._files: list[str] = []
        self._of_stem: dict[str, list[str]] = {}
        self._of_base: dict[str, list[str]] = {}
        self._of_likeness: dict[str, list[str]] = {}
        self._unread: set[str] = set()
        self._owners: dict[str, str] = {}
        try:
            os.scandir(folder).close()
        except OSError as error:
            on_problem("missing file", f"{folder}: the folder of the pictures cannot be read: {error.strerror}")
        for path in walk(folder, on_problem):
            ending = path.suffix.lower()
            name = path.relative_to(folder).as_posix()
            stem = _stem(name)
            if ending in UNREAD_ENDINGS:
                on_problem("unknown picture format", f"{path}: {ending} is not read; save the picture as .jpg or .png")
                self._unread.add(_form(stem))
            elif ending in ENDINGS:
                self._files.append(name)
                self._of_stem.setdefault(_form(stem), []).append(name)
                self._of_base.setdefault(_form(os.path.basename(stem)), []).append(name)
                self._of_likeness.setdefault(_likeness(stem), []).append(name)

    def of(self, name: str, stated: str, source: str) -> str | None:
        """Find the picture of an annotation.

        It is the one of the same stem, in the same folder or, if that is the only one, in another; or else the one that
        <filename> states.

        Args:
            name: the annotation's path from the folder of annotations, without its extension.
            stated: what <filename> says, or "".
            source: the annotation file, for messages.

        Returns:
            The picture's path, which may not exist if that was reported as "missing picture"; None for others that were
            reported.
        """
        if (found := self._alike(name, stated, source)) is None:
            if ".." in Path(stated.replace("\\", "/")).parts or os.path.isabs(stated):
                message = f"{source}: <filename> {stated!r} leads out of {self.folder.name}; write the name of a file there"
                return self._on_problem("path outside", message)
            if _form(name) in self._unread:
                return None  # reported with the picture
            found = self._stated(stated, source)
        if found is None or not os.path.isfile(self.folder / found):
            expected = self.folder / (stated or f"{name}.jpg")
            if near := self._near(name):
                self._owners.update(dict.fromkeys(near, source))
                message = f"{source}: there is no picture {expected}, but {self.folder / near[0]}; give both the same name"
                return self._on_problem("differing name", message)
            self._on_problem("missing picture", f"{source}: there is no picture {expected}")
            return str(expected)
        if self._owners.get(found, source) != source:
            message = f"{source}: {self.folder / found} is the picture of {self._owners[found]} as well; keep one of the two"
            return self._on_problem("two annotations", message)
        self._owners[found] = source
        return str(self.folder / found)

    def report_unlabelled(self) -> None:
        """Report the pictures that belong to no annotation."""
        # With a.jpg and a.png there is one annotation for both, of which it uses one.
        labelled = self._labelled | {_form(_stem(name)) for name in self._owners}
        for name in self._files:
            if _form(_stem(name)) not in labelled:
                self._on_problem("picture without label", f"{self.folder / name}: there is no annotation file for it")

    def _alike(self, name: str, stated: str, source: str) -> str | None:
        """The picture of an annotation's stem."""
        found = self._of_stem.get(_form(name), [])
        if not found:
            other = self._of_base.get(_form(os.path.basename(name)), [])
            found = other if len(other) == 1 else [other_name for other_name in other if other_name == stated]
        if not found:
            # a.jpg.xml
            found = [picture for picture in self._of_stem.get(_form(_stem(name)), []) if _form(picture) == _form(name)]
            if found:
                self._on_problem("other form of name", f"{source}: its picture is {found[0]}")
        picture = stated if stated in found else found[0] if found else None
        stems = [os.path.basename(stem) for stem in (name, _stem(picture or name))]
        if stems[0] != stems[1] and _form(stems[0]) == _form(stems[1]):
            self._on_problem("other form of name", f"{source}: its picture is {picture}, in another Unicode form")
        return picture

    def _stated(self, stated: str, source: str) -> str | None:
        """The picture that <filename> states: as it is, without its folders, or completed by its extension."""
        base = stated.replace("\\", "/").rpartition("/")[2]
        for name in dict.fromkeys((stated, base)) if stated else ():
            path = self.folder / name
            found = os.path.relpath(find_file(path, source, self._on_problem), self.folder)
            if os.path.isfile(self.folder / found):
                return Path(found).as_posix()
            completed = self._of_stem.get(_form(name), [])
            if len(completed) == 1:
                return completed[0]
        return None

    def _near(self, name: str) -> list[str]:
        """The pictures whose names differ from an annotation's in case, blanks and the like."""
        alike = self._of_likeness.get(_likeness(name), [])
        return [picture for picture in alike if _form(_stem(picture)) not in self._labelled]


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _form(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _likeness(name: str) -> str:
    """What is left of a name without case, blanks, punctuation and the extension of a picture."""
    stem, ending = os.path.splitext(name.strip())
    name = stem if ending.lower() in ENDINGS else name
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", os.path.basename(name)).casefold())
