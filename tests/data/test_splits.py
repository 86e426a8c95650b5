"""A validation split of its own accord: by the pictures' content, or the split val of the training data."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.helpers.noise_pictures import write_pictures
from yolojax.config import Config, from_dict, to_dict
from yolojax.data.content import content_hashes
from yolojax.data.convert import convert
from yolojax.data.images import write_image
from yolojax.data.sources import open_split
from yolojax.errors import InputError

NAMES = ("cat", "dog")
FORMATS = ("text", "voc", "coco", "yolo")
WRITTEN = {"text": "{}/all.txt", "voc": "{}:all", "coco": "{}/all.json", "yolo": "{}/data.yaml:all"}


def configured(train, **fields):
    config = Config()
    config.data.train, config.data.class_names = str(train), NAMES
    for name, value in fields.items():
        setattr(config.data, name, value)
    return config


def pictures(config, split):
    return [os.path.basename(os.path.realpath(record.path)) for record in open_split(config, split).records]


@pytest.mark.parametrize("form", FORMATS)
def test_a_share_of_the_training_pictures_in_every_format(tmp_path, form):
    config = configured(write_pictures(tmp_path / "in", range(40)))
    expected = {split: sorted(pictures(config, split)) for split in ("train", "val")}
    assert 2 <= len(expected["val"]) <= 16 and len(expected["train"]) + len(expected["val"]) == 40
    convert([config.data.train], form, tmp_path / "out", names=NAMES)
    config.data.train = WRITTEN[form].format(tmp_path / "out")
    for split in ("train", "val"):
        assert sorted(pictures(config, split)) == expected[split]
    count = len(expected["val"])
    line = f"validation: {count} of 40 pictures, chosen by their content (config.data.val_share = 0.2)"
    assert line in open_split(config, "val").notes("validation")
    assert not any("val_share" in note for note in open_split(config, "train").notes("training"))


def test_a_list_that_is_read_as_one_on_request_is_divided_as_well(tmp_path):
    config = configured(write_pictures(tmp_path / "in", range(40)))
    expected = [pictures(config, split) for split in ("train", "val")]
    config.data.source = "list"
    assert [pictures(config, split) for split in ("train", "val")] == expected


def test_more_pictures_move_none_and_the_names_do_not_matter(tmp_path):
    config = configured(write_pictures(tmp_path / "in", range(40)))
    before = set(pictures(config, "val"))
    write_pictures(tmp_path / "in", range(40, 80))
    after = set(pictures(config, "val"))
    assert before == {name for name in after if int(name.removesuffix(".png")) < 40} and before < after
    write_pictures(tmp_path / "other", range(80), "holiday {}.png")
    config.data.train = str(tmp_path / "other/all.txt")
    assert {name.removeprefix("holiday ") for name in pictures(config, "val")} == after


def test_doubles_are_on_one_side(tmp_path):
    write_pictures(tmp_path / "in", range(30))
    config = configured(write_pictures(tmp_path / "in", range(30), "copy of {}.png"))
    for split in ("train", "val"):
        names = set(pictures(config, split))
        assert names == {f"copy of {name}" for name in names if "copy" not in name} | {n for n in names if "copy" not in n}


@pytest.mark.parametrize("share", [1e-9, 0.2, 0.999999])
@pytest.mark.parametrize("count", [2, 3])
def test_a_few_pictures_leave_no_side_empty(tmp_path, count, share):
    config = configured(write_pictures(tmp_path / "in", range(count)), val_share=share)
    for split in ("train", "val"):
        assert pictures(config, split)
    if share < 0.1:
        paths = sorted(str(path) for path in (tmp_path / "in").glob("*.png"))
        smallest = paths[int(np.argmin(np.array(content_hashes(paths), np.float64)))]
        assert pictures(config, "val") == [os.path.basename(smallest)]


def test_one_picture_cannot_be_divided(tmp_path):
    config = configured(write_pictures(tmp_path / "in", [1]))
    assert pictures(config, "train") == ["1.png"]
    shutil.copy(tmp_path / "in/1.png", tmp_path / "in/2.png")
    write_pictures(tmp_path / "in", [])
    with pytest.raises(InputError, match=r"all\.txt: choosing pictures for validation needs two different ones .*data\.val$"):
        open_split(config, "val")


def test_a_file_that_changes_is_read_again(tmp_path):
    config = configured(write_pictures(tmp_path / "in", range(20)))
    name = pictures(config, "val")[0]
    trained = pictures(config, "train")[0]
    (tmp_path / "in" / name).write_bytes((tmp_path / "in" / trained).read_bytes() + b"more of it")
    for number in range(100):
        if name not in pictures(config, "val"):
            break
        with open(tmp_path / "in" / name, "ab") as file:
            file.write(b"%d" % number)
    assert name in pictures(config, "train")


@pytest.mark.parametrize("form", ["voc", "yolo"])
@pytest.mark.parametrize("chosen", ["", ":train"])
def test_the_split_val_of_the_training_data_comes_first(tmp_path, form, chosen):
    write_pictures(tmp_path / "in", range(10))
    lines = (tmp_path / "in/all.txt").read_text().splitlines(keepends=True)
    for split, part in (("train", lines[:6]), ("val", lines[6:8]), ("test", lines[8:])):
        (tmp_path / f"in/{split}.txt").write_text("".join(part))
    convert([tmp_path / f"in/{split}.txt" for split in ("train", "val", "test")], form, tmp_path / "out", names=NAMES)
    config = configured(f"{tmp_path / 'out'}{chosen}")
    assert [len(pictures(config, split)) for split in ("train", "val", "test")] == [6, 2, 2]
    folder = tmp_path / "out"
    assert f"validation: the split val of {folder}, because config.data.val is not set" in open_split(config, "val").notes(
        "validation"
    )
    # A split of another name may hold pictures of val.
    config.data.train = f"{tmp_path / 'out'}:test"
    assert len(pictures(config, "train")) == len(pictures(config, "val")) == 1


def test_a_folder_without_splits_is_divided_whole(tmp_path):
    convert([write_pictures(tmp_path / "in", range(30))], "voc", tmp_path / "voc", names=NAMES)
    shutil.rmtree(tmp_path / "voc/ImageSets")
    config = configured(tmp_path / "voc")
    assert len(pictures(config, "train")) + len(pictures(config, "val")) == 30 and pictures(config, "val")


def test_a_share_of_0_needs_a_validation_split(tmp_path):
    config = configured(write_pictures(tmp_path / "in", range(20)), val_share=0.0)
    assert len(pictures(config, "train")) == 20
    with pytest.raises(InputError, match=r"^config\.data\.val is not set: .*, or a config\.data\.val_share greater than 0$"):
        open_split(config, "val")


def test_where_val_is_set_nothing_is_divided_and_old_configurations_stay_as_they_were(tmp_path):
    config = configured(write_pictures(tmp_path / "in", range(20)), val=str(tmp_path / "in/all.txt"))
    values = to_dict(config)
    del values["data"]["val_share"]
    old = from_dict(json.loads(json.dumps(values)))
    assert old == config
    for split in ("train", "val"):
        assert len(pictures(old, split)) == 20


@pytest.mark.parametrize("form", FORMATS)
def test_missing_pictures_are_named_and_counted_or_passed_over(tmp_path, form):
    config = configured(write_pictures(tmp_path / "in", range(20)))
    convert([config.data.train], form, tmp_path / "out", names=NAMES)
    config.data.train = WRITTEN[form].format(tmp_path / "out")
    first, second, *others = pictures(config, "train")
    names = [first, second, *others[2:5]]
    for name in names:
        (tmp_path / "in" / name).unlink()
    with pytest.raises(
        InputError, match=rf"^5 pictures are missing: .*{first}.*{second}, .*, \.\.\. \(.*on_unreadable=skip"
    ) as caught:
        open_split(config, "train")
    assert "\n" not in str(caught.value)
    config.data.on_unreadable = "skip"
    assert set(names) <= set(pictures(config, "train"))
    lines = open_split(config, "train").notes("training")
    assert any(line.startswith("training: 5 pictures are missing and are passed over (config.data.on_unre") for line in lines)
    config.data.on_unreadable = "stop"
    for name in names[1:]:
        write_image(tmp_path / "in" / name, np.zeros((12, 16, 3), np.uint8))
    with pytest.raises(InputError, match=rf"{first}.* \(config\.data\.on_unreadable=skip passes over missing pictures\)$"):
        open_split(config, "val")
