"""Class names, and the files that hold them: one name per line, class i on line i + 1."""

import os
from collections.abc import Sequence
from pathlib import Path

from yolojax.data.lines import read_lines
from yolojax.errors import InputError

# Files of one name per line have many endings; the lines of these are no names.
_OTHER_FILES = {
    ".yaml": "YAML; a YOLO data set brings its own names (leave out --names)",
    ".yml": "YAML; a YOLO data set brings its own names (leave out --names)",
    ".data": "a Darknet data set; its own line 'names = FILE' says where they are",
    ".json": "JSON",
    ".xml": "XML",
    ".pbtxt": "a label map of TensorFlow",
}


def read_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names, one per line; blank lines at the end, a byte order mark and carriage returns are fine.

    Args:
        path: the file.

    Returns:
        The names, without blanks around them, class 0 first.

    Raises:
        InputError: the file cannot be read, has no names or is not such a file, a line between names is empty, or a name is
            given twice.
    """
    if what := _OTHER_FILES.get(Path(path).suffix.lower()):
        raise InputError(f"{path}: {what}, not a file of class names; write one per line")
    names = [line.strip() for line in read_lines(path)]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise InputError(f"{path}: no class names; write one per line")
    first_line: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise InputError(f"{path}:{number}: an empty line between class names; remove it")
        if name in first_line:
            raise InputError(f"{path}:{number}: {name!r} is already the name on line {first_line[name]}; rename one")
        first_line[name] = number
    return tuple(names)


def write_names(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Write class names, one per line, as `read_names` reads them."""
    Path(path).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def check_names(names: Sequence[str], where: str | os.PathLike[str]) -> tuple[str, ...]:
    """Check class names that a data set brings with it.

    Args:
        names: the names, class 0 first.
        where: the place that messages name.

    Returns:
        The names without blanks around them.

    Raises:
        InputError: there are no names, one is given twice, or one is not a line of text.
    """
    names = tuple(name.strip() for name in names)
    if not names:
        raise InputError(f"{where}: no class names; every class needs one")
    before: set[str] = set()
    for class_number, name in enumerate(names):
        if not name or not name.isprintable():
            raise InputError(f"{where}: class {class_number} has the name {name!r}; a name is one line of text")
        if name in before:
            raise InputError(f"{where}: {name!r} is the name of two classes; rename one")
        before.add(name)
    return names
