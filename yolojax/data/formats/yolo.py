"""YOLO as Ultralytics and Darknet write it: data.yaml, and a text file of normalised boxes for every picture.

docs.ultralytics.com/datasets/detect: a line is `class x y width height`, centre and size as parts of the picture's width and
height, in labels/ where the picture is in images/.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from yolojax.data.annotations import Record, read_lines
from yolojax.data.formats.rows import Row, check_names, make_record
from yolojax.data.image_size import read_size
from yolojax.data.images import ENDINGS
from yolojax.errors import InputError

# Normalised numbers are rounded, so a box at the edge may reach over it by this much.
_ROUNDING = 0.01
_STANDARD_SPLITS = ("train", "val", "test")


def read_yolo(
    path: str | os.PathLike, split: str | None, names: Sequence[str] | None, on_problem: Callable[[str, str], None]
) -> tuple[tuple[str, ...], list[Record]]:
    """Read a data.yaml and the pictures and labels it names.

    A split is a folder of pictures, a list of pictures (.txt, relative to its own folder), or several; relative ones start
    from `path` in the file, else from the file's folder. A picture without a label file has no objects. Boxes become pixels
    of the upright picture, whose size is read from its header; a picture that is no picture keeps no boxes and is
    refused by whoever opens it. A picture that is listed twice counts once.

    split: a key of the file, as train, val or test; None: all of them together.
    names: the file's class names in another order, or as many in place of its own; None: those of the file.
    on_problem: called with (kind, message), the message with file and line, for a missing folder or picture, splits without
        pictures or any label file, an `nc` that is not the number of names, a label file that cannot be read, a line that is
        not a box, numbers that are not normalised, a class without a name, a box that is inverted or without area; where it
        returns, that is left out, but a picture on a list is kept.
    Returns: names and records.
    Raises: InputError, with file and line, for malformed YAML and names that do not count from 0.
    """
    path = Path(path)
    data = _load(path)
    own = _names(data, path)
    if own is None and names is None:
        raise InputError(f"{path}: no 'names'; list the class names there or give a names file")
    if own is not None and names is not None and len(own) != len(names):
        raise InputError(f"{path}: {len(own)} class names, but {len(names)} were given; they must be as many")
    names = tuple(names if names is not None else own)
    if data.get("nc") is not None and (isinstance(data["nc"], bool) or data["nc"] != len(names)):
        on_problem("number of classes", f"{path}: nc is {data['nc']!r}, but there are {len(names)} names; correct one")
    # By name where the names are the same, else by number.
    numbers = [names.index(name) for name in own] if own and set(own) == set(names) else range(len(names))
    wanted = _splits(data, path) if split is None else (split,)
    if not wanted:
        on_problem("no pictures", f"{path}: none of train, val and test is set; each is a folder or a list of pictures")
    pictures = {}
    for name in wanted:
        pictures.update(_split_pictures(data, path, name, on_problem))
    labels = {picture: label_path(picture) for picture in pictures}
    # Not isfile: a label that is there and cannot be read is no picture without objects.
    labelled = [picture for picture, label in labels.items() if os.path.lexists(label)]
    if pictures and not labelled:
        first = next(iter(labels.values()))
        message = f"{path}: none of its {len(pictures)} pictures has a label file; the first would be {first}"
        on_problem("no labels", message)
    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(labelled, pool.map(_size_or_none, labelled), strict=True))
    records = []
    for picture, label in labels.items():
        # The lines are looked at even where there is no picture to scale their boxes to.
        rows = list(_rows(label, sizes[picture] or (1, 1), numbers, on_problem)) if picture in sizes else []
        source = label if picture in sizes else pictures[picture]
        records.append(make_record(picture, source, rows if sizes.get(picture) else (), on_problem))
    return names, records


def yolo_splits(path: str | os.PathLike) -> tuple[str, ...]:
    """The splits of a data.yaml: of train, val and test those that are set, and other keys that name what exists."""
    return _splits(_load(Path(path)), Path(path))


def _splits(data, path):
    known = {"path", "names", "nc", "download", *_STANDARD_SPLITS}
    others = [key for key, value in data.items() if isinstance(value, str) and key not in known]
    root = _root(data, path)
    return (
        *(key for key in _STANDARD_SPLITS if data.get(key)),
        *(str(key) for key in others if (root / data[key]).suffix == ".txt" and os.path.isfile(root / data[key])),
    )


def write_yolo(
    out: Path,
    names: Sequence[str],
    pictures: dict[str, tuple[Record, tuple[int, int]]],
    splits: dict[str, list[str]],
) -> None:
    """Write data.yaml, labels/NAME.txt and a list of images/ for each split.

    pictures: file name of images/ -> (record, (height, width)), boxes inside the picture; splits: name -> file names.
    """
    (out / "labels").mkdir()
    for name, (record, (height, width)) in pictures.items():
        lines = []
        for (x1, y1, x2, y2), class_id in zip(record.boxes.tolist(), record.classes.tolist(), strict=True):
            parts = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
            lines.append(f"{class_id} {' '.join(f'{part:.10g}' for part in parts)}\n")
        (out / "labels" / name).with_suffix(".txt").write_text("".join(lines), "utf-8")
    for split, members in splits.items():
        (out / f"{split}.txt").write_text("".join(f"./images/{name}\n" for name in members), "utf-8")
    data = {**{split: f"{split}.txt" for split in splits}, "names": dict(enumerate(names))}
    (out / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), "utf-8")


class _Loader(yaml.SafeLoader):
    """The safe loader without aliases: those of aliases of aliases expand without bound."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            what = "an alias (*name) is not read; write out what it stands for"
            raise yaml.MarkedYAMLError(problem=what, problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)


