"""Where the pictures of a COCO file lie: in the usual folders, and under other forms of their paths."""

import collections
import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from yolojax.data.formats.find import find_file, split_of_name, walk
from yolojax.data.problems import OnProblem

_ANNOTATION_FOLDERS = ("annotations", "annotation", "annots", "labels")


def find_pictures(path: Path, file_names: Mapping[int | str, str], on_problem: OnProblem) -> dict[int | str, str]:
    """Find the pictures of a COCO file.

    A picture is looked for under its path in the first of the usual folders that holds any. One that is not there is the only
    file of this name in these folders and those inside, or of several the one that shares most folders of the path, if no
    other image is meant by it.

    Args:
        path: the COCO file.
        file_names: {image id: file name}.
        on_problem: called with "other form of name" and "missing picture".

    Returns:
        {image id: path of the picture}; for a missing one, the path where it should be.
    """
    folders = picture_folders(path)
    folder = _first_folder(folders, file_names.values())
    pictures: dict[int | str, str] = {}
    missing: dict[int | str, str] = {}
    for number, file_name in file_names.items():
        pictures[number] = find_file(folder / file_name, f"{path}: image {number!r}", on_problem)
        if not os.path.isfile(pictures[number]):
            missing[number] = file_name
    if missing:
        elsewhere = _look_elsewhere(path, folders, missing)
        present = [picture for number, picture in pictures.items() if number not in missing]
        claims = collections.Counter(map(os.path.realpath, [*present, *elsewhere.values()]))
        for number, file_name in missing.items():
            where, picture = f"{path}: image {number!r}", elsewhere.get(number)
            if picture and claims[os.path.realpath(picture)] == 1:
                on_problem("other form of name", f"{where}: {file_name} is {picture} on disk")
                pictures[number] = picture
            else:
                looked = f"there is no picture {file_name} in any of {', '.join(map(str, folders))}"
                on_problem("missing picture", f"{where}: {looked}")
    return pictures


def picture_folders(path: Path) -> list[Path]:
    """The folders in which the pictures of a COCO file may lie, the likeliest first; all but the first exist.

    For annotations/instances_val2017.json these are annotations/, ../val2017 and ../val, ../images/val2017, ../images, ../data
    and .. itself; the same folders beside the file come before.
    """
    above = path.absolute().parent.parent
    subset = path.stem.rpartition("_")[2]
    folders = [path.parent]
    for base in (path.parent, above):
        inside = [base / "images", base / "data"]
        for folder in (base, *inside):
            folders += _subset_folders(folder, subset)
        folders += inside
    folders.append(above)
    return [folders[0], *dict.fromkeys(folder for folder in folders[1:] if folder.is_dir() and folder != folders[0])]


def _subset_folders(base: Path, subset: str) -> list[Path]:
    """The folder of a split in another folder: by its name, or without its year, or in another spelling."""
    split = split_of_name(subset)
    names = [subset]
    if split:
        try:
            listed = sorted(os.listdir(base))
        except OSError:
            listed = []
        # train2014 and train2017 are two splits.
        dated = any(map(str.isdigit, subset))
        names += [name for name in listed if split_of_name(name) == split and not (dated and any(map(str.isdigit, name)))]
    return [base / name for name in dict.fromkeys(names) if name]


def _first_folder(folders: list[Path], file_names: Iterable[str]) -> Path:
    """The first folder that holds the first picture; if none does, the one that holds the next picture."""
    for file_name in filter(None, file_names):
        for folder in folders:
            if os.path.isfile(find_file(folder / file_name, "", lambda kind, message: None)):
                return folder
    return folders[0]


def _look_elsewhere(path: Path, folders: list[Path], missing: Mapping[int | str, str]) -> dict[int | str, str]:
    """{image id: path} of the missing pictures for which a file of their name is found in the folders of the data set."""
    above = path.absolute().parent.parent
    inside = [folder for folder in folders if folder != above or path.parent.name.lower() in _ANNOTATION_FOLDERS]
    wanted = {number: _parts(file_name) for number, file_name in missing.items()}
    by_name: dict[str, dict[str, Path]] = {parts[-1]: {} for parts in wanted.values() if parts}
    for folder in inside:
        for file in walk(folder, lambda kind, message: None):
            if (name := unicodedata.normalize("NFC", file.name)) in by_name and file.is_file():
                by_name[name].setdefault(os.path.realpath(file), file)
    found = {}
    for number, parts in wanted.items():
        files = list(by_name[parts[-1]].values()) if parts else []
        shared = [_shared(parts, _parts(str(file))) for file in files]
        if files and (len(files) == 1 or (max(shared) > 1 and shared.count(max(shared)) == 1)):
            found[number] = str(files[shared.index(max(shared))])
    return found


def _parts(file_name: str) -> list[str]:
    """The folders and the name of a path, in one Unicode form and without what only leads around.

    Label Studio writes /data/local-files/?d=FOLDER/NAME for pictures of a local folder.
    """
    path = unicodedata.normalize("NFC", file_name).replace("\\", "/").rpartition("?d=")[2]
    return [part for part in path.split("/") if part not in ("", ".", "..")]


def _shared(parts: list[str], others: list[str]) -> int:
    """How many parts at their ends two paths share."""
    count = 0
    for part, other in zip(reversed(parts), reversed(others), strict=False):
        if part != other:
            break
        count += 1
    return count
