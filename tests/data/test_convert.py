"""Conversions between all formats: what comes back, what is lost, and what is refused."""

import json
import os
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations
from yolojax.data.images import read_image, write_image
from yolojax.errors import InputError

NAMES = ("dog", "cat & mouse")
FORMATS = ("text", "voc", "coco", "yolo")
WRITTEN = {"text": "{}/part.txt", "voc": "{}:part", "coco": "{}/part.json", "yolo": "{}/data.yaml:part"}


def write_data(folder, annotations, images):
    """Writes a COCO file part.json of pictures (path, (height, width)) and (image, category, box, crowd) annotations."""
    for name, size in images:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.zeros((*size, 3), np.uint8))
    data = {
        "images": [{"id": number, "file_name": name} for number, (name, _) in enumerate(images)],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd}
            for number, (image, category, box, crowd) in enumerate(annotations)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
    }
    folder.mkdir(exist_ok=True)
    (folder / "part.json").write_text(json.dumps(data))
    return folder / "part.json"


IMAGES = [("a.png", (40, 60)), ("sub/a.png", (50, 30)), ("sub dir/c 1,2,3,4,5.jpg", (20, 20))]
ANNOTATIONS = [(0, 0, [1.5, 2, 30, 20.25], 0), (0, 1, [0, 0, 60, 40], 1), (1, 1, [3, 4, 5, 6], 0), (1, 0, [3, 4, 5, 0], 0)]


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "in", ANNOTATIONS, IMAGES)


