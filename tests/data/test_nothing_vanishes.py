"""What would train on nothing, or on other boxes than were drawn: refused by training, named by check, in every format."""

import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

from tests.helpers.picture_files import encoded, exif, picture, with_segment
from yolojax.__main__ import main
from yolojax.config import Config
from yolojax.data.annotations import Record
from yolojax.data.check import find_problems
from yolojax.data.formats.read import Annotations
from yolojax.data.images import write_image
from yolojax.data.plausible import differs_from_stated, similar_names
from yolojax.data.sources import ListSource, open_split
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
            (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{''.join(objects)}</annotation>")
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
    assert note.startswith("training: 2 boxes are narrower or lower than a pixel of their picture, the first at ")


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [
        ("p/a.png", "p/a.txt"),
        ("p/a.png", "p/a.png.txt"),
        ("p/a.png", "p/labels/a.txt"),
        ("images/a.png", "labels/a.txt"),
        ("train/images/a.png", "train/labels/a.txt"),
        ("images/train/a.png", "labels/train/a.txt"),
        ("JPEGImages/a.png", "Annotations/a.xml"),
        ("images/a.png", "annots/a.xml"),
    ],
)
def test_labels_beside_a_list_without_boxes_are_pointed_at(pictures, labels, tmp_path):
    for path in (pictures, labels):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    write_image(tmp_path / pictures, picture(*SIZE))
    (tmp_path / labels).write_text("")
    source = ListSource(Annotations(("cell",), [Record(str(tmp_path / pictures), np.zeros((0, 4)), np.zeros(0), "l:1")], []))
    folder, name = (tmp_path / labels).parent, (tmp_path / labels).name
    with pytest.raises(InputError) as caught:
        check_training_data(Config().data, {"train": source})
    assert f"1 in {folder} (such as {name})" in str(caught.value) and "\n" not in str(caught.value)


def stated(folder, size, box=FINE):
    """A picture of 64 x 48 with one box, of which the annotations state a size (height, width)."""
    write_image(folder / "a.png", picture(*SIZE))
    return Record(str(folder / "a.png"), np.float32([box]), np.zeros(1, np.int32), "a.xml", stated_size=size)


@pytest.mark.parametrize("size", [None, (48, 64), (47, 65), (0, 0), (0, 64)])
def test_stated_sizes_that_are_right_or_unknown(size, tmp_path):
    record = stated(tmp_path, size)
    check_training_data(Config().data, {"train": ListSource(Annotations(("cell",), [record], []))})
    assert find_problems([record], [SIZE], ["cell"]) == []


@pytest.mark.parametrize("size", [(96, 128), (24, 32), (48, 128), (64, 48)])
def test_stated_sizes_that_are_not_the_pictures(size, tmp_path):
    record = stated(tmp_path, size)
    fine = dataclasses.replace(record, stated_size=None)
    (problem,) = find_problems([record], [SIZE], ["cell"])
    height, width = size
    words = f"a.xml: the annotations say that {record.path} has {width} x {height} pixels, but it has 64 x 48"
    assert problem.kind == "stated size" and problem.message.startswith(words)
    assert ("swapped" in problem.message) == (size == (64, 48))
    sources = {
        split: ListSource(Annotations(("cell",), records, [])) for split, records in (("train", [fine]), ("val", [record]))
    }
    config = Config()
    config.data.val = "v"
    with pytest.raises(InputError, match=r"^config\.data\.val is v: 1 of 1 pictures do not have the size") as caught:
        check_training_data(config.data, sources)
    assert words in str(caught.value) and str(caught.value).endswith("--config.data.stated_sizes=ignore")
    config.data.stated_sizes = "ignore"
    check_training_data(config.data, sources)


def test_the_size_before_turning_is_taken_if_the_boxes_show_that_they_are_upright(tmp_path):
    content = with_segment(encoded(picture(64, 48), ".jpg"), 0xE1, b"Exif\0\0" + exif(6))
    (tmp_path / "a.jpg").write_bytes(content)  # stored 48 wide and 64 high, upright 64 wide and 48 high
    for box, differs in (((50, 5, 63, 40), False), ((5, 5, 40, 40), True)):
        record = Record(str(tmp_path / "a.jpg"), np.float32([box]), np.zeros(1, np.int32), "a.xml", stated_size=(64, 48))
        assert differs_from_stated(record, SIZE) == differs
        source = {"train": ListSource(Annotations(("cell",), [record], []))}
        if differs:
            with pytest.raises(InputError, match="swapped"):
                check_training_data(Config().data, source)
        else:
            check_training_data(Config().data, source)


def test_only_crowds_are_nothing_to_train_on():
    record = Record("a.png", np.float32([FINE]), np.zeros(1, np.int32), "a", crowd=np.ones(1, bool))
    with pytest.raises(InputError, match="all boxes are around crowds"):
        check_training_data(Config().data, {"train": ListSource(Annotations(("cell",), [record], []))})


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["Cat", "dog", "cat "], [[0, 2]]),
        (["traffic light", "traffic_light", "Traffic-Light", "cats", "cat"], [[0, 1, 2], [3, 4]]),
        (["cells", "Cell"], [[0, 1]]),
        (["bus", "bu", "gas", "glass", "gla"], []),
        (["-", "_", "cat", "dog"], []),
        (["caf\u00e9", "cafe\u0301"], [[0, 1]]),
    ],
)
def test_names_of_one_class(names, groups):
    assert similar_names(names) == groups


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
    assert status == 0 and f"\n  fewer bits (1)\n    {path}:2: {tmp_path}/b.png uses 12 of its 16 bits" in shown


def test_of_very_many_remarks_the_first_are_shown(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE])
    (tmp_path / "n.names").write_text("\n".join(["cell", *(f"n{n}." for n in range(30))]))
    status, shown = checks(path, names, capsys)
    assert status == 0 and used(shown)["class without boxes"] == (30, "remark")
    assert shown.count("has no box") == 10 and "\n    and 20 more\n" in shown


def test_boxes_at_which_a_text_list_stops_are_shown_as_such(tmp_path, capsys):
    path, names = make(tmp_path, "text", [FINE, (5, 5, 5, 9)])
    status, shown = checks(path, names, capsys)
    assert status == 1 and used(shown)["box without area"] == (2, "stops")
