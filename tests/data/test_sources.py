"""Sources of examples, from annotations of all formats: splits, class names, crowds and difficult boxes."""

import dataclasses
import itertools
import json
import os

import numpy as np
import pytest

from tests.helpers.augmentation import everything
from tests.helpers.example_pictures import smooth_example
from tests.helpers.text_list import GRID, GRIDS, NAMES, PICTURES, assert_same, relist, write_list
from yolojax.config import Config
from yolojax.data import digits
from yolojax.data.convert import convert
from yolojax.data.formats.read import Annotations
from yolojax.data.formats.text import read_text_list
from yolojax.data.images import letterbox_boxes, write_image
from yolojax.data.pipeline import train_batches, train_sample, val_sample
from yolojax.data.sources import ListSource, open_split, truth
from yolojax.errors import InputError

WRITTEN = {"text": "list.txt", "voc": ":list", "coco": "list.json", "yolo": "data.yaml:list"}


@pytest.fixture
def listed(tmp_path):
    return write_list(tmp_path)


@pytest.fixture(params=WRITTEN)
def converted(request, listed, tmp_path):
    """The same data in each format: (configuration, its name)."""
    convert([listed.data.train], request.param, tmp_path / "out", names=NAMES)
    listed.data.train = listed.data.val = f"{tmp_path}/out/{WRITTEN[request.param]}".replace("/:", ":")
    return listed, request.param


def test_every_format_gives_the_same_samples(converted, tmp_path):
    config, form = converted
    original = open_split(write_list(tmp_path), "train")
    source = open_split(config, "train")
    assert len(source) == len(original) == len(PICTURES)
    for index in range(len(source)):
        for make in (lambda s, i: train_sample(s, config, GRID, 0, i), lambda s, i: val_sample(s, config, GRID, i)):
            one, two = make(source, index), make(original, index)
            np.testing.assert_array_equal(one.image, two.image)
            np.testing.assert_allclose(one.targets.boxes, two.targets.boxes, atol=1e-4)
            np.testing.assert_array_equal(one.targets.slots, two.targets.slots)
            if form != "yolo":
                assert_same(one, two)
        boxes, classes, ignored = truth(source, index, source.example(0, index))
        np.testing.assert_allclose(boxes, original.records[index].boxes, atol=1e-5)
        np.testing.assert_array_equal(classes, original.records[index].classes)
        assert not ignored.any()


def test_class_names_come_from_the_training_data(converted, tmp_path):
    config, form = converted
    config.data.class_names = ()
    if form == "text":
        with pytest.raises(InputError, match=r"list\.txt: a text list has no class names; .* config\.data\.names"):
            open_split(config, "train")
    else:
        assert open_split(config, "train").names == (tuple(sorted(NAMES)) if form == "voc" else NAMES)
    (tmp_path / "other.names").write_text("dog\ncow\ncat\n")
    config.data.names = str(tmp_path / "other.names")
    assert open_split(config, "train").names == ("dog", "cow", "cat")
    config.data.names = config.data.train = ""
    with pytest.raises(InputError, match=r"^config\.data\.train is not set: give the path of a list or a data set$"):
        open_split(config, "train")


def test_each_split_is_taken_from_the_same_folder(listed, tmp_path):
    convert([listed.data.train], "voc", tmp_path / "voc", names=NAMES)
    (tmp_path / "voc/ImageSets/Main/train.txt").write_text("0\n1\n")
    (tmp_path / "voc/ImageSets/Main/val.txt").write_text("2\n")
    listed.data.train = listed.data.val = str(tmp_path / "voc")
    assert [len(open_split(listed, split)) for split in ("train", "val")] == [2, 1]
    listed.data.val = f"{tmp_path}/voc:list"
    assert len(open_split(listed, "val")) == len(PICTURES)


def test_the_split_test(listed, tmp_path, converted):
    config, form = converted
    (tmp_path / "own.txt").write_text("3.png\n")
    if form == "voc":
        (tmp_path / "out/ImageSets/Main/test.txt").write_text("4\n5\n")
    if form == "yolo":
        (tmp_path / "out/data.yaml").write_text("list: list.txt\ntest: test.txt\nnames: [cat, dog, cow]\n")
        (tmp_path / "out/test.txt").write_text("./images/4.png\n./images/5.png\n")
    if form in ("voc", "yolo"):
        assert [os.path.basename(record.path) for record in open_split(config, "test").records] == ["4.png", "5.png"]
    else:
        with pytest.raises(
            InputError, match=r"^config\.data\.test is not set: give the path .* \(or python -m yolojax eval --data PATH\)$"
        ):
            open_split(config, "test")
    config.data.test = str(tmp_path / "own.txt")
    assert len(open_split(config, "test")) == 1
    config.data.test = config.data.val = ""
    with pytest.raises(InputError, match=r"^config\.data\.test is not set"):
        open_split(config, "test")


