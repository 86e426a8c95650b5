"""Which label file belongs to which picture of a YOLO data set, and which belong to none."""

import difflib
import filecmp
import os
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path

from yolojax.data.formats.find import visible_names, walk
from yolojax.data.formats.yolo_labels import is_empty, looks_like_labels
from yolojax.data.images import ENDINGS, UNREAD_ENDINGS
from yolojax.data.problems import OnProblem

PICTURE_FOLDERS = frozenset({"images", "image", "jpegimages", "imgs", "img"})
_LABEL_FOLDERS = frozenset({"labels", "label"})
# Folders of these names hold YOLO labels only if that shows in the files.
_ANNOTATION_FOLDERS = frozenset({"annotations", "annots"})
# The first that is there has the class names. Roboflow's export for Darknet writes _darknet.labels.
NAMES_FILES = (
    *("classes.txt", "obj.names", "classes.names", "_darknet.labels", "_classes.txt", "class_names.txt", "names.txt"),
    "predefined_classes.txt",
)
_LOOKED_INTO = 20  # files with something in them, to find out what a folder holds
_NEAREST = 20  # label files for which the nearest picture is looked for


def find_labels(pictures: Iterable[str], roots: Iterable[Path], on_problem: OnProblem) -> dict[str, str]:
    """Find the label files of pictures: in the label folder that goes with theirs, else beside them.

    A label belongs to the picture of the same name without its ending. Where that leaves a label and exactly one picture whose
    names differ only in case, blanks, the form of their Unicode letters or the picture's ending (`a.jpg.txt`), they belong
    together as well.

    Args:
        pictures: paths of the pictures that are used.
        roots: folders that were searched for them; all labels that go with these are looked at.
        on_problem: called with "other form of name" for a label that was found so; "label without picture" for a label whose
            picture is not on disk; "second label" for one beside a picture that has another, different label elsewhere; "other
            file" for another text file among the labels; "hidden file".

    Returns:
        {picture: its label file} for the pictures that have one.
    """
    by_folder: dict[Path, list[str]] = {}
    for picture in pictures:
        by_folder.setdefault(Path(picture).parent, []).append(picture)
    labels: dict[str, str] = {}
    label_folders: set[Path] = set()
    unmatched: list[tuple[Path, Collection[str]]] = []
    for folder, members in by_folder.items():
        own = label_folder(folder)
        label_folders |= {own, folder}
        unmatched += _match(folder, members, own, labels, on_problem)
    for root in roots:
        own = label_folder(root)
        own = own if own.is_dir() else root
        for path in walk(own, on_problem):
            if path.parent not in label_folders and _may_be_label(path.name):
                # No picture that is used lies in the folder that goes with it.
                on_disk = _pictures_on_disk(root / path.parent.relative_to(own))
                if path.stem not in {os.path.splitext(name)[0] for name in on_disk}:
                    unmatched.append((path, ()))
    matched = set(labels.values())
    unmatched = [(path, candidates) for path, candidates in unmatched if str(path) not in matched]
    for number, (path, candidates) in enumerate(unmatched):
        _report(path, candidates if number < _NEAREST else (), on_problem)
    return labels


def label_folder(folder: Path) -> Path:
    """Where the labels of a folder of pictures are: labels/train for images/train, whatever the spelling on disk.

    Args:
        folder: a folder of pictures.

    Returns:
        An existing folder if there is one; else labels/ in the place of the last images/; else the folder itself.
    """
    parts = folder.parts
    canonical = None
    for at in reversed([number for number, part in enumerate(parts) if part.lower() in PICTURE_FOLDERS]):
        above, below = Path(*parts[:at]), parts[at + 1 :]
        usual = above.joinpath("labels", *below)
        canonical = usual if canonical is None and parts[at] == "images" else canonical
        if usual.is_dir():
            return usual
        for name in visible_names(above):
            place = above.joinpath(name, *below)
            if name.lower() in _LABEL_FOLDERS | _ANNOTATION_FOLDERS and place.is_dir():
                if name.lower() in _LABEL_FOLDERS or holds_labels(place):
                    return place
    return canonical or folder


