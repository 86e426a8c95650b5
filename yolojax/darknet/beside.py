"""What lies beside a `.weights` file: the cfg of its network and the names of its classes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from yolojax.data.formats.names import read_names
from yolojax.data.published_classes import PUBLISHED, same_classes
from yolojax.errors import InputError

WEIGHTS = re.compile(r"\.(weights|backup|conv\.\d+)$")
"""How the names of Darknet's files of weights end: whole networks, copies made in training, and first layers alone."""

_TRAINED = re.compile(r"_(last|best|final|\d+)$")  # what Darknet adds to the name of the cfg


def is_weights(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of Darknet's weights, by its name."""
    return WEIGHTS.search(os.fspath(path)) is not None


def is_partial(path: str | os.PathLike[str]) -> bool:
    """Whether a file has the first layers of a network alone, by its name, such as darknet53.conv.74."""
    return re.search(r"\.conv\.\d+(\.weights)?$", os.fspath(path)) is not None


def find_cfg(weights: str | os.PathLike[str]) -> Path | None:
    """The cfg of a file of weights: the one of its name, beside it or in a folder cfg there, or the only one beside it.

    Args:
        weights: the path of the weights; what Darknet adds in training, such as _last, is not part of the name.

    Returns:
        Its path; None if there is none, or several of other names. First layers are those of many networks: theirs has their
        name.
    """
    named = next(_of_its_name(Path(weights), ".cfg", ("cfg", "../cfg")), None)
    return named or (None if is_partial(weights) else _only(Path(weights).parent, ".cfg"))


def find_names(weights: str | os.PathLike[str], classes: int) -> tuple[tuple[str, ...], str]:
    """The class names of a file of weights.

    They are in a .names file of its name, or the only .names file with so many names, beside it or in a folder data there.
    Networks of 80 and 20 classes without any are taken for the published ones, of COCO and VOC.

    Args:
        weights: the path of the weights.
        classes: the number of classes of its network.

    Returns:
        The names, and where they are from; if they are not known, () and the reason, if there is more to say.
    """
    weights = Path(weights)
    fitting: dict[tuple[str, ...], str] = {}
    for path in _of_its_name(weights, ".names", ("data", "../data")):
        fitting |= _names_of(path, classes)
    if not fitting:
        folders = (weights.parent, weights.parent / "data", weights.parent.parent / "data")
        for path in sorted(path for folder in folders for path in folder.glob("*.names")):
            fitting |= _names_of(path, classes)
    if fitting and all(len(same_classes(names, next(iter(fitting)))) == classes for names in fitting):
        return next(iter(fitting.items()))
    if fitting:
        return (), f"{' and '.join(fitting.values())} differ"
    if classes in PUBLISHED:
        data, names = PUBLISHED[classes]
        return names, f"those of {data}, which has {classes}"
    return (), ""


def _of_its_name(weights: Path, suffix: str, folders: tuple[str, ...]) -> Iterator[Path]:
    """Files with the name of the weights and another ending, beside them and in folders there."""
    stem = WEIGHTS.sub("", weights.name)
    for name in dict.fromkeys((stem, _TRAINED.sub("", stem))):
        for folder in (weights.parent, *(weights.parent / folder for folder in folders)):
            path = folder / f"{name}{suffix}"
            if path.is_file():
                yield path


def _only(folder: Path, suffix: str) -> Path | None:
    found = [path for path in folder.glob(f"*{suffix}") if path.is_file()]
    return found[0] if len(found) == 1 else None


def _names_of(path: Path, classes: int) -> dict[tuple[str, ...], str]:
    """{names: path} of a file of so many names; {} of any other."""
    try:
        names = read_names(path)
    except InputError:
        return {}
    return {names: str(path)} if len(names) == classes else {}
