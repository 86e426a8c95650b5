"""A training on a data set that is named in one word: what is chosen and said."""

import contextlib
import dataclasses
import json

import pytest

from tests.helpers.own_folder import write_folder
from tests.helpers.tiny_config import get_config as tiny_config
from tests.helpers.tiny_set import write_set
from yolojax.config import Config, differences, to_dict
from yolojax.configs.data_set import get_config
from yolojax.data.convert import convert
from yolojax.data.pipeline import train_batches
from yolojax.errors import InputError
from yolojax.evaluation.workdir import evaluate_workdir
from yolojax.models import build_grid
from yolojax.runs.workdir import read_config
from yolojax.training.loop import train_and_evaluate
from yolojax.training.own_data import use_data
from yolojax.training.plan import plan_run, resolve


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
            known = Config()
            known.model.name, known.data.size = "darknet", (56, 64)
            (workdir / "config.json").write_text(json.dumps(to_dict(known)))
        else:
            config.init_from = "a.weights"
        lines = use_data(config, tmp_path / "out/all.json", workdir=workdir)
        assert lines[-1] == "anchors: those of the network that training starts from" and not config.model.anchors
        assert lines[3:-1] == ["it was imported for 56 x 64 pixels (--config.data.size=56,64)"] * (change == "imported")
        assert lines[2].startswith("network darknet at" if change == "imported" else "network yolov3")


def test_anchors_of_a_network_of_ones_own(tmp_path):
    data = write_folder(tmp_path / "in", 30, (64, 96), (8, 40))
    config = get_config()
    config.model.name, config.data.size = "tests.helpers.own_parts:Net", (64, 64)
    lines = use_data(config, data, tmp_path / "in/classes.names")
    assert lines[3].startswith("anchors: fitted to the boxes, best possible recall ") and "have" not in lines[3]
    grid = build_grid(config.model, config.data.size)
    assert grid.strides == (8, 16) and grid.anchors == config.model.anchors and not config.model.num_classes
    assert use_data(config, data, tmp_path / "in/classes.names")[3] == "anchors: those of the configuration"
    config.model.name, config.model.anchors = "tests.helpers.own_parts:Anchored", ()
    assert "; those of the network have " in use_data(config, data, tmp_path / "in/classes.names")[3]


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


def of_one_class(folder):
    """A configuration that trains on a set of two classes as if they were one."""
    config = tiny_config()
    config.data.source, config.data.train, config.data.single_class = "auto", str(write_set(folder)), True
    config.train.epochs, config.data.augment.mix_off_epochs = 2.0, 0.0
    return config


def test_two_classes_become_one_in_all_that_training_takes(tmp_path):
    config = of_one_class(tmp_path / "set")
    plan = plan_run(config, tmp_path / "run")
    assert plan.config.data.class_names == ("object",) and plan.config.model.num_classes == plan.model.num_classes == 1
    for split in ("train", "val"):
        line = f"{split}: the classes cat, dog count as one class, object (config.data.single_class)"
        assert plan.sources[split].notes(split)[-1] == line
    with contextlib.closing(train_batches(plan.sources["train"], plan.config, plan.train_grids, 0, 1)) as batches:
        ((batch, _),) = batches
    assert (batch.targets.classes >= 0).any() and set(batch.targets.classes.ravel().tolist()) <= {0, -1}
    # So a run is resumed, by the configuration that it was begun with and by its own.
    assert resolve(config)[0] == resolve(plan.config)[0] == plan.config
    many = dataclasses.replace(config, data=dataclasses.replace(config.data, single_class=False))
    assert any("data.single_class" in line for line in differences(plan.config, resolve(many)[0]))


@pytest.mark.slow
def test_a_run_of_one_class_is_trained_goes_on_and_is_evaluated_on_data_of_any_classes(tmp_path, capsys):
    config, workdir = of_one_class(tmp_path / "set"), tmp_path / "run"
    metrics = train_and_evaluate(config, workdir)
    out = capsys.readouterr().out.splitlines()
    for split in ("training", "validation"):
        assert f"{split}: the classes cat, dog count as one class, object (config.data.single_class)" in out
    assert metrics["per_class"].keys() == {"object"} and metrics["per_class"]["object"]["boxes"] == 8
    assert "object" in (workdir / "eval/val/report.html").read_text()
    for resumed in (read_config(workdir), config):
        assert train_and_evaluate(resumed, workdir)["per_class"]["object"] == metrics["per_class"]["object"]
        assert f"resuming {workdir} at step 1" in capsys.readouterr().out
    other = write_set(tmp_path / "other", ("bird", "cow", "fish"), pictures=2)
    for class_map, boxes in ({}, 6), ({"fish": ""}, 4):
        metrics = evaluate_workdir(workdir, data=other, class_map=class_map)
        assert metrics["images"] == 2 and metrics["per_class"]["object"]["boxes"] == boxes
