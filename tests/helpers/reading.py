"""Small data sets for the tests of the formats, and reading them: whole, refused, or for a report."""

import os

import numpy as np
import pytest

from yolojax.data.formats.read import read_annotations, read_data
from yolojax.errors import InputError
from yolojax.runtime.opencv import cv2


def refused(data, match, names=None):
    """Check that a data set is refused with one line."""
    with pytest.raises(InputError, match=match) as caught:
        read_annotations(data, names=names)
    assert "\n" not in str(caught.value)


def problems_of(data):
    """The problems that reading for a report finds, as (kind, message)."""
    problems = []
    read_data(data, None, lambda *problem: problems.append(problem))
    return problems


def write(path, content):
    """Write text or bytes to a file whose folder may be missing; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_pictures(folder, *names, height=40, width=60):
    """Write pictures of one grey each."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((height, width, 3), len(name), np.uint8))


def boxes_of(data, names=None):
    """Read a data set: {picture's file name: [(class name, x1, y1, x2, y2)]}, and the problems."""
    class_names, records, problems = read_annotations(data, None, names)
    content = {}
    for record in records:
        rows = zip(record.classes.tolist(), record.boxes.tolist(), strict=True)
        content[os.path.basename(record.path)] = [(class_names[number], *box) for number, box in rows]
    return content, problems
