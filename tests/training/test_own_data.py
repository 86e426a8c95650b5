"""A training on a data set that is named in one word: what is chosen and said."""

import json

import pytest

from tests.helpers.own_folder import write_folder
from yolojax.config import Config
from yolojax.configs.data_set import get_config
from yolojax.data.convert import convert
from yolojax.errors import InputError
from yolojax.models import build_grid
from yolojax.training.own_data import use_data


def test_anchors_that_fit_stay(tmp_path):
    config = get_config()
    lines = use_data(config, write_folder(tmp_path / "in", 30, (416, 416), (100, 200)), tmp_path / "in/classes.names")
    assert lines[3].startswith("anchors: the published ones, best possible recall ") and not config.model.anchors
    assert lines[2] == "network yolov3 at 416 x 416 pixels (config.model.name, config.data.size)"


def test_anchors_are_fitted_where_the_published_ones_miss_boxes(tmp_path):
    convert([write_folder(tmp_path / "in", 40, (120, 400), (60, 100))], "coco", tmp_path / "out", names=["cat", "dog"])
    data = json.loads((tmp_path / "out/all.json").read_text())
    for annotation in data["annotations"]:
        _, y, width, height = annotation["bbox"]
        annotation["bbox"] = [0, y, 300 + width, height / 8]
    (tmp_path / "out/all.json").write_text(json.dumps(data))
    config = get_config()
    lines = use_data(config, tmp_path / "out/all.json")
    assert lines[3].startswith("anchors: fitted to the boxes, best possible recall ") and "the published ones have " in lines[3]
    assert len(config.model.anchors) == 3
    assert {width > 5 * height for scale in build_grid(config.model, 416).anchors for width, height in scale} == {True}
    # Neither those of a configuration nor those of a trained network are replaced.
    own = config.model.anchors
    assert use_data(config, tmp_path / "out/all.json")[3] == "anchors: those of the configuration"
    assert config.model.anchors == own
    for change in ("init_from", "imported"):
        config, workdir = get_config(), tmp_path / change
        if change == "imported":
            (workdir / "checkpoints/0").mkdir(parents=True)
        else:
            config.init_from = "a.weights"
        lines = use_data(config, tmp_path / "out/all.json", workdir=workdir)
        assert lines[3] == "anchors: those of the network that training starts from" and not config.model.anchors


def test_what_is_set_on_the_command_line_stays(tmp_path):
    data = write_folder(tmp_path / "in")
    config = Config()
    config.data.source, config.data.val, config.data.test = "digits", str(data), "elsewhere"
    config.data.class_names = ("one",)
    use_data(config, data, tmp_path / "in/classes.names", overridden={"data.val"})
    assert config.data.val == str(data) and config.data.source == "auto" and config.data.test == ""
    assert config.data.class_names == () and config.data.names == str(tmp_path / "in/classes.names")
    with pytest.raises(InputError, match="a text list has no class names"):
        use_data(Config(), data)