def test_only_a_text_list_is_read_as_one_on_request(listed, tmp_path):
    convert([listed.data.train], "coco", tmp_path / "coco", names=NAMES)
    listed.data.source = "list"
    assert len(open_split(listed, "train")) == len(PICTURES)
    listed.data.train = str(tmp_path / "coco/list.json")
    with pytest.raises(InputError, match=r"list\.json:1: "):
        open_split(listed, "train")


def test_crowds_are_not_trained_on_but_ignored_in_evaluation(listed, tmp_path):
    convert([listed.data.train], "coco", tmp_path / "coco", names=NAMES)
    path = tmp_path / "coco/list.json"
    data = json.loads(path.read_text())
    data["annotations"][0]["iscrowd"] = 1
    data["annotations"].append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [5, 5, 0, 5]})
    path.write_text(json.dumps(data))
    listed.data.train = str(path)
    source = open_split(listed, "train")
    for sample in (train_sample(source, listed, GRID, 0, 0), val_sample(source, listed, GRID, 0)):
        assert sample.targets.classes.tolist() == [1, -1, -1, -1, -1]
    sample = val_sample(source, listed, GRID, 0)
    np.testing.assert_allclose(letterbox_boxes([[20, 20, 70, 55]], sample.transform)[0, :2], sample.targets.boxes[0, :2]
                               - sample.targets.boxes[0, 2:] / 2, atol=1e-4)  # fmt: skip
    boxes, classes, ignored = truth(source, 0, sample.original)
    assert boxes.tolist() == [[10, 10, 50, 40], [20, 20, 70, 55]]
    assert classes.tolist() == [0, 1] and ignored.tolist() == [True, False]
    assert source.notes("training") == [
        "training: 1 boxes around crowds are not trained on, and are ignored in evaluation",
        f"training: 1 boxes without area were left out, the first at {path}: annotation 99: box 5,5,5,10 has no area",
        f"training: 7 pictures lie outside {path.parent}, the first at {path.parent.parent / '0.png'}",
    ]


def test_difficult_boxes_are_trained_on_and_ignored_in_evaluation(listed, tmp_path):
    convert([listed.data.train], "voc", tmp_path / "voc", names=NAMES)
    path = tmp_path / "voc/Annotations/0.xml"
    path.write_text(path.read_text().replace("<difficult>0", "<difficult>1", 1))
    listed.data.val = f"{tmp_path}/voc:list"
    source = open_split(listed, "val")
    sample = val_sample(source, listed, GRID, 0)
    assert sample.targets.classes.tolist() == [0, 1, -1, -1, -1]
    assert truth(source, 0, sample.original)[2].tolist() == [True, False]
    assert source.notes("validation") == []


def test_unreadable_pictures_of_yolo_are_skipped_on_request(listed, tmp_path):
    convert([listed.data.train], "yolo", tmp_path / "yolo", names=NAMES)
    (tmp_path / "0.png").write_text("no picture")
    listed.data.val = f"{tmp_path}/yolo:list"
    source = open_split(listed, "val")
    with pytest.raises(InputError, match=r"0\.png: not a picture"):
        val_sample(source, listed, GRID, 0)
    listed.data.on_unreadable = "skip"
    assert val_sample(source, listed, GRID, 0) is None and val_sample(source, listed, GRID, 1) is not None


def test_blood_cells(real_data, listed):
    listed.data.class_names, listed.data.train = (), str(real_data / "bccd")
    source = open_split(listed, "train")
    assert source.names == ("Platelets", "RBC", "WBC")
    assert len(source) == 205 and "1 boxes without area were left out" in source.notes("training")[0]
    assert source.example(0, 3).image.shape == (480, 640, 3)