def _load(path):
    text = "\n".join(read_lines(path))
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}: malformed YAML: {getattr(error, 'problem', None) or 'not text'}") from error
    except Exception as error:  # of a value that is not of the type its tag says, PyYAML raises whatever comes
        raise InputError(f"{path}: malformed YAML: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: no 'key: value' lines; a data.yaml has train, val and names")
    return data


def _names(data, path):
    """The class names of the file, or None."""
    names = data.get("names")
    if names is None:
        return None
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise InputError(f"{path}: the numbers of 'names' must count from 0 without a gap")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{path}: 'names' must be a list, or numbers with names")
    for name in names:
        if not isinstance(name, str | int) or isinstance(name, bool):
            raise InputError(f"{path}: the class name {name!r} is not text; put it in quotes")
    return check_names([str(name) for name in names], f"{path}: names")


def _root(data, path):
    return path.parent / str(data.get("path") or "")


def _split_pictures(data, path, split, on_problem):
    """{picture: where it was found} of a split, in order."""
    entries = data.get(split)
    entries = [entries] if isinstance(entries, str) else entries
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        there = ", ".join(_splits(data, path)) or "none"
        on_problem("no pictures", f"{path}: no split {split!r} (there: {there}); give a folder or a list of pictures")
        return {}
    found = {}
    for entry in entries:
        place = _root(data, path) / entry
        if not os.path.exists(place) and entry.startswith("../"):
            # Roboflow writes ../train/images into a data.yaml that lies beside train/; Ultralytics reads it as well.
            place = _root(data, path) / entry.removeprefix("../")
        if os.path.isdir(place):
            inside = sorted(file for file in place.rglob("*") if file.suffix.lower() in ENDINGS)
            found.update((str(file), str(file)) for file in inside)
        elif os.path.isfile(place):
            found.update(_listed(place, on_problem))
        else:
            on_problem("missing file", f"{path}: {split}: there is no {place}")
    if not found:
        on_problem("no pictures", f"{path}: {split}: no pictures in {', '.join(entries)}")
    return found


def _listed(path, on_problem):
    """{picture: file and line} of a list of pictures."""
    found = {}
    for number, line in enumerate(read_lines(path, on_problem), 1):
        if line := line.strip():
            picture, where = os.path.normpath(path.parent / line), f"{path}:{number}"
            if picture in found:
                on_problem("picture twice", f"{where}: {picture} is already at {found[picture]}; keep one")
                continue
            if not os.path.isfile(picture):
                message = f"{where}: there is no picture {picture}; relative paths start from the list's folder"
                on_problem("missing picture", message)
            found[picture] = where
    return found


def label_path(picture):
    """labels/NAME.txt for images/NAME.jpg, at the last images/ of the path; else beside the picture."""
    path = Path(picture).with_suffix(".txt")
    parts = list(path.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return str(Path(*parts))


def _size_or_none(picture):
    try:
        return read_size(picture)
    except InputError:
        return None


def _rows(label, size, numbers, on_problem):
    """The boxes of a label file in pixels; numbers: of the classes, for each number in the file."""
    height, width = size
    try:
        lines = read_lines(label, on_problem)
    except InputError as error:
        on_problem("malformed file", str(error))
        return
    for number, line in enumerate(lines, 1):
        if not (fields := line.split()):
            continue
        where = f"{label}:{number}"
        if len(fields) != 5:
            message = f"{where}: {len(fields)} values, not 5; write class x y width height (polygons are not read)"
            on_problem("malformed box", message)
            continue
        try:
            class_id, x, y, w, h = map(float, fields)
        except ValueError:
            on_problem("malformed box", f"{where}: {line.strip()!r} is not five numbers; write class x y width height")
            continue
        if not (class_id.is_integer() and 0 <= class_id < len(numbers)):
            message = f"{where}: class {fields[0]} has no name: there are {len(numbers)}, for classes from 0"
            on_problem("class without a name", message)
        elif not all(-_ROUNDING <= part <= 1 + _ROUNDING for part in (x, y, w, h)):
            message = f"{where}: {line.strip()!r} is not normalised; write parts of the picture's sides, 0 to 1"
            on_problem("malformed box", message)
        else:
            corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            yield Row(corners, numbers[int(class_id)], where)
