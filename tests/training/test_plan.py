"""The plan of a run, from its configuration and data."""

from tests.helpers.text_list import NAMES, PICTURES, write_list
from yolojax.data import splits
from yolojax.data.convert import convert
from yolojax.data.formats.read import read_annotations
from yolojax.training.plan import resolve


def test_the_training_annotations_are_read_once(tmp_path, monkeypatch):
    config = write_list(tmp_path)
    convert([config.data.train], "coco", tmp_path / "coco", names=NAMES)
    config.data.train, config.data.class_names = str(tmp_path / "coco/list.json"), ()
    read = []
    monkeypatch.setattr(splits, "read_annotations", lambda *given: read.append(given) or read_annotations(*given))
    resolved, source = resolve(config)
    assert len(read) == 1 and len(source) == len(PICTURES) and resolved.data.class_names == source.names == NAMES
