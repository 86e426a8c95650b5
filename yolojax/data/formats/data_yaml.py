"""The data.yaml of a YOLO data set: class names, and where the pictures of each split are."""

import os
from pathlib import Path
from typing import Any

import yaml

from yolojax.data.formats.names import check_names
from yolojax.data.images import ENDINGS
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

_STANDARD_SPLITS = ("train", "val", "test")


class DataYaml:
    """A data.yaml that has been read; its values are checked where they are asked for.

    Attributes:
        path: the file.
        values: its keys and values.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Read the file.

        Raises:
            InputError: it cannot be read, is malformed or has no keys; the message names file and line.
        """
        self.path = Path(path)
        self.values = _load(self.path)

    def names(self) -> tuple[str, ...] | None:
        """The class names of the file; None where it has none.

        Raises:
            InputError: 'names' is neither a list nor numbered from 0, or a name is not text.
        """
        names = self.values.get("names")
        if names is None:
            return None
        if isinstance(names, dict):
            if set(names) != set(range(len(names))):
                raise InputError(f"{self.path}: the numbers of 'names' must count from 0 without a gap")
            names = [names[number] for number in range(len(names))]
        if not isinstance(names, list):
            raise InputError(f"{self.path}: 'names' must be a list, or numbers with names")
        for name in names:
            if not isinstance(name, str | int) or isinstance(name, bool):
                raise InputError(f"{self.path}: the class name {name!r} is not text; put it in quotes")
        return check_names([str(name) for name in names], f"{self.path}: names")

    def splits(self) -> tuple[str, ...]:
        """Its splits: train, val and test if they are set, and other keys that name an existing list of pictures."""
        known = {"path", "names", "nc", "download", *_STANDARD_SPLITS}
        others = [key for key, value in self.values.items() if isinstance(value, str) and key not in known]
        lists = [(key, self._root / self.values[key]) for key in others]
        return (
            *(key for key in _STANDARD_SPLITS if self.values.get(key)),
            *(str(key) for key, path in lists if path.suffix == ".txt" and os.path.isfile(path)),
        )

    def pictures(self, split: str, on_problem: OnProblem) -> dict[str, str]:
        """Find the pictures of a split, in order.

        Args:
            split: a key of the file.
            on_problem: called for a split that is not set or empty, a missing folder, list or picture, and a picture that is
                listed twice; if it returns, that is left out, but a listed picture that is missing is kept.

        Returns:
            {path of the picture: where it was named}.
        """
        entries = self.values.get(split)
        entries = [entries] if isinstance(entries, str) else entries
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
            known = ", ".join(self.splits()) or "none"
            message = f"{self.path}: no split {split!r} (it has: {known}); give a folder or a list of pictures"
            on_problem("no pictures", message)
            return {}
        pictures: dict[str, str] = {}
        for entry in entries:
            place = self._root / entry
            if not os.path.exists(place) and entry.startswith("../"):
                # Roboflow writes ../train/images into a data.yaml that lies beside train/; Ultralytics reads it as well.
                place = self._root / entry.removeprefix("../")
            if os.path.isdir(place):
                inside = sorted(file for file in place.rglob("*") if file.suffix.lower() in ENDINGS)
                pictures.update((str(file), str(file)) for file in inside)
            elif os.path.isfile(place):
                pictures.update(_listed(place, on_problem))
            else:
                on_problem("missing file", f"{self.path}: {split}: there is no {place}")
        if not pictures:
            on_problem("no pictures", f"{self.path}: {split}: no pictures in {', '.join(entries)}")
        return pictures

    @property
    def _root(self) -> Path:
        return self.path.parent / str(self.values.get("path") or "")


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: nested aliases expand without bound."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            problem = "an alias (*name) is not supported; write out what it stands for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)


def _load(path: Path) -> dict[Any, Any]:
    text = "\n".join(read_lines(path))
    try:
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: malformed YAML: {getattr(error, 'problem', None) or 'not text'}") from error
    except Exception as error:  # PyYAML raises any kind for a value that does not match its tag
        raise InputError(f"{path}: malformed YAML: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: no 'key: value' lines; a data.yaml has train, val and names")
    return values


def _listed(path: Path, on_problem: OnProblem) -> dict[str, str]:
    """{picture: file and line} of a list of pictures."""
    pictures: dict[str, str] = {}
    for number, line in enumerate(read_lines(path, on_problem), 1):
        if line := line.strip():
            picture, where = os.path.normpath(path.parent / line), f"{path}:{number}"
            if picture in pictures:
                on_problem("picture twice", f"{where}: {picture} is already at {pictures[picture]}; keep one")
                continue
            if not os.path.isfile(picture):
                message = f"{where}: there is no picture {picture}; relative paths start from the list's folder"
                on_problem("missing picture", message)
            pictures[picture] = where
    return pictures
