"""Paths in files of labels: none leads out of what the user named without being refused or said."""

import json

import numpy as np
import pytest

from tests.helpers.tiny_config import get_config
from yolojax.data.formats.read import read_annotations, read_data
from yolojax.data.images import write_image
from yolojax.data.sources import open_split
from yolojax.errors import InputError

OBJECT = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax></bndbox></object>"


@pytest.fixture
def secret(tmp_path):
    """A picture beside the folder of the data set."""
    (tmp_path / "data").mkdir()
    write_image(tmp_path / "secret.png", np.zeros((10, 12, 3), np.uint8))
    return tmp_path / "secret.png"


@pytest.mark.parametrize("form", ["../../secret.png", "{absolute}", "a/../../../secret.png"])
def test_a_voc_filename_that_leads_elsewhere_is_refused(secret, form):
    folder = secret.parent / "data"
    for name in ("Annotations", "JPEGImages/a"):
        (folder / name).mkdir(parents=True)
    stated = form.format(absolute=secret)
    (folder / "Annotations/v.xml").write_text(f"<annotation><filename>{stated}</filename>{OBJECT}</annotation>")
    with pytest.raises(InputError, match=r"v\.xml: <filename> '.*secret\.png' leads out of JPEGImages"):
        read_annotations(folder)
    problems = []
    _, records = read_data(folder, None, lambda *problem: problems.append(problem))
    assert records == [] and [kind for kind, _ in problems] == ["path outside"]


@pytest.mark.parametrize("form", ["../../secret", "{absolute}", "a/../../../secret"])
def test_a_voc_split_that_leads_elsewhere_is_refused(secret, form):
    folder = secret.parent / "data"
    for name in ("Annotations/a", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    (folder / "Annotations/v.xml").write_text(f"<annotation>{OBJECT}</annotation>")
    secret.with_suffix(".xml").write_text(f"<annotation>{OBJECT}</annotation>")
    line = form.format(absolute=secret.with_suffix(""))
    (folder / "ImageSets/Main/train.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"train\.txt:1: '.*secret' leads out of Annotations"):
        read_annotations(folder, "train")


def coco(folder, picture):
    data = {"images": [{"id": 1, "file_name": picture}], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    (folder / "c.json").write_text(json.dumps(data))
    return folder / "c.json"


def yolo(folder, picture):
    (folder / "l.txt").write_text(f"{picture}\n")
    (folder / "secret.txt").write_text("")
    (folder / "data.yaml").write_text("train: l.txt\nnames: [cat]\n")
    return folder


@pytest.mark.parametrize("write", [coco, yolo])
@pytest.mark.parametrize("form", ["../secret.png", "{absolute}"])
def test_coco_and_yolo_may_lead_elsewhere_and_that_is_said(secret, write, form):
    folder = secret.parent / "data"
    config = get_config()
    config.data.source = "auto"
    config.data.train = str(write(folder, form.format(absolute=secret)))
    if write is yolo:
        secret.with_suffix(".txt").write_text("0 .5 .5 .5 .5\n")
    notes = open_split(config, "train").notes("training")
    assert len(notes) == 1 and notes[0].startswith(f"training: 1 pictures lie outside {folder}, the first at ")
    assert notes[0].endswith("secret.png")


def test_inside_nothing_is_said(secret):
    folder = secret.parent / "data"
    write_image(folder / "a.png", np.zeros((10, 12, 3), np.uint8))
    config = get_config()
    config.data.source = "auto"
    config.data.train = str(coco(folder, "./a.png"))
    assert open_split(config, "train").notes("training") == []