def holds_labels(folder: Path, *, into: bool = True) -> bool:
    """Whether one of the first text files in a folder, and in its folders if wished, has lines of numbers as labels do."""
    looked_into = 0
    for path in walk(folder, lambda *_: None, into=into):
        if path.suffix.lower() == ".txt" and _may_be_label(path.name):
            if looks_like_labels(path):
                return True
            looked_into += not is_empty(path)
            if looked_into == _LOOKED_INTO:
                break
    return False


def _match(
    folder: Path, members: Iterable[str], own: Path, labels: dict[str, str], on_problem: OnProblem
) -> list[tuple[Path, Collection[str]]]:
    """Add the labels of a folder's pictures to `labels`; return the files left over, with the pictures that lack a label."""
    used = {os.path.basename(picture): picture for picture in members}
    on_disk = sorted({*_pictures_on_disk(folder), *used})
    files = {place: {name for name in visible_names(place) if _may_be_label(name)} for place in (own, folder)}
    exact = {f"{os.path.splitext(name)[0]}.txt" for name in on_disk}
    lonely = []
    for name in on_disk:
        label = f"{os.path.splitext(name)[0]}.txt"
        place = next((place for place, names in files.items() if label in names), None)
        if place is None:
            lonely.append(name)
        elif name in used:
            labels[used[name]] = str(place / label)
            if place != folder and label in files[folder] and _is_other_label(folder / label, place / label):
                message = f"{folder / label}: the label of {used[name]} is {place / label}, and its lines are others; keep one"
                on_problem("second label", message)
    left = [place / name for place, names in files.items() for name in sorted(names - exact)]
    # Beside the pictures lie other text files as well.
    left = [path for path in left if path.parent != folder or looks_like_labels(path)]
    for label, name in _alike(left, lonely):
        left.remove(label)
        lonely.remove(name)
        if name in used:
            labels[used[name]] = str(label)
            on_problem("other form of name", f"{label}: the label of {used[name]}; give both the same name")
    return [(path, lonely) for path in left]


def _is_other_label(path: Path, used: Path) -> bool:
    """Whether a file has the lines of a label, and not those of the label that is used."""
    try:
        return looks_like_labels(path) and not filecmp.cmp(path, used, shallow=False)
    except OSError:
        return True  # the label that is used is reported when it is read


def _alike(labels: Iterable[Path], pictures: Iterable[str]) -> list[tuple[Path, str]]:
    """The pairs of a label and a picture that have the same name in another form, where there is only one of each."""
    by_name: dict[str, list[str]] = {}
    for name in pictures:
        for form in {_plain(os.path.splitext(name)[0]), _plain(name)}:
            by_name.setdefault(form, []).append(name)
    found: dict[str, list[Path]] = {}
    for label in labels:
        names = by_name.get(_plain(label.stem), [])
        if len(names) == 1:
            found.setdefault(names[0], []).append(label)
    return [(files[0], name) for name, files in found.items() if len(files) == 1]


def _report(path: Path, candidates: Collection[str], on_problem: OnProblem) -> None:
    """Say that a text file belongs to no picture."""
    if not (looks_like_labels(path) or is_empty(path)):
        on_problem("other file", f"{path}: its lines are not class x y width height")
        return
    nearest = difflib.get_close_matches(path.stem, [os.path.splitext(name)[0] for name in candidates], 1, 0.5)
    name = next((name for name in candidates if nearest and os.path.splitext(name)[0] == nearest[0]), None)
    advice = (
        f"the nearest without a label is {name}; give both the same name" if name else "add the picture or remove the label"
    )
    on_problem("label without picture", f"{path}: there is no picture of this name; {advice}")


def _may_be_label(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".txt") and lower not in NAMES_FILES and not lower.startswith(("readme", "license"))


def _pictures_on_disk(folder: Path) -> list[str]:
    return [name for name in visible_names(folder) if os.path.splitext(name)[1].lower() in ENDINGS | UNREAD_ENDINGS]


def _plain(name: str) -> str:
    """A name without what differs between systems: case, blanks, the form of Unicode letters."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())
