"""Finding the pictures that a file of annotations names, in the folders where tools put them."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from yolojax.data.formats.find import find_file, folders_in, split_of_name, standard_split, visible_names
from yolojax.data.images import ENDINGS
from yolojax.data.problems import OnProblem


def files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files directly in a folder that are not hidden and have one of the endings, sorted; none if it cannot be read."""
    return [folder / name for name in visible_names(folder) if name.lower().endswith(endings)]


def picture_folders(file: Path) -> list[Path]:
    """The folders in which a file's pictures may lie, in the order in which they are looked at.

    They are the file's folder, folders named like the file or like the split in its name, and images/, img/ and JPEGImages/ in
    the file's folder and beside it.
    """
    here, above = file.parent, file.absolute().parent.parent
    bases = [*(base / name for base in (here, above) for name in ("images", "img", "JPEGImages"))]
    split = split_of_name(file.stem)
    folders = []
    for parent in (here, *bases, above):
        for folder in folders_in(parent):
            if folder.name.lower() == file.stem.lower() or (split is not None and standard_split(folder.name) == split):
                folders.append(folder)
    return [here, *folders, *bases]


def locate_pictures(names: Mapping[str, str], folders: Iterable[Path], on_problem: OnProblem) -> dict[str, str]:
    """Find pictures on disk.

    Tried in each folder are the name as it is written, the name with the ending of a picture if it has none, and then the
    same for its last part alone, as files hold the absolute paths of another computer.

    Args:
        names: for each name of a picture, as it is written, the place where it is written.
        folders: where to look, in this order.
        on_problem: called with "missing picture" for a picture that is not found, or found under the name of another picture,
            and with "other form of name" for one that is found by another form of its name.

    Returns:
        {name: path}; for a missing picture its name in the first folder.
    """
    folders = list(folders)
    paths: dict[str, str] = {}
    for name, where in names.items():
        found = _find(name, folders, where, on_problem)
        if found is not None:
            paths[name] = found
    owners = {os.path.abspath(path): name for name, path in paths.items()}
    for name, where in names.items():
        last = re.split(r"[\\/]", name)[-1]
        if name not in paths and last != name:
            found = _find(last, folders, where, on_problem)
            if found is not None and (other := owners.setdefault(os.path.abspath(found), name)) == name:
                on_problem("other form of name", f"{where}: {name} is {found} on disk")
                paths[name] = found
            elif found is not None:
                message = f"{where}: there is no picture {name}, and {found} is already the picture {other}"
                on_problem("missing picture", message)
                paths[name] = str(folders[0] / name)
        if name not in paths:
            looked = ", ".join(dict.fromkeys(str(folder) for folder in folders if folder.is_dir()))
            on_problem("missing picture", f"{where}: there is no picture {name} in any of {looked}")
            paths[name] = str(folders[0] / name)
    return paths


def _find(name: str, folders: Iterable[Path], where: str, on_problem: OnProblem) -> str | None:
    """The picture of that name in the first folder that has it, or None."""
    known = os.path.splitext(name)[1].lower() in ENDINGS
    for folder in folders:
        path = find_file(folder / name, where, on_problem)
        if os.path.isfile(path) and name:
            return path
        for ending in () if known else sorted(ENDINGS):
            path = f"{folder / name}{ending}"
            if os.path.isfile(path):
                return path
    return None
