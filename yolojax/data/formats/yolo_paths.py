"""Where the paths in a data.yaml and in its lists of pictures lead, whatever they are relative to."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from yolojax.data.formats.find import find_file, standard_split
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem

# Also as Windows writes it.
_ABSOLUTE = re.compile(r"/|\\|[A-Za-z]:")

_DEEPEST = 100
"""Parts of a path that leads from a data set to one of its pictures."""


def find_place(entry: str, folder: Path, root: str, where: str, on_problem: OnProblem) -> Path | None:
    """Find the folder, list or file that an entry of a data.yaml means; the first place that exists.

    Looked for are, in order: the entry from `root` in the folder of the data.yaml, from that folder, from `root` in the current
    folder, from the current folder, from the folder datasets/ where Ultralytics keeps its own; the entry without ../ before it,
    as Roboflow writes it beside train/; and the last parts of a path of another machine, beside the data.yaml.

    Args:
        entry: the path as written, with slashes or backslashes.
        folder: the folder of the data.yaml.
        root: its `path`; "" for none.
        where: the place of the entry, as "data.yaml: train".
        on_problem: called with "missing file" if nothing is found, and with "other form of name" if only the last parts are, or
            if `root` is a path of another machine.

    Returns:
        An existing path, or None.
    """
    bases = _bases(folder, root)
    forms = _forms(entry)
    inside = [form.lstrip("./") for form in forms if form.startswith("../")]
    tried = [base / form for base in bases for form in forms] + [base / form for base in bases[:2] for form in inside if form]
    tried = list(dict.fromkeys(tried))
    for place in tried:
        if os.path.exists(place):
            if _ABSOLUTE.match(root) and not os.path.exists(folder / root):
                on_problem("other form of name", f"{where}: there is no {root}; {place} is used")
            return place
    if place := next(filter(os.path.exists, _beside(entry, folder, root)), None):
        on_problem("other form of name", f"{where}: there is no {tried[0]}; {place} is used")
        return place
    others = f"; there is no {', '.join(map(str, tried[1:]))} either" if tried[1:] else ""
    on_problem("missing file", f"{where}: there is no {tried[0]}{others}")
    return None


def listed_pictures(path: Path, folder: Path, root: str, on_problem: OnProblem) -> dict[str, str]:
    """Read a list of pictures, one path a line: relative to the list, else to the data.yaml or to the current folder.

    Args:
        path: the list.
        folder: the folder of the data.yaml.
        root: its `path`; "" for none.
        on_problem: called for a picture that is missing, listed twice, or found under another form of its name.

    Returns:
        {picture: file and line}; a missing picture is one as well.
    """
    pictures: dict[str, str] = {}
    bases = list(dict.fromkeys([path.parent, *_bases(folder, root)]))
    for number, line in enumerate(read_lines(path, on_problem), 1):
        if not (line := line.strip()):
            continue
        where = f"{path}:{number}"
        picture = _listed_picture(line, bases, folder, where, on_problem)
        if picture in pictures:
            on_problem("picture twice", f"{where}: {picture} is already at {pictures[picture]}; keep one")
            continue
        pictures[picture] = where
    return pictures


def _listed_picture(line: str, bases: list[Path], folder: Path, where: str, on_problem: OnProblem) -> str:
    """The path of a picture as it exists, or from the list's folder if it does not."""
    first = os.path.normpath(bases[0] / line)
    for base in bases:
        if os.path.isfile(picture := os.path.normpath(base / line)):
            return picture
    for base in bases:
        if os.path.isfile(picture := find_file(os.path.normpath(base / line), where, on_problem)):
            return os.path.normpath(picture)
    if picture := next(filter(os.path.isfile, _beside(line, folder, "")), None):
        on_problem("other form of name", f"{where}: there is no {first}; {picture} is used")
        return os.path.normpath(picture)
    places = "the list's folder, the data.yaml's and the current one"
    on_problem("missing picture", f"{where}: there is no picture {first}; relative paths may start from {places}")
    return first


def _bases(folder: Path, root: str) -> list[Path]:
    """The folders that entries may be relative to."""
    roots = _forms(root)
    bases = [folder / form for form in roots] + [folder] + [Path(form) for form in roots] + [Path()]
    if root:
        bases += [
            place / form for place in (folder.parent / "datasets", Path("datasets"), Path("../datasets")) for form in roots
        ]
    return list(dict.fromkeys(bases))


def _beside(entry: str, folder: Path, root: str) -> Iterator[Path]:
    """Ends of a path, the longest first, from a folder.

    An end of one part, such as images, says too little unless it is named after a split. One of more than `_DEEPEST` parts is
    passed over: to try all ends takes the square of their number.
    """
    whole = PurePosixPath(f"{root}/{entry}".replace("\\", "/"))
    parts = [part for part in whole.parts if part not in ("/", "//", "..")][-_DEEPEST:]
    for start in range(len(parts)):
        end = parts[start:]
        if len(end) > 1 or standard_split(os.path.splitext(end[0])[0]):
            yield folder.joinpath(*end)


def _forms(path: str) -> list[str]:
    """A path as it is written, with slashes, and with the two forms of Unicode letters."""
    forms = (path, path.replace("\\", "/"), *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))
    return list(dict.fromkeys(forms))