def snapshot(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
def test_there_and_back(data, tmp_path, first, second):
    before = snapshot(tmp_path / "in")
    convert([data], first, tmp_path / "one")
    middle = WRITTEN[first].format(tmp_path / "one")
    convert([middle], second, tmp_path / "deep/two", names=NAMES)
    names, records, _ = read_annotations(WRITTEN[second].format(tmp_path / "deep/two"), names=NAMES)
    assert names == NAMES
    expected = read_annotations(data).records
    crowds_kept = first == second == "coco"
    assert len(records) == len(expected) == 3
    for record, original in zip(records, expected, strict=True):
        kept = ~original.crowd | crowds_kept
        np.testing.assert_allclose(record.boxes, original.boxes[kept], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(record.classes, original.classes[kept])
        np.testing.assert_array_equal(record.crowd, original.crowd[kept])
        assert os.path.samefile(record.path, original.path)
        np.testing.assert_array_equal(read_image(record.path), read_image(original.path))
    assert snapshot(tmp_path / "in") == before


def test_what_is_lost_is_said(data, tmp_path):
    said = {to: convert([data], to, tmp_path / to) for to in FORMATS}
    place = f"{data}: annotation 3: box 3,4,8,4 has no area"
    assert said["coco"] == ["part: 3 pictures, 3 boxes", f"1 boxes without area were left out, the first at {place}"]
    assert "1 boxes around crowds were left out: text cannot mark them" in said["text"]
    assert any("classes.names" in line for line in said["voc"])
    assert any("rounded fractions" in line for line in said["yolo"])
    voc = tmp_path / "voc/Annotations/a.xml"
    voc.write_text(voc.read_text().replace("<difficult>0", "<difficult>1"))
    for to in FORMATS:
        lines = convert([tmp_path / "voc"], to, tmp_path / f"again {to}")
        assert (f"1 difficult boxes became ordinary ones: {to} cannot mark them" in lines) == (to != "voc")
    assert read_annotations(tmp_path / "again voc", names=NAMES).records[0].difficult.tolist() == [True]


def test_written_files_are_what_the_formats_say(data, tmp_path):
    for to in FORMATS:
        convert([data], to, tmp_path / to)
    assert (tmp_path / "text/part.txt").read_text().splitlines()[:2] == [
        "../in/a.png 1.5,2,31.5,22.25,0",
        "../in/sub/a.png 3,4,8,10,1",
    ]
    assert (tmp_path / "text/classes.names").read_text() == "dog\ncat & mouse\n"

    tree = ElementTree.parse(tmp_path / "voc/Annotations/a_2.xml").getroot()
    assert [tree.findtext(f"size/{side}") for side in ("width", "height", "depth")] == ["30", "50", "3"]
    assert tree.findtext("filename") == "a_2.png" and tree.findtext("object/name") == "cat & mouse"
    assert [tree.findtext(f"object/bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")] == ["3", "4", "8", "10"]
    assert os.readlink(tmp_path / "voc/JPEGImages/a_2.png") == "../../in/sub/a.png"
    assert (tmp_path / "voc/ImageSets/Main/part.txt").read_text().split("\n") == ["a", "a_2", "c 1,2,3,4,5", ""]

    coco = json.loads((tmp_path / "coco/part.json").read_text())
    assert coco["images"][0] == {"id": 1, "file_name": "../in/a.png", "width": 60, "height": 40}
    assert coco["annotations"][1] == {
        "id": 2, "image_id": 1, "category_id": 2, "bbox": [0, 0, 60, 40], "area": 2400, "iscrowd": 1,
    }  # fmt: skip
    assert coco["categories"] == [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat & mouse"}]

    settings = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text())
    assert settings == {"part": "part.txt", "names": dict(enumerate(NAMES))}
    assert (tmp_path / "yolo/part.txt").read_text().split("\n")[:2] == ["./images/a.png", "./images/a_2.png"]
    class_id, *parts = (tmp_path / "yolo/labels/a.txt").read_text().split()
    # x from 1.5 to 31.5 of 60, y from 2 to 22.25 of 40.
    assert class_id == "0"
    np.testing.assert_allclose([float(part) for part in parts], [0.275, 0.303125, 0.5, 0.50625], rtol=1e-9)
    assert (tmp_path / "yolo/labels/c 1,2,3,4,5.txt").read_text() == ""


def test_boxes_over_the_edge_are_cut_off_for_yolo_alone(tmp_path):
    data = write_data(tmp_path / "in", [(0, 0, [-2, 30, 10, 20], 0), (0, 0, [1, 1, 5, 5], 0)], [("a.png", (40, 60))])
    for to, box in (("yolo", [0, 30, 8, 40]), ("voc", [-2, 30, 8, 50]), ("text", [-2, 30, 8, 50])):
        lines = convert([data], to, tmp_path / to)
        assert ("1 boxes that reached over their picture's edge were cut off there" in lines) == (to == "yolo")
        record = read_annotations(WRITTEN[to].format(tmp_path / to), names=NAMES).records[0]
        np.testing.assert_allclose(record.boxes[0], box, atol=1e-5)


def test_several_splits_share_pictures(data, tmp_path):
    convert([data], "voc", tmp_path / "voc")
    main = tmp_path / "voc/ImageSets/Main"
    (main / "train.txt").write_text("a\na_2\n")
    (main / "val.txt").write_text("a\n")
    lines = convert([tmp_path / "voc"], "yolo", tmp_path / "yolo")
    assert lines[:3] == ["part: 3 pictures, 2 boxes", "train: 2 pictures, 2 boxes", "val: 1 pictures, 1 boxes"]
    assert len(os.listdir(tmp_path / "yolo/images")) == 3
    assert len(read_annotations(tmp_path / "yolo", "train").records) == 2
    convert([tmp_path / "voc"], "text", tmp_path / "one", split="val")
    convert([f"{tmp_path}/voc:val"], "text", tmp_path / "two")
    for name in ("one", "two"):
        assert sorted(os.listdir(tmp_path / name)) == ["classes.names", "val.txt"]


def test_links_on_the_way_are_followed(data, tmp_path):
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "far/away")
    (tmp_path / "data").symlink_to(tmp_path / "in")
    for to in FORMATS:
        convert([tmp_path / "data/part.json"], to, tmp_path / "out" / to)
        records = read_annotations(WRITTEN[to].format(tmp_path / "out" / to), names=NAMES).records
        assert os.path.samefile(records[1].path, tmp_path / "in/sub/a.png")


@pytest.mark.parametrize("form", FORMATS)
def test_splits_of_one_name_become_one(data, tmp_path, form):
    other = write_data(tmp_path / "more", [(0, 1, [4, 4, 8, 8], 0)], [("a.png", (30, 30)), ("b.png", (9, 9))])
    lines = convert([f"{data}:part", f"{other}:part"], form, tmp_path / "out")
    assert sum(line.startswith("part: ") for line in lines) == 2
    annotations = read_annotations(WRITTEN[form].format(tmp_path / "out"), None, NAMES)
    assert [len(record.boxes) for record in annotations.records] == [1 + (form == "coco"), 1, 0, 1, 0]
    assert len({record.path for record in annotations.records}) == 5


def write_export(folder, *splits):
    """Writes a COCO file of the same name for each split, with two pictures, as Roboflow does."""
    files = []
    for number, split in enumerate(splits):
        annotations = [(0, number % 2, [4, 4, 8, 8], 0)]
        part = write_data(folder / split, annotations, [(f"{split} {n}.png", (20 + n, 30)) for n in range(2)])
        files.append(part.rename(part.with_name("_annotations.coco.json")))
    return files


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("inner", ["", "annotations/"])
def test_files_of_one_name_are_the_splits_that_their_folders_say(tmp_path, form, inner, monkeypatch):
    files = write_export(tmp_path / "in", "train", "valid", "test")
    if inner:
        for place, file in enumerate(files):
            (file.parent / "images").mkdir()
            for picture in file.parent.glob("*.png"):
                picture.rename(file.parent / "images" / picture.name)
            (file.parent / inner).mkdir()
            files[place] = file.rename(file.parent / inner / file.name)
    lines = convert(files, form, tmp_path / "out")
    assert lines[:3] == ["train: 2 pictures, 1 boxes", "val: 2 pictures, 1 boxes", "test: 2 pictures, 1 boxes"]
    for split in ("train", "val", "test"):
        written = WRITTEN[form].format(tmp_path / "out").replace("part", split)
        paths = [os.path.realpath(record.path) for record in read_annotations(written, names=NAMES).records]
        folder = tmp_path / "in" / ("valid" if split == "val" else split)
        assert len(paths) == 2 and all(Path(path).is_relative_to(folder) for path in paths)
    monkeypatch.chdir(files[0].parent)
    convert([files[0].name], form, tmp_path / "one")
    assert os.path.exists(WRITTEN[form].format(tmp_path / "one").replace("part", "train").partition(":")[0])


@pytest.mark.parametrize("form", FORMATS)
def test_folders_without_splits_are_the_splits_that_their_names_say(tmp_path, form):
    for split, file in zip(("train", "valid"), write_export(tmp_path / "in", "train", "valid"), strict=True):
        convert([file], "voc", tmp_path / "voc" / split)
        shutil.rmtree(tmp_path / "voc" / split / "ImageSets")
    lines = convert([tmp_path / "voc/train", tmp_path / "voc/valid"], form, tmp_path / "out", names=NAMES)
    assert lines[:2] == ["train: 2 pictures, 1 boxes", "val: 2 pictures, 1 boxes"]


def test_the_name_of_a_file_goes_before_that_of_its_folder(tmp_path):
    first, second = write_export(tmp_path, "train", "other")
    first, second = first.rename(first.with_name("Validation.json")), second.rename(second.with_name("mine.json"))
    lines = convert([first, second], "text", tmp_path / "out")
    assert [line.partition(":")[0] for line in lines[:2]] == ["val", "mine"]


def test_files_of_one_name_that_say_no_split_are_refused(tmp_path):
    one, two = write_export(tmp_path, "cats", "dogs")
    refused(r"dogs/_annotations\.coco\.json: would become one split, '_annotations\.coco', .*json:NAME", [one, two], "yolo",
            tmp_path / "out")  # fmt: skip
    assert not (tmp_path / "out").exists()
    lines = convert([f"{one}:train", f"{two}:val"], "yolo", tmp_path / "out")
    assert [line.partition(":")[0] for line in lines[:2]] == ["train", "val"]
    refused(r"json:\.\./val: '\.\./val' cannot name a split", [f"{one}:../val"], "yolo", tmp_path / "odd")
    convert([f"{one}:train", f"{two}:train"], "yolo", tmp_path / "together")
    assert len(read_annotations(tmp_path / "together", "train").records) == 4


def refused(match, *arguments, **options):
    with pytest.raises(InputError, match=match) as caught:
        convert(*arguments, **options)
    assert "\n" not in str(caught.value)


def test_refused(data, tmp_path):
    out = tmp_path / "out"
    refused("in: exists and is not an empty folder", [data], "text", tmp_path / "in")
    refused(r"part\.json: exists and is not an empty folder", [data], "text", data)
    refused("has no splits; leave out --split", [data], "text", out, split="train")
    refused(r"a\.png is in the split 'part' already: .*part\.json", [data, data], "text", out)
    refused("absent: there is no such file", [tmp_path / "absent"], "text", out)
    convert([data], "voc", tmp_path / "voc")
    refused("lies in the data", [tmp_path / "voc"], "text", tmp_path / "voc/text")
    convert([data], "yolo", tmp_path / "yolo")
    refused("lies in the data", [tmp_path / "yolo/data.yaml"], "text", tmp_path / "yolo/text")
    (tmp_path / "file").touch()
    refused("file/out: cannot be written: Not a directory", [data], "text", tmp_path / "file/out")
    (tmp_path / "in/a.png").write_text("no picture")
    for to in FORMATS:
        refused(r"a\.png: not a picture", [data], to, out)
    assert not out.exists()


def test_pictures_that_lists_cannot_hold_and_two_truths_are_refused(tmp_path):
    data = write_data(tmp_path / "odd", [], [("a\nb.png", (9, 9))])
    refused(r"a\\nb\.png': lists cannot hold", [data], "text", tmp_path / "out")
    data = write_data(tmp_path / "space", [], [("a .png", (9, 9))])
    refused("lists cannot hold", [data], "voc", tmp_path / "out")
    write_image(tmp_path / "p.png", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "list.txt").write_text("p.png 1,1,5,5,0\np.png 1,1,5,6,0\n")
    for to in ("voc", "yolo"):
        refused(r"list\.txt:2: .*p\.png is at .*list\.txt:1 as well", [tmp_path / "list.txt"], to, tmp_path / to, names=["a"])
        assert not (tmp_path / to).exists()
    convert([tmp_path / "list.txt"], "coco", tmp_path / "coco", names=["a"])
    assert len(read_annotations(tmp_path / "coco/list.json").records) == 2


SIDE = st.floats(0, 1, width=32)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    boxes=st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), max_size=5),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    to=st.sampled_from(FORMATS),
)
def test_any_box_comes_back(tmp_path_factory, boxes, size, to):
    folder = tmp_path_factory.mktemp("data")
    height, width = size
    corners = [(min(a, c) * width, min(b, d) * height, max(a, c) * width, max(b, d) * height) for a, b, c, d in boxes]
    corners = [box for box in corners if max(box) > 1.001]  # those in the first pixel look like fractions
    annotations = [(0, n % 2, [x1, y1, x2 - x1, y2 - y1], 0) for n, (x1, y1, x2, y2) in enumerate(corners)]
    data = write_data(folder / "in", annotations, [("a.png", size)])
    convert([data], to, folder / "out")
    (expected,), (record,) = (
        read_annotations(path, names=NAMES).records for path in (data, WRITTEN[to].format(folder / "out"))
    )
    if to == "yolo":
        # A box of almost no width may lose it in rounding.
        wide = ((expected.boxes[:, 2:] - expected.boxes[:, :2]) > 1e-3).all(1)
        if wide.all():
            np.testing.assert_allclose(record.boxes, expected.boxes, rtol=0, atol=2e-5)
            np.testing.assert_array_equal(record.classes, expected.classes)
    else:
        np.testing.assert_array_equal(record.boxes, expected.boxes)
        np.testing.assert_array_equal(record.classes, expected.classes)


