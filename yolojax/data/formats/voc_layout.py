"""Where the annotations and the pictures of VOC data lie, as the original and as labelling tools lay them out."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from yolojax.data.formats.find import folders_in, standard_split, visible_names, walk
from yolojax.data.images import ENDINGS
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError
from yolojax.runtime.files import open_regular

_ANNOTATIONS = ("annotations", "annotation", "annots", "annot", "labels", "xml", "xmls")
_PICTURES = ("jpegimages", "images", "image", "imgs", "img", "pictures", "photos")
_BEGINNING = 4096  # bytes of a file that tell what it is
_ANNOTATION = re.compile(rb"<(?:[\w.-]+:)?annotation[\s/>]", re.IGNORECASE)


class Part(NamedTuple):
    """Annotations and the pictures that they belong to.

    Attributes:
        split: the split that the folder's name stands for, or None.
        annotations: the folder of the .xml files.
        pictures: the folder of the pictures, which may be the same.
    """

    split: str | None
    annotations: Path
    pictures: Path


def find_parts(folder: Path) -> list[Part]:
    """Find the annotations in a folder.

    These are the layouts, the first that fits: Annotations/ and JPEGImages/ as in VOC, or annotations/ and images/ in one of
    several spellings; .xml files beside their pictures; either of these in train/, valid/ and the like; .xml files beside
    their pictures in other folders. Annotations in annotations/train/ and the like belong to splits too.

    Args:
        folder: the folder.

    Returns:
        The parts, by split; one without a split if the folder has none; none if it is not VOC.
    """
    if not os.path.isdir(folder):
        return []
    original = _original(folder)
    if original or (folder / "data.yaml").is_file():
        return original
    inside = folders_in(folder)
    if part := _apart(folder, inside):
        return _inner_splits(part) or [part]
    if flat := _flat(folder, []):
        return [flat]
    splits = [(name, path) for path in inside if (name := standard_split(path.name))]
    found = ((name, _apart(path, folders_in(path)) or _flat(path, folders_in(path))) for name, path in splits)
    parts = [part._replace(split=name) for name, part in found if part]
    if not parts and (flat := _flat(folder, inside)):
        return [flat]
    return sorted(parts, key=lambda part: part.split or "")


def xml_files(folder: Path, on_problem: OnProblem) -> list[Path]:
    """List the .xml files in a folder and the folders inside, in order; hidden ones are reported as such."""
    # A folder of such a name cannot be read, which must be said.
    folders = [path for path in folder.glob("*.xml") if os.path.isdir(path)]
    return sorted([*folders, *(path for path in walk(folder, on_problem) if path.suffix.lower() == ".xml")])


def is_annotation(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a VOC annotation, whatever its encoding."""
    try:
        with open_regular(path) as file:
            return bool(_ANNOTATION.search(file.read(_BEGINNING).replace(b"\0", b"")))
    except (OSError, InputError):
        return False


def _original(folder: Path) -> list[Part]:
    """Annotations/ of VOC itself, even if there is nothing in it."""
    annotations = folder / "Annotations"
    if not annotations.is_dir():
        return []
    listed = visible_names(annotations)
    if not any(name.lower().endswith(".xml") for name in listed) and any(name.lower().endswith(".json") for name in listed):
        return []  # COCO
    part = Part(None, annotations, _picture_folder(folder, folders_in(folder)))
    lists = (folder / "ImageSets/Main").is_dir()
    return ([] if lists else _inner_splits(part)) or [part]


def _apart(folder: Path, inside: list[Path]) -> Part | None:
    """A folder of annotations and one of pictures."""
    for name in _ANNOTATIONS:
        for path in inside:
            if path.name.lower() == name and any(is_annotation(file) for file in _xml(path)):
                return Part(None, path, _picture_folder(folder, inside))
    return None


def _picture_folder(folder: Path, inside: list[Path]) -> Path:
    for name in _PICTURES:
        for path in inside:
            if path.name.lower() == name:
                return path
    if any(os.path.splitext(name)[1].lower() in ENDINGS for name in visible_names(folder)):
        return folder
    return folder / "JPEGImages"


def _inner_splits(part: Part) -> list[Part]:
    """The parts of annotations/train/ and the like; none if there are annotations elsewhere as well."""
    inside = folders_in(part.annotations)
    if not inside or not all(standard_split(path.name) for path in inside):
        return []
    if any(name.lower().endswith(".xml") for name in visible_names(part.annotations)):
        return []
    pictures = {standard_split(path.name): path for path in folders_in(part.pictures)}
    splits = [(standard_split(path.name), path) for path in inside]
    parts = [Part(split, path, pictures.get(split, part.pictures)) for split, path in splits]
    return sorted(parts, key=lambda part: part.split or "")


def _flat(folder: Path, inside: list[Path]) -> Part | None:
    """Annotations beside the pictures, in the folder or in those inside."""
    for path in [folder, *inside]:
        files = (path / name for name in visible_names(path) if name.lower().endswith(".xml"))
        if any(is_annotation(file) for file in files):
            return Part(None, folder, folder)
    return None


def _xml(folder: Path) -> Iterator[Path]:
    return (path for path in walk(folder, lambda kind, message: None) if path.suffix.lower() == ".xml")
