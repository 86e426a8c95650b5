"""What would train on nothing, or on other boxes than were drawn: refused by training, named by check, in every format."""

import itertools
import json
import re

import numpy as np
import pytest

from tests.helpers.picture_files import encoded, picture
from yolojax.__main__ import main
from yolojax.config import Config
from yolojax.data.images import write_image
from yolojax.data.sources import open_split
from yolojax.data.training_data import check_training_data
from yolojax.errors import InputError

FORMATS = ("text", "voc", "coco", "yolo")
SIZE = 48, 64
FINE = (8.0, 6.0, 40.0, 30.0)


def make(folder, form, boxes):
    """A data set of two pictures of 64 x 48, each with these boxes (xyxy); returns the path to give and a names file, or ""."""
    pictures = {"voc": "JPEGImages", "yolo": "images"}.get(form, "")
    for name in ("a", "b"):
        (folder / pictures).mkdir(parents=True, exist_ok=True)
        write_image(folder / pictures / f"{name}.png", picture(*SIZE))
    (folder / "n.names").write_text("cell\n")
    if form == "text":
        line = " ".join(f"{x1},{y1},{x2},{y2},0" for x1, y1, x2, y2 in boxes)
        (folder / "list.txt").write_text(f"a.png {line}\nb.png {line}\n")
        return folder / "list.txt", str(folder / "n.names")
    if form == "coco":
        images = [{"id": n, "file_name": f"{name}.png"} for n, name in enumerate("ab")]
        annotations = [
            {"id": 10 * n + k, "image_id": n, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for n in range(2)
            for k, (x1, y1, x2, y2) in enumerate(boxes)
        ]
        content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
        (folder / "a.json").write_text(json.dumps(content))
        return folder / "a.json", ""
    (folder / {"voc": "Annotations", "yolo": "labels"}[form]).mkdir()
    for name in ("a", "b"):
        if form == "voc":
            objects = [
                "<object><name>cell</name><bndbox>"
                f"<xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
                for x1, y1, x2, y2 in boxes
            ]
            (folder / "Annotations" / f"{name}.xml").write_text(
                f"<annotation><filename>{name}.png</filename>{''.join(objects)}</annotation>"
            )
        else:
            rows = [f"0 {(x1 + x2) / 128} {(y1 + y2) / 96} {(x2 - x1) / 64} {(y2 - y1) / 48}\n" for x1, y1, x2, y2 in boxes]
            (folder / "labels" / f"{name}.txt").write_text("".join(rows))
    if form == "voc":
        (folder / "ImageSets/Main").mkdir(parents=True)
        for split in ("train", "val"):
            (folder / "ImageSets/Main" / f"{split}.txt").write_text("a\nb\n")
        return folder, str(folder / "n.names")
    (folder / "data.yaml").write_text("train: images\nval: images\nnc: 1\nnames: [cell]\n")
    return folder / "data.yaml", ""


def checks(path, names, capsys):
    """The exit status of check, and what it prints."""
    status = main(["check", str(path), *(["--names", names] if names else [])])
    return status, capsys.readouterr().out


def used(shown):
    """The table of what training does with the data: {what: (count, effect)}."""
    lines = itertools.takewhile(str.strip, shown.partition("What training does with it:\n")[2].splitlines())
    return {kind.strip(): (int(count), effect) for kind, count, effect in (re.split(r" {2,}", line.strip()) for line in lines)}


def start(path, names):
    """What a training does with a data set before it starts; returns the notes on its training split."""
    config = Config()
    config.data.train = config.data.val = str(path)
    config.data.names = names
    sources = {split: open_split(config, split) for split in ("train", "val")}
    check_training_data(config.data, sources)
    return sources["train"].notes("training")


@pytest.mark.parametrize("form", FORMATS)
def test_a_whole_set_is_used_and_said(form, tmp_path, capsys):
    given = make(tmp_path, form, [FINE])
    status, shown = checks(*given, capsys)
    assert status == 0 and "\n0 problems" in shown
    assert used(shown) == {"pictures": (2, "used"), "boxes": (2, "used")}
    assert start(*given) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_set_without_boxes_is_refused(form, tmp_path, capsys):
    given = make(tmp_path, form, [])
    status, shown = checks(*given, capsys)
    assert status == 1 and "2 pictures and not a single box" in shown
    assert used(shown)["boxes"] == (0, "used") and used(shown)["no boxes"] == (1, "stops")
    with pytest.raises(InputError, match=r"^config\.data\.train is .*: 2 pictures and not a single box[;,] "):
        start(*given)


@pytest.mark.parametrize("form", FORMATS)
def test_corners_in_shares_are_not_trained_on(form, tmp_path, capsys):
    given = make(tmp_path, form, [(x1 / 64, y1 / 48, x2 / 64, y2 / 48) for x1, y1, x2, y2 in [FINE]])
    status, shown = checks(*given, capsys)
    assert status == 1 and "pixel" in shown
    with pytest.raises(InputError, match="pixel"):
        start(*given)


@pytest.mark.parametrize("form", FORMATS)
def test_boxes_under_a_pixel_are_counted(form, tmp_path, capsys):
    given = make(tmp_path, form, [FINE, (20.25, 20, 20.75, 30)])
    status, shown = checks(*given, capsys)
    assert status == 1 and "\n  box under a pixel (2)\n" in shown
    assert used(shown) == {"pictures": (2, "used"), "boxes": (2, "used"), "box under a pixel": (2, "left out")}
    (note,) = start(*given)
    assert note.startswith("training: 2 boxes narrower or lower than a pixel of their picture were left out, the first at ")


def test_a_remark_is_no_problem(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE])
    (tmp_path / "n.names").write_text("cell\nCells\n")
    status, shown = checks(path, names, capsys)
    assert status == 0 and "\n0 problems" in shown and "\n2 remarks:\n" in shown
    assert "classes 'cell' (2 boxes) and 'Cells' (0 boxes) are alike" in shown
    assert "remove its name" not in shown


def test_pictures_of_fewer_bits_are_remarked(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE])
    (tmp_path / "b.png").write_bytes(encoded(picture(*SIZE)[..., 0].astype(np.uint16) * 16, ".png"))
    status, shown = checks(path, names, capsys)
    assert status == 0 and f"\n  fewer bits (1)\n   - {path}:2: {tmp_path}/b.png uses 12 of its 16 bits" in shown


def test_of_very_many_remarks_the_first_are_shown(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE])
    (tmp_path / "n.names").write_text("\n".join(["cell", *(f"n{n}." for n in range(30))]))
    status, shown = checks(path, names, capsys)
    assert status == 0 and used(shown)["class without boxes"] == (30, "remark")
    assert shown.count("has no box") == 10 and "\n   - and 20 more\n" in shown


def test_boxes_at_which_a_text_list_stops_are_shown_as_such(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE, (5, 5, 5, 9)])
    status, shown = checks(path, names, capsys)
    assert status == 1 and used(shown)["box without area"] == (2, "stops")


def test_a_picture_with_two_truths_is_not_trained_on(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE])
    path.write_text(path.read_text() + "a.png 1,1,9,9,0\n")
    status, shown = checks(path, names, capsys)
    assert status == 1 and used(shown)["picture with other boxes"] == (1, "stops")
    with pytest.raises(InputError, match=r"list\.txt:3: picture .*a\.png is already at .*list\.txt:1, with other boxes; "):
        start(path, names)
    # Pictures that are repeated to be seen more often have the same boxes.
    path.write_text("a.png 1,1,9,9,0 2,2,9,9,0\na.png 2,2,9,9,0 1,1,9,9,0\n")
    start(path, names)
