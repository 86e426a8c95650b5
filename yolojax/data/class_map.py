"""Data whose classes are some of a network's, in another order or under other names, with the network's class numbers."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from yolojax.data.annotations import Record
from yolojax.data.formats.read import Annotations, read_annotations
from yolojax.data.published_classes import same_classes
from yolojax.data.single_class import NUMBERS
from yolojax.errors import InputError

_NAMED = 5  # classes in a message, at most


def parse_class_map(text: str) -> dict[str, str]:
    """Parse "motorbike=motorcycle,truck=": names in the data and what the network calls them, "" for classes to leave out.

    Raises:
        InputError: a part has no "=", or no name before it, or a name comes twice.
    """
    pairs: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, network_name = (word.strip() for word in part.partition("="))
        if not equals or not name:
            raise InputError(f"--class_map: {part.strip()!r} is not NAME_IN_THE_DATA=NAME_OF_THE_NETWORK")
        if name in pairs:
            raise InputError(f"--class_map: {name!r} comes twice")
        pairs[name] = network_name
    return pairs


def read_for_classes(
    data: str | os.PathLike[str], split: str, names: Sequence[str], class_map: Mapping[str, str], *, single_class: bool = False
) -> tuple[Annotations, tuple[int, ...]]:
    """Read a data set for a network that was trained on another one.

    A class of the data is the network's class of the same name, else the one whose name Darknet or COCO spells otherwise
    (motorbike and motorcycle, tvmonitor and tv: `published_classes.same_classes`).

    Args:
        data: as for `read_annotations`.
        split: as for `read_annotations`.
        names: the network's class names. Data without names of its own, such as a text list, has its class numbers.
        class_map: as `parse_class_map` returns it.
        single_class: whether all classes of the data, but for those that `class_map` leaves out, are the network's only one.

    Returns:
        The annotations with the network's names and numbers, without the boxes of classes that `class_map` leaves out, and the
        numbers of the classes that the data knows, in order.

    Raises:
        InputError: the data cannot be read, has boxes of classes that the network lacks, or `class_map` names unknown classes.
    """
    fallback = NUMBERS if single_class else names
    try:
        annotations = read_annotations(data, split)
    except InputError:  # perhaps for want of names; else the same problem again
        annotations = read_annotations(data, split, fallback)
    own = annotations.names
    if not own:
        annotations = read_annotations(data, split, fallback)
        own = annotations.names
    own_set, names_set = set(own), set(names)
    unknown = [name for name in class_map if name not in own_set]
    if unknown:
        raise InputError(f"--class_map: the data has no class {_listed(unknown)}; its classes are {_listed(own)}")
    meant_here = same_classes(class_map.values(), names)
    class_map = {name: meant_here.get(meant, meant) for name, meant in class_map.items()}
    unknown = [name for name in class_map.values() if name and name not in names_set]
    if unknown:
        raise InputError(f"--class_map: the network has no class {_listed(unknown)}; its classes are {_listed(names)}")
    if single_class:
        class_map = {**dict.fromkeys(own, names[0]), **class_map}
    numbers = {name: number for number, name in enumerate(names)}
    # A class that the data also has under the network's own name is none of its other spellings.
    taken = own_set.union(class_map.values())
    called = {**same_classes(own, (name for name in names if name not in taken)), **class_map}
    new = np.array([numbers.get(called.get(name, name), -1) for name in own], np.int32)
    used = {int(number) for record in annotations.records for number in record.classes}
    lacking = [own[number] for number in sorted(used) if new[number] < 0 and own[number] not in class_map]
    if lacking:
        raise InputError(
            f"{data}: the network has no class {_listed(lacking)}; its classes are {_listed(names)}; name what they are called "
            f'there, or nothing to leave them out: --class_map "{lacking[0]}=NAME,..."'
        )
    records = [_renumbered(record, new) for record in annotations.records]
    known = tuple(sorted({int(number) for number in new if number >= 0}))
    return Annotations(tuple(names), records, annotations.problems), known


def _renumbered(record: Record, new: np.ndarray) -> Record:
    classes = new[record.classes]
    kept = classes >= 0
    changes = {name: getattr(record, name)[kept] for name in ("boxes", "difficult", "crowd")}
    return dataclasses.replace(record, classes=classes[kept], **changes)


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(repr, names[:_NAMED])) + rest
