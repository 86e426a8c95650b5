"""YOLO as Ultralytics and Darknet write it: data.yaml, and a text file of normalised boxes for every picture.

docs.ultralytics.com/datasets/detect: a line is `class x y width height`, centre and size as fractions of the picture's width
and height, in labels/ where the picture is in images/.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from yolojax.data.annotations import Record
from yolojax.data.formats.data_yaml import DataYaml
from yolojax.data.formats.find import walk
from yolojax.data.formats.format import Format, NamesAndRecords
from yolojax.data.formats.links import link_pictures, name_files
from yolojax.data.formats.rows import Row, make_record
from yolojax.data.formats.yolo_labels import looks_like_labels, read_labels, report_keypoints
from yolojax.data.formats.yolo_layouts import is_yolo
from yolojax.data.formats.yolo_pairs import find_labels, label_folder
from yolojax.data.image_size import sizes_by_path
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError

_LOOKED_AT = 20_000  # files, to find labels that lie elsewhere


def read_yolo(
    path: str | os.PathLike[str], split: str | None, names: Sequence[str] | None, on_problem: OnProblem
) -> NamesAndRecords:
    """Read a data.yaml, or a folder that has one or can do without, and the pictures and labels that go with it.

    A split is a folder of pictures, a list of pictures (.txt), or several; see `yolo_paths` for what they may be relative to,
    `yolo_layouts` for folders without a data.yaml, `yolo_pairs` for where labels are. A picture without a label file has no
    objects. Boxes become pixels of the upright picture, whose size is read from its header; a file that is not a picture keeps
    no boxes, and is refused when it is opened. A picture that is listed twice counts once.

    Args:
        path: a data.yaml, of any name, or a folder.
        split: a key of the file, as train, val or test; None: all of them together.
        names: the class names in another order, or the same number of other names; None: those of the data.
        on_problem: called, with file and line, for a missing folder or picture, splits without pictures or any label file, an
            `nc` that is not the number of names, a label file that cannot be read, a line that is not a box, numbers that are
            not normalised, a class without a name, a box that is inverted or without area. If it returns, that is left out,
            but a picture on a list is kept. With a remark for all that is read in another way than it stands, for labels
            without picture, and for pictures without label file if most have none ("background").

    Returns:
        The class names and the records.

    Raises:
        InputError: malformed YAML, or names that do not count from 0; the message names file and line.
    """
    data = DataYaml(path)
    names, numbers = _class_numbers(data, names, on_problem)
    keypoint_values = data.keypoint_values()
    pictures, folders = data.pictures(split, on_problem)
    labels = find_labels(pictures, folders, on_problem)
    _report_background(data, list(pictures), labels, on_problem)
    labelled = [picture for picture in pictures if picture in labels]
    if not keypoint_values:
        report_keypoints(labels.values(), on_problem)
    sizes = sizes_by_path(labelled)
    records = []
    for picture, named_at in pictures.items():
        rows: list[Row] = []
        if label := labels.get(picture):
            # The lines are looked at even where there is no picture to scale their boxes to.
            size = sizes[picture] or (1, 1)
            rows = list(read_labels(label, size, numbers, on_problem, keypoint_values=keypoint_values))
        records.append(make_record(picture, label or named_at, rows if sizes.get(picture) else (), on_problem))
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


def _class_numbers(data: DataYaml, names: Sequence[str] | None, on_problem: OnProblem) -> tuple[tuple[str, ...], Sequence[int]]:
    """The class names, and the number among them of each class of the file."""
    own = data.names()
    if own is None and names is None:
        where = "classes.txt, one a line," if data.path.is_dir() else "it"
        raise InputError(f"{data.path}: no 'names'; write the class names into {where} or give a names file (--names)")
    if own is not None and names is not None and len(own) != len(names):
        raise InputError(f"{data.path}: {len(own)} class names, but {len(names)} were given; the numbers must be the same")
    names = tuple(names if names is not None else own or ())
    count = data.values.get("nc")
    if count is not None and (isinstance(count, bool) or count not in (len(names), str(len(names)))):
        on_problem("number of classes", f"{data.path}: nc is {count!r}, but there are {len(names)} names; correct one")
    # By name where the names are the same, else by number.
    numbers = {name: number for number, name in enumerate(names)}
    return names, [numbers[name] for name in own] if own and set(own) == set(names) else range(len(names))


def _report_background(data: DataYaml, pictures: Sequence[str], labels: Mapping[str, str], on_problem: OnProblem) -> None:
    """Report pictures without label file where they are all or most; a few are the usual way to have pictures of nothing."""
    unlabelled = [picture for picture in pictures if picture not in labels]
    first = label_folder(Path(unlabelled[0]).parent) / Path(unlabelled[0]).with_suffix(".txt").name if unlabelled else None
    if pictures and not labels:
        message = f"{data.path}: none of its {len(pictures)} pictures has a label file; the first would be {first}"
        if elsewhere := _label_elsewhere(data.folder, pictures):
            message += f"; {elsewhere} looks like a label of theirs, and belongs there"
        on_problem("no labels", message)
    elif 2 * len(unlabelled) > len(pictures):
        for picture in unlabelled:
            on_problem("background", f"{picture}: no label file, so nothing in it is to be found")


def _label_elsewhere(folder: Path, pictures: Sequence[str]) -> Path | None:
    """A label file in a folder that is named like one of the pictures but is in no place where labels are looked for."""
    stems = {Path(picture).stem for picture in pictures}
    for path in itertools.islice(walk(folder, lambda *_: None), _LOOKED_AT):
        if path.suffix.lower() == ".txt" and path.stem in stems and looks_like_labels(path):
            return path
    return None


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
    recognises=is_yolo,
    read=read_yolo,
    write=_write,
    splits=lambda path: DataYaml(path).splits(),
    may_refer_outside=True,
    not_kept="corners became rounded fractions of the picture's width and height, exact to about 1e-4 pixels",
)