def test_digits_of_validation_are_held_out(digits_config):
    train, val = (open_split(digits_config, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (20, 10)
    for source, expected in zip((train, val), digits.split_digits(), strict=True):
        assert_same(list(source.glyphs), list(expected))
    # Nor do scenes of the same number share their background and places.
    assert any((train.example(0, n).image[0, 0] != val.example(0, n).image[0, 0]).any() for n in range(4))
    assert train.names == val.names == tuple("0123456789")


def test_digits_are_drawn_anew_in_every_epoch_but_always_the_same(digits_config):
    train, val = (open_split(digits_config, split) for split in ("train", "val"))
    scenes = {
        source.example(epoch, index).image.tobytes()
        for source, epoch, index in itertools.product((train, val), range(3), range(4))
    }
    assert len(scenes) == 24
    again = open_split(digits_config, "train")
    assert_same(again.example(2, 3), train.example(2, 3))
    digits_config.seed += 1
    other = open_split(digits_config, "train").example(2, 3)
    assert other.image.tobytes() != train.example(2, 3).image.tobytes()
    image, boxes, classes = train.example(0, 0)
    assert image.shape == (64, 64, 3) and 1 <= len(boxes) == len(classes)


def test_splits_and_names(config, digits_config):
    assert isinstance(open_split(config, "val"), ListSource)
    assert open_split(config, "train").names == NAMES
    assert open_split(digits_config, "train").names == tuple("0123456789")
    names = config.data.train.replace("list.txt", "classes.names")
    with open(names, "w") as file:
        file.write("left\nright\n")
    config.data.class_names, config.data.names = (), names
    config.data.source = "list"
    with pytest.raises(InputError, match=r"list\.txt:2: class 2 has no name: there are 2"):
        open_split(config, "train")
    config.data.source = "auto"
    config.data.val, config.data.val_share = "", 0.0
    with pytest.raises(InputError, match=r"^config\.data\.val is not set: give the path of a list"):
        open_split(config, "val")
    with pytest.raises(InputError, match=r"there is no split 'tests'; expected one of train, val, test$"):
        open_split(config, "tests")
    with pytest.raises(InputError, match=r"the digits source has no split 'test'; expected one of train, val$"):
        open_split(digits_config, "test")
    config.data.train = "nowhere.txt"
    with pytest.raises(InputError, match=r"^nowhere\.txt: "):
        open_split(config, "train")


def test_pictures_are_described_by_file_and_line(config, digits_config):
    description = open_split(config, "train").describe(2)
    assert description.endswith("list.txt:3)") and "2.png (" in description
    assert open_split(digits_config, "train").describe(2) == "scene 2 of the training digits"
    assert open_split(digits_config, "val").describe(2) == "scene 2 of the held-out digits"


def test_pictures_in_memory_are_read_once_and_are_the_same(config):
    expected = list(train_batches(open_split(config, "train"), config, GRIDS, 0, 12))
    config.data.cache_gib = 1.0
    source = open_split(config, "train")
    assert_same(list(train_batches(source, config, GRIDS, 0, 12)), expected)
    for number in range(len(PICTURES)):
        os.remove(config.data.train.replace("list.txt", f"{number}.png"))
    assert_same(list(train_batches(source, config, GRIDS, 0, 12)), expected)


def test_no_more_pictures_are_kept_than_there_is_memory_for(config):
    sizes = [3 * width * height for (width, height), _ in PICTURES]
    source = ListSource(Annotations((), read_text_list(config.data.train, config.data.class_names), []), sum(sizes[:3]) + 10)
    for _ in range(2):
        for index in range(len(PICTURES)):
            source.example(0, index)
    for number in range(len(PICTURES)):
        os.remove(config.data.train.replace("list.txt", f"{number}.png"))
    for index in range(3):
        assert source.example(1, index).image.nbytes == sizes[index]
    for index in range(3, len(PICTURES)):
        with pytest.raises(InputError):
            source.example(1, index)


def test_the_memory_is_estimated(config):
    relist(config, "", size=(1024, 512))
    config.data.cache_gib = 0.25
    with open(config.data.train, "w") as file:
        file.write("alone.png\n" * 1024)
    (note,) = open_split(config, "train").notes("training")
    assert note == (
        "training: decoded, the pictures take about 1.50 GiB of memory; up to 0.25 GiB of them are kept (config.data.cache_gib)"
    )
    assert open_split(config, "val").notes("validation") == []


def test_samples_do_not_depend_on_which_pictures_are_kept(tmp_path):
    """With JPEGs, which are decoded smaller where that is enough: not where some are kept, as which depends on the threads."""
    lines = []
    for number in range(3):
        write_image(tmp_path / f"{number}.jpg", smooth_example(number, 240, 320).image)
        lines.append(f"{number}.jpg 60,50,200,150,{number}")
    (tmp_path / "jpegs.txt").write_text("\n".join(lines))
    records = read_text_list(tmp_path / "jpegs.txt", NAMES)
    config = Config()
    config.data.augment = dataclasses.replace(everything(), noise_probability=0.0)
    samples = []
    for room, order in ((3, (0, 1, 2)), (1, (0, 1, 2)), (1, (2, 1, 0)), (0, (0, 1, 2))):
        source = ListSource(Annotations(NAMES, records, []), room * 3 * 240 * 320)
        for index in order:
            source.example(0, index)
        samples.append([train_sample(source, config, GRID, 0, index).image for index in range(3)])
    assert_same(samples[1], samples[0])
    assert_same(samples[2], samples[0])
    assert not np.array_equal(samples[3], samples[0])