@pytest.mark.slow  # other tests convert small sets
def test_blood_cells_through_all_formats_and_back(real_data, tmp_path):
    splits = ("test", "train", "trainval", "val")
    names = read_annotations(real_data / "bccd").names
    convert([real_data / "bccd"], "coco", tmp_path / "coco")
    convert([tmp_path / f"coco/{split}.json" for split in splits], "yolo", tmp_path / "yolo")
    convert([tmp_path / "yolo"], "text", tmp_path / "text")
    convert([tmp_path / f"text/{split}.txt" for split in splits], "voc", tmp_path / "voc", names=names)
    for split in (*splits, None):
        before, after = (read_annotations(folder, split) for folder in (real_data / "bccd", tmp_path / "voc"))
        assert before.names == after.names and len(before.records) == len(after.records)
        for one, two in zip(before.records, after.records, strict=True):
            assert Path(one.path).name == Path(two.path).name and os.path.samefile(one.path, two.path)
            np.testing.assert_array_equal(one.boxes, two.boxes)
            np.testing.assert_array_equal(one.classes, two.classes)


@pytest.mark.parametrize("to", FORMATS)
def test_names_of_splits_do_not_lead_out(data, tmp_path, to):
    convert([data], "yolo", tmp_path / "set")
    (tmp_path / "set" / "names.txt").write_text((tmp_path / "set" / "part.txt").read_text())
    for victim in ("pwned.txt", "pwned.json", "far.txt", "far.json"):
        (tmp_path / victim).write_text("precious")
    values = {"../../pwned": "part.txt", f"{tmp_path}/far": "names.txt", "names": list(NAMES)}
    (tmp_path / "set" / "data.yaml").write_text(yaml.safe_dump(values))
    before = snapshot(tmp_path)
    lines = convert([tmp_path / "set"], to, tmp_path / "deep" / "out")
    after = snapshot(tmp_path)
    assert {path: after[path] for path in before} == before
    assert all(path.is_relative_to(tmp_path / "deep" / "out") for path in after.keys() - before.keys())
    assert any(line.startswith("the split '../../pwned' is called '_.._pwned'") for line in lines)
    path = WRITTEN[to].format(tmp_path / "deep" / "out").replace("part", "_.._pwned")
    assert len(read_annotations(path, names=NAMES).records) == len(IMAGES)


