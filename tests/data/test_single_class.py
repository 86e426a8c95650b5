"""All classes as one: what is read is what was there, but for the class."""

import dataclasses

import numpy as np
import pytest

from tests.helpers.text_list import NAMES, PICTURES, write_list
from tests.helpers.tiny_set import write_set
from yolojax.config import checked
from yolojax.data.annotations import Record
from yolojax.data.class_map import read_for_classes
from yolojax.data.convert import convert
from yolojax.data.formats.read import Annotations
from yolojax.data.single_class import NUMBERS, as_one_class, the_class
from yolojax.data.sources import open_split
from yolojax.errors import InputError
from yolojax.training.plan import resolve

WRITTEN = {"text": "{}/list.txt", "voc": "{}:list", "coco": "{}/list.json", "yolo": "{}/data.yaml:list"}


def test_only_the_class_of_a_box_changes():
    boxes = np.array([[1, 2, 3, 4], [5, 6, 9, 9]], np.float32)
    flags = {"difficult": np.array([True, False]), "crowd": np.array([False, True]), "stated_size": (10, 20)}
    record = Record("a.png", boxes, np.array([4, 2], np.int32), "a.xml", **flags)
    before = Annotations(("a", "b", "c", "d", "e", "f", "g"), [record], [])
    after, line = as_one_class(before, "thing")
    assert after.names == ("thing",) and after.problems is before.problems
    assert after.records[0].classes.tolist() == [0, 0] and after.records[0].classes.dtype == np.int32
    for field in dataclasses.fields(Record):
        if field.name != "classes":
            assert getattr(after.records[0], field.name) is getattr(record, field.name)
    assert record.classes.tolist() == [4, 2]
    assert line == "the classes a, b, c, d, e and 2 more count as one class, thing (config.data.single_class)"
    assert as_one_class(Annotations(NUMBERS, [record], []), "x")[1].startswith("all class numbers count as one class, x ")


@pytest.mark.parametrize("form", [*WRITTEN, "list"])
def test_every_format_has_the_same_boxes_of_one_class(tmp_path, form):
    (tmp_path / "in").mkdir()
    config = write_list(tmp_path / "in")
    if form in WRITTEN:
        convert([config.data.train], form, tmp_path / "out", names=NAMES)
        config.data.train = config.data.val = WRITTEN[form].format(tmp_path / "out")
    else:
        config.data.source = "list"
    plain = open_split(config, "train")
    assert sorted({number for record in plain.records for number in record.classes.tolist()}) == [0, 1, 2]
    config.data.single_class = True
    for names, called in ((NAMES, "object"), ((), "object"), (("thing",), "thing"), (("object",), "object")):
        config.data.class_names = names
        for split in ("train", "val"):
            source = open_split(config, split)
            assert source.names == (called,) == (the_class(config.data),)
            for one, many in zip(source.records, plain.records, strict=True):
                np.testing.assert_array_equal(one.boxes, many.boxes)
                assert (one.path, one.source) == (many.path, many.source)
                assert one.classes.tolist() == [0] * len(many.classes)
        known = names == NAMES or form not in ("text", "list")
        said = "the classes cat, dog, cow" if names == NAMES else "the classes " if known else "all class numbers"
        (line,) = [note for note in source.notes("validation") if "single_class" in note]
        assert line.startswith(f"validation: {said}")
        assert line.endswith(f" count as one class, {called} (config.data.single_class)")


def test_a_resolved_configuration_stays_the_same_and_reads_the_same(tmp_path):
    config = write_list(tmp_path)
    config.data.single_class = True
    for names in (NAMES, (), ("thing",)):
        config.data.class_names = names
        once, source = resolve(config)
        assert once.model.num_classes == 1 and once.data.class_names == (("thing",) if names == ("thing",) else ("object",))
        twice, again = resolve(once)
        assert twice == once and again.fingerprint() == source.fingerprint()
    config.data.single_class, config.data.class_names = False, NAMES
    assert open_split(config, "train").fingerprint() != source.fingerprint()
    config.data.single_class, config.model.num_classes = True, 3
    with pytest.raises(InputError, match=r"config\.model\.num_classes is 3, but the data has 1 class names"):
        resolve(config)


def test_names_of_a_file_bound_the_classes_that_are_read(tmp_path):
    config = write_list(tmp_path)
    (tmp_path / "two.names").write_text("cat\ndog\n")
    config.data.single_class, config.data.class_names, config.data.names = True, (), str(tmp_path / "two.names")
    with pytest.raises(InputError, match="class 2 has no name: there are 2 names"):
        open_split(config, "train")


def test_a_list_needs_no_names_and_drawn_scenes_keep_their_digits(tmp_path):
    config = write_list(tmp_path)
    config.data.source, config.data.class_names, config.data.single_class = "list", (), True
    checked(config)
    config.data.source = "digits"
    with pytest.raises(InputError, match=r"config\.data\.single_class is True, which nothing uses: config\.data\.source "):
        checked(config)


def test_data_of_any_classes_for_a_network_of_one(tmp_path):
    data = write_set(tmp_path / "set", ("motorbike", "dog"), splits=("val",))
    annotations, known = read_for_classes(data, "val", ("thing",), {}, single_class=True)
    assert annotations.names == ("thing",) and known == (0,)
    assert [record.classes.tolist() for record in annotations.records] == [[0, 0]] * 4
    annotations, _ = read_for_classes(data, "val", ("thing",), {"dog": ""}, single_class=True)
    assert [record.classes.tolist() for record in annotations.records] == [[0]] * 4
    with pytest.raises(InputError, match="the network has no class 'motorbike'"):
        read_for_classes(data, "val", ("thing",), {})
    config = write_list(tmp_path)
    annotations, known = read_for_classes(config.data.val, "val", ("thing",), {}, single_class=True)
    assert known == (0,) and len(annotations.records) == len(PICTURES)
    assert {number for record in annotations.records for number in record.classes.tolist()} == {0}
