"""Label files of pictures that a list names without their boxes, as Darknet's lists do."""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yolojax.data.annotations import Record
from yolojax.data.formats.rows import make_record
from yolojax.data.formats.yolo import label_path
from yolojax.data.formats.yolo_labels import read_labels
from yolojax.data.image_size import read_size
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError


def find_labels(pictures: Iterable[str], listed_in: str | os.PathLike[str]) -> dict[str, str]:
    """Find the label files of pictures: labels/a.txt for images/a.jpg or JPEGImages/a.jpg, else a.txt beside a.jpg.

    Args:
        pictures: paths of the pictures.
        listed_in: the list that names them, which is no label file even if it is called like a picture.

    Returns:
        {picture: its label file} for the pictures that have one. A file that exists but cannot be read counts: it does not
        mean a picture without objects.
    """
    itself = os.path.abspath(listed_in)
    labels = {}
    for picture in dict.fromkeys(pictures):
        for label in _places(Path(picture)):
            if os.path.lexists(label) and os.path.abspath(label) != itself:
                labels[picture] = label
                break
    return labels


def read_label_files(
    pictures: Mapping[str, str], labels: Mapping[str, str], num_names: int, on_problem: OnProblem
) -> list[Record]:
    """Read the YOLO label files of pictures.

    Args:
        pictures: {path of the picture: where it was named}.
        labels: {picture: its label file}; the others have no objects.
        num_names: how many class names there are.
        on_problem: called for each line of a label file that is not a box. If it returns, that is left out.

    Returns:
        A record for each picture, in order.
    """
    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(labels, pool.map(_size_or_none, labels), strict=True))
    records = []
    for picture, where in pictures.items():
        label, size = labels.get(picture), sizes.get(picture)
        # The lines are looked at even where there is no picture to scale their boxes to.
        rows = list(read_labels(label, size or (1, 1), range(num_names), on_problem)) if label else []
        records.append(make_record(picture, label or where, rows if size else (), on_problem))
    return records


def _places(picture: Path) -> Iterator[str]:
    yield label_path(picture)
    parts = list(picture.with_suffix(".txt").parts)
    if "JPEGImages" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("JPEGImages")] = "labels"
        yield os.path.join(*parts)
    yield str(picture.with_suffix(".txt"))


def _size_or_none(picture: str) -> tuple[int, int] | None:
    try:
        return read_size(picture)
    except InputError:
        return None