def test_a_split_called_like_a_key_of_a_data_yaml_keeps_its_pictures(data, tmp_path):
    convert([f"{data}:names"], "yolo", tmp_path / "out")
    assert len(read_annotations(f"{tmp_path}/out/data.yaml:names-2").records) == len(IMAGES)


@pytest.mark.parametrize("to", FORMATS)
def test_a_set_is_whole_or_not_there(data, tmp_path, to, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    out = tmp_path / "new" / "out"
    for function in ("write_text", "symlink_to"):
        monkeypatch.setattr(Path, function, full)
    with pytest.raises(InputError, match=rf"^{out}: cannot be written: No space left on device$"):
        convert([data], to, out)
    assert not out.parent.exists()


def test_a_folder_that_cannot_be_replaced_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "mounted")
    (tmp_path / "mounted").mkdir()
    with pytest.raises(InputError, match=r"mounted: is a mount point, or .* give a new folder inside it"):
        convert([data], "coco", tmp_path / "mounted")
    convert([data], "coco", tmp_path / "mounted" / "set")


def test_an_output_that_is_a_circle_of_links_is_refused(data, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(InputError, match="circle: exists and is not an empty folder; give a new one"):
        convert([data], "coco", tmp_path / "circle")
    with pytest.raises(InputError, match="circle/out: cannot be written"):
        convert([data], "coco", tmp_path / "circle" / "out")
