"""Label files of pictures that a list names without their boxes, as Darknet's lists do."""

import os
from collections.abc import Iterable, Mapping

from yolojax.data.annotations import Record
from yolojax.data.formats.rows import make_record
from yolojax.data.formats.yolo_labels import read_labels
from yolojax.data.formats.yolo_pairs import find_labels
from yolojax.data.image_size import sizes_by_path
from yolojax.data.problems import OnProblem


def labels_of_list(pictures: Iterable[str], listed_in: str | os.PathLike[str], on_problem: OnProblem) -> dict[str, str]:
    """Find the label files of the pictures of a list.

    Args:
        pictures: paths of the pictures.
        listed_in: the list that names them, which is no label file even if it is called like a picture.
        on_problem: called as by `find_labels`.

    Returns:
        {picture: its label file} for the pictures that have one.
    """
    itself = os.path.abspath(listed_in)
    labels = find_labels(dict.fromkeys(pictures), (), on_problem)
    return {picture: label for picture, label in labels.items() if os.path.abspath(label) != itself}


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
    sizes = sizes_by_path(labels)
    records = []
    for picture, where in pictures.items():
        label, size = labels.get(picture), sizes.get(picture)
        # The lines are looked at even where there is no picture to scale their boxes to.
        rows = list(read_labels(label, size or (1, 1), range(num_names), on_problem)) if label else []
        records.append(make_record(picture, label or where, rows if size else (), on_problem))
    return records
