"""Text lists with pictures of 128 x 96 pixels, and what is read of them."""

import cv2
import numpy as np

from yolojax.data.formats.read import read_annotations

LABEL = "0 0.5 0.5 0.25 0.5\n"
BOX = [48.0, 24.0, 80.0, 72.0]  # of LABEL in a picture of 128 x 96
NAMES = ("cell", "virus")


def write(path, text):
    """Writes a text, and the folders to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def picture(path):
    """Writes a picture, and the folders to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((96, 128, 3), np.uint8))
    return path


def read(path):
    """The records, and the kinds of what does not stop a training."""
    _, records, problems = read_annotations(path, names=NAMES)
    return records, [problem.kind for problem in problems]
