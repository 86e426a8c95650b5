"""YOLO as Ultralytics and Darknet write it: data.yaml, and a text file of normalised boxes for every picture.

docs.ultralytics.com/datasets/detect: a line is `class x y width height`, centre and size as fractions of the picture's width
and height, in labels/ where the picture is in images/.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml

from yolojax.data.annotations import Record, class_without_name, has_name
from yolojax.data.formats.data_yaml import DataYaml
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import link_pictures, name_files
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.image_size import read_size
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

# Normalised numbers are rounded, so a box at the edge may reach over it by this much.
_ROUNDING = 0.01


def read_yolo(
    path: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a data.yaml and the pictures and labels it names.

    A split is a folder of pictures, a list of pictures (.txt, relative to its own folder), or several; relative ones start
    from `path` in the file, else from the file's folder. A picture without a label file has no objects. Boxes become pixels
    of the upright picture, whose size is read from its header; a file that is not a picture keeps no boxes, and is refused
    when it is opened. A picture that is listed twice counts once.

    Args:
        path: a data.yaml or its folder.
        split: a key of the file, as train, val or test; None: all of them together.
        names: the file's class names in another order, or the same number of other names; None: those of the file.
        on_problem: called, with file and line, for a missing folder or picture, splits without pictures or any label file, an
            `nc` that is not the number of names, a label file that cannot be read, a line that is not a box, numbers that are
            not normalised, a class without a name, a box that is inverted or without area. If it returns, that is left out,
            but a picture on a list is kept.

    Returns:
        The class names and the records.

    Raises:
        InputError: malformed YAML, or names that do not count from 0; the message names file and line.
    """
    data = _data_yaml(path)
    names, numbers = _class_numbers(data, names, on_problem)
    wanted = data.splits() if split is None else (split,)
    if not wanted:
        message = f"{data.path}: none of train, val and test is set; each is a folder or a list of pictures"
        on_problem("no pictures", message)
    pictures: dict[str, str] = {}
    for name in wanted:
        pictures.update(data.pictures(name, on_problem))
    labels = {picture: label_path(picture) for picture in pictures}
    # Not isfile: a label that is there but cannot be read does not mean a picture without objects.
    labelled = [picture for picture, label in labels.items() if os.path.lexists(label)]
    if pictures and not labelled:
        first = next(iter(labels.values()))
        message = f"{data.path}: none of its {len(pictures)} pictures has a label file; the first would be {first}"
        on_problem("no labels", message)
    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(labelled, pool.map(_size_or_none, labelled), strict=True))
    records = []
    for picture, label in labels.items():
        # The lines are looked at even where there is no picture to scale their boxes to.
        rows = list(label_rows(label, sizes[picture] or (1, 1), numbers, on_problem)) if picture in sizes else []
        source = label if picture in sizes else pictures[picture]
        records.append(make_record(picture, source, rows if sizes.get(picture) else (), on_problem))
    return names, records


def write_yolo(
    out: Path,
    names: Sequence[str],
    pictures: Mapping[str, tuple[Record, tuple[int, int]]],
    splits: Mapping[str, Sequence[str]],
) -> None:
    """Write data.yaml, labels/NAME.txt and a list of images/ for each split.

    Args:
        out: the folder.
        names: the class names.
        pictures: for each file name in images/ the record, its boxes inside the picture, and the picture's (height, width)
            in pixels.
        splits: for each split the file names of its pictures.
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
    values = {**{split: f"{split}.txt" for split in splits}, "names": dict(enumerate(names))}
    (out / "data.yaml").write_text(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), "utf-8")


def label_path(picture: str | os.PathLike[str]) -> str:
    """labels/NAME.txt for images/NAME.jpg, at the last images/ of the path; else beside the picture."""
    path = Path(picture).with_suffix(".txt")
    parts = list(path.parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return str(Path(*parts))


def _data_yaml(path: str | os.PathLike[str]) -> DataYaml:
    return DataYaml(os.path.join(path, "data.yaml") if os.path.isdir(path) else path)


def _class_numbers(data: DataYaml, names: Sequence[str] | None, on_problem: OnProblem) -> tuple[tuple[str, ...], Sequence[int]]:
    """The class names, and the number among them of each class of the file."""
    own = data.names()
    if own is None and names is None:
        raise InputError(f"{data.path}: no 'names'; list the class names there or give a names file")
    if own is not None and names is not None and len(own) != len(names):
        raise InputError(f"{data.path}: {len(own)} class names, but {len(names)} were given; the numbers must be the same")
    names = tuple(names if names is not None else own or ())
    count = data.values.get("nc")
    if count is not None and (isinstance(count, bool) or count != len(names)):
        on_problem("number of classes", f"{data.path}: nc is {count!r}, but there are {len(names)} names; correct one")
    # By name where the names are the same, else by number.
    return names, [names.index(name) for name in own] if own and set(own) == set(names) else range(len(names))


def _size_or_none(picture: str) -> tuple[int, int] | None:
    try:
        return read_size(picture)
    except InputError:
        return None


def label_rows(label: str, size: tuple[int, int], numbers: Sequence[int], on_problem: OnProblem) -> Iterator[Row]:
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
        if not (class_id.is_integer() and has_name(class_id, len(numbers))):
            on_problem("class without a name", f"{where}: {class_without_name(fields[0], len(numbers))}")
        elif not all(-_ROUNDING <= part <= 1 + _ROUNDING for part in (x, y, w, h)):
            message = f"{where}: {line.strip()!r} is not normalised; write fractions of the picture's width and height, 0 to 1"
            on_problem("malformed box", message)
        else:
            corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            yield Row(corners, numbers[int(class_id)], where)


def _write(
    out: Path, names: Sequence[str], parts: Mapping[str, list[Record]], sizes: Mapping[str, tuple[int, int]]
) -> list[str]:
    """data.yaml, labels, SPLIT.txt and links in images; boxes are cut off at their picture's edge."""
    records, members = name_files(parts)
    pictures, cut_off = {}, 0
    for name, record in records.items():
        height, width = sizes[record.path]
        boxes = np.clip(record.boxes, 0, np.array([[width, height, width, height]], np.float32))
        cut_off += int((boxes != record.boxes).any(axis=1).sum())
        pictures[name] = Record(record.path, boxes, record.classes, record.source), (height, width)
    link_pictures(records, out / "images")
    write_yolo(out, names, pictures, members)
    return [f"{cut_off} boxes that reached over their picture's edge were cut off there"] if cut_off else []


YOLO = Format(
    name="yolo",
    recognises=lambda path: (path / "data.yaml").is_file() if path.is_dir() else path.suffix.lower() in (".yaml", ".yml"),
    read=read_yolo,
    write=_write,
    splits=lambda path: _data_yaml(path).splits(),
    may_refer_outside=True,
    not_kept="corners became rounded fractions of the picture's width and height, exact to about 1e-4 pixels",
)
