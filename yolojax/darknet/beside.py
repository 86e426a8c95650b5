"""What lies beside a `.weights` file: the cfg of its network and the names of its classes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from yolojax.darknet.cfg import read_cfg
from yolojax.darknet.describe import model_of
from yolojax.darknet.detector import class_names, stated_fit
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

    Raises:
        InputError: a .names file of its name cannot be read, or has another number of names.
    """
    weights = Path(weights)
    fitting: dict[tuple[str, ...], str] = {}
    for path in _of_its_name(weights, ".names", ("data", "../data")):
        fitting[class_names(path, weights, classes)] = str(path)
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


class Companions(NamedTuple):
    """What belongs to a file of weights.

    Attributes:
        cfg: the path of its cfg.
        names: the class names; () where they are not known.
        named_by: where the names are from; if they are not known, the reason or "".
        fit: how the cfg says that pictures are fitted, see `stated_fit`.
    """

    cfg: str | os.PathLike[str]
    names: tuple[str, ...]
    named_by: str
    fit: str

    def about_names(self) -> str:
        """A line about the class names."""
        if self.names:
            return f"class names: {self.named_by}"
        return f"class names: not known, so their numbers{f'; {self.named_by}' * bool(self.named_by)} (--names)"


def find_companions(
    weights: str | os.PathLike[str], cfg: str | os.PathLike[str] | None = None, names: str | os.PathLike[str] | None = None
) -> Companions:
    """The cfg and the class names of a file of weights, for a whole network.

    Args:
        weights: the path of the weights.
        cfg: the path of its cfg; None: the one that `find_cfg` finds.
        names: the path of a file of class names; None: those that `find_names` finds.

    Raises:
        InputError: there is no cfg, or it or the names cannot be read.
    """
    cfg = cfg or find_cfg(weights)
    if cfg is None:
        raise InputError(f"{weights}: there is no cfg of its name beside it; give its cfg with --cfg")
    sections = read_cfg(cfg)
    number = model_of(sections)[0].num_classes
    own = find_names(weights, number) if names is None else (class_names(names, cfg, number), os.fspath(names))
    return Companions(cfg, *own, stated_fit(sections))


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
