"""The data.yaml of a YOLO data set: class names, and where the pictures of each split are."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from yolojax.data.formats.find import pictures_in, standard_split
from yolojax.data.formats.names import check_names, read_names
from yolojax.data.formats.yolo_layouts import EVERYTHING, find_yaml, layout_of, names_beside
from yolojax.data.formats.yolo_paths import find_place, listed_pictures
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

_STANDARD_SPLITS = ("train", "val", "test")
_TEXT = "tag:yaml.org,2002:str"


class SplitPictures(NamedTuple):
    """The pictures of a split.

    Attributes:
        pictures: {path of the picture: where it was named}, in order.
        folders: the folders that were searched for them.
    """

    pictures: dict[str, str]
    folders: list[Path]


class DataYaml:
    """A data.yaml that has been read, or what one would say about a folder; values are checked where they are asked for.

    Attributes:
        path: the file, or the folder if it has none.
        folder: the folder of the data set.
        values: its keys and values; texts in `names` are as they are written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Read the file, or find out how a folder is laid out.

        Raises:
            InputError: the file cannot be read, is malformed or has no keys, or several may describe the folder; the message
                names file and line.
        """
        self.path = Path(path)
        self.folder = self.path if self.path.is_dir() else self.path.parent
        layout = None
        if self.path.is_dir():
            file = find_yaml(self.path)
            layout = None if file else layout_of(self.path)
            self.path = self.path if layout else file or self.path / "data.yaml"
        self.values = layout or _load(self.path)

    def names(self) -> tuple[str, ...] | None:
        """The class names: of the file, of a names file that it refers to, or of classes.txt or the like; None without any.

        Raises:
            InputError: 'names' is neither a list, nor numbered from 0, nor a names file, or a name is not text.
        """
        names = self.values.get("names")
        if names in (None, "", "~", "null"):
            file = names_beside(self.folder)
            return read_names(os.path.normpath(self.folder / file)) if file else None
        if isinstance(names, str):
            return read_names(self._names_file(names))
        if isinstance(names, dict):
            names = self._in_order(names)
        if not isinstance(names, list):
            raise InputError(f"{self.path}: 'names' must be a list, or numbers with names")
        for name in names:
            if not isinstance(name, str):
                raise InputError(f"{self.path}: the class name {name!r} is not text; put it in quotes")
        return check_names(names, f"{self.path}: names")

    def keypoint_values(self) -> int:
        """How many values the keypoints of each box have in the label files; 0 for none.

        Raises:
            InputError: `kpt_shape` is not a number of keypoints and of values for each.
        """
        shape = self.values.get("kpt_shape")
        if shape is None:
            return 0
        if not (isinstance(shape, list) and len(shape) == 2 and all(type(side) is int and side > 0 for side in shape)):
            raise InputError(f"{self.path}: kpt_shape is {shape!r}; write [number of keypoints, 2 or 3]")
        return shape[0] * shape[1]

    def splits(self) -> tuple[str, ...]:
        """Its splits: train, val and test if they are set, and other keys that name an existing list of pictures."""
        known = {"path", "names", "nc", "download", EVERYTHING, *_STANDARD_SPLITS}
        others = [key for key, value in self.values.items() if isinstance(value, str) and key not in known]
        lists = [(key, self.folder / self._root / self.values[key]) for key in others if standard_split(str(key)) is None]
        return (
            *(key for key in _STANDARD_SPLITS if self._entries(key)),
            *(str(key) for key, path in lists if path.suffix == ".txt" and os.path.isfile(path)),
        )

    def pictures(self, split: str | None, on_problem: OnProblem) -> SplitPictures:
        """Find the pictures of a split, in order.

        Args:
            split: a key of the file; None: all of them. All pictures of a folder without splits are "train" as well.
            on_problem: called for a split that is not set or empty, a missing folder, list or picture, and a picture that is
                listed twice; if it returns, that is left out, but a listed picture that is missing is kept.

        Returns:
            The pictures and the folders in which they were found.
        """
        result = SplitPictures({}, [])
        if EVERYTHING in self.values and split in (None, "train"):
            self._add(EVERYTHING, result, on_problem)
            return result
        wanted = self.splits() if split is None else (split,)
        if not wanted:
            message = f"{self.path}: none of train, val and test is set; each is a folder or a list of pictures"
            on_problem("no pictures", message)
        for name in wanted:
            self._add(name, result, on_problem)
        return result

    def _add(self, split: str, result: SplitPictures, on_problem: OnProblem) -> None:
        """Add the pictures of one split to the result."""
        entries = self._entries(split)
        entries = [entries] if isinstance(entries, str) else entries
        if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
            known = ", ".join(self.splits()) or "none"
            message = f"{self.path}: no split {split!r} (it has: {known}); give a folder or a list of pictures"
            on_problem("no pictures", message)
            return
        pictures: dict[str, str] = {}
        for entry in entries:
            place = find_place(entry, self.folder, self._root, f"{self.path}: {split}", on_problem)
            if place is None:
                continue
            if os.path.realpath(place) == os.path.realpath(os.sep):
                raise InputError(
                    f"{self.path}: {split}: {entry} is the root of the file system; name the folder of the pictures"
                )
            if place.is_dir():
                pictures.update((str(file), str(file)) for file in pictures_in(place, on_problem))
                result.folders.append(place)
            else:
                pictures.update(listed_pictures(place, self.folder, self._root, on_problem))
        if not pictures:
            on_problem("no pictures", f"{self.path}: {split}: no pictures in {', '.join(entries)}")
        result.pictures.update(pictures)

    def _entries(self, split: str) -> Any:
        """What the file says about a split, also under another name, as valid for val."""
        if self.values.get(split) or standard_split(split) is None:
            return self.values.get(split)
        named_alike = (key for key in self.values if isinstance(key, str) and standard_split(key) == standard_split(split))
        return next((self.values[key] for key in named_alike if self.values[key]), None)

    @property
    def _root(self) -> str:
        return str(self.values.get("path") or "")

    def _names_file(self, entry: str) -> Path:
        def missing(kind: str, message: str) -> None:
            if kind == "missing file":
                raise InputError(f"{self.path}: 'names' must be a list, numbers with names, or a names file, but {message}")

        place = find_place(entry, self.folder, self._root, "names", missing)
        return Path(os.path.normpath(place)) if place else Path(entry)

    def _in_order(self, names: dict[Any, Any]) -> list[Any]:
        """The names of a mapping from numbers to names, or from names to numbers, in order."""
        by_number = {int(key): name for key, name in names.items() if str(key).isdecimal()}
        if len(by_number) < len(names) and all(str(value).isdecimal() for value in names.values()):
            by_number = {int(value): name for name, value in names.items()}
        if len(by_number) < len(names) or set(by_number) != set(range(len(names))):
            missing = next((number for number in range(len(names)) if number not in by_number), None)
            hint = "" if missing is None else f"; there is no {missing}"
            raise InputError(f"{self.path}: the numbers of 'names' must count from 0 without a gap{hint}")
        return [by_number[number] for number in range(len(names))]


# With libyaml the text is read in C: a million names take seconds instead of minutes. Nodes are made in Python either way.
_cyaml: Any = getattr(yaml, "cyaml", None)
_PARSER: Any = (Composer, _cyaml.CParser, SafeConstructor, Resolver) if _cyaml else (yaml.SafeLoader,)


class _Loader(*_PARSER):
    """The safe loader, with the names of classes as they are written, and without aliases.

    A class may be named 007, no or 1e3. Nested aliases expand without bound.
    """

    _in_names = False

    def __init__(self, stream: str) -> None:
        for base in _PARSER:
            if base is Resolver or base is Composer or base is SafeConstructor:
                base.__init__(self)
            else:
                base.__init__(self, stream)

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            problem = "an alias (*name) is not supported; write out what it stands for"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.peek_event().start_mark)
        # A value comes with its key for an index.
        if not (isinstance(index, yaml.ScalarNode) and index.value == "names"):
            return super().compose_node(parent, index)
        outside, self._in_names = self._in_names, True
        try:
            return super().compose_node(parent, index)
        finally:
            self._in_names = outside

    def resolve(self, kind, value, implicit):
        """The tag of a value that has none."""
        if self._in_names and kind is yaml.ScalarNode:
            return _TEXT
        return super().resolve(kind, value, implicit)


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
