"""Folders of small pictures and YOLO labels."""

import numpy as np

from yolojax.data.formats.read import read_annotations
from yolojax.data.images import write_image

BOX = "0 .5 .5 .5 .5\n"


def make(root, files):
    """Write files: pictures of 80 x 40 pixels by their ending, text otherwise."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith((".jpg", ".png")):
            write_image(path, np.zeros((40, 80, 3), np.uint8))
        else:
            path.write_text(files[name] if isinstance(files, dict) else BOX)


def boxes_in(data, split=None, names=None):
    """How many boxes a data set has."""
    annotations = read_annotations(data, split, names)
    return sum(len(record.boxes) for record in annotations.records)


def labelled_pictures(folder):
    """Writes pictures 80 wide and 40 high into images, label files into labels, and a data.yaml."""

    def make(pictures, labels, text=""):
        for name in pictures:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path.with_suffix(".png"), np.zeros((40, 80, 3), np.uint8))
            path.with_suffix(".png").rename(path)
        for name, content in labels.items():
            path = folder / "labels" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        (folder / "data.yaml").write_text(f"train: images\nnames: [cat, dog]\n{text}")
        return folder / "data.yaml"

    return make


def kinds(problems):
    """The kinds of problems, sorted."""
    return sorted(kind for kind, _ in problems)
