"""The configurations that come with yolojax: each is valid, says how to run it, and trains with names of fields that exist."""

import importlib.util
import inspect
import json
import re

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.helpers.own_folder import write_folder
from yolojax.config import checked, flatten
from yolojax.configs import config_names, config_path
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid
from yolojax.loss import build_loss
from yolojax.models import build_grid, build_model
from yolojax.targets import Targets, assign
from yolojax.training.loop import train_and_evaluate
from yolojax.training.plan import plan_run

CONFIGS = sorted(map(config_path, config_names()))


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_valid_and_says_how_to_run_it(path):
    module = load(path)
    config = checked(module.get_config())
    config.model.num_classes = config.model.num_classes or 20
    build_model(config.model)
    for size in (config.data.size, *config.data.sizes):
        build_grid(config.model, size)
    assert config.data.augment.mix_off_epochs < config.train.epochs
    run_line = r"yolojax train --workdir \S+" + ("" if path.stem == "digits" else rf" --config {path.stem}\b")
    assert re.search(run_line, module.__doc__)
    fields = flatten(config)
    assert all(name in fields for name in re.findall(r"--config\.([\w.]+)", module.__doc__))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_checkout_has_the_same_configs_by_their_paths(path):
    module = load(REPOSITORY / "configs" / path.name)
    assert flatten(module.get_config()) == flatten(load(path).get_config())
    assert inspect.signature(module.get_config) == inspect.signature(load(path).get_config)
    run_line = r"python train\.py --workdir \S+" + ("" if path.stem == "digits" else rf" --config configs/{path.stem}\.py")
    assert re.search(run_line, module.__doc__)


def test_the_checkout_has_no_other_configs():
    assert {path.stem for path in (REPOSITORY / "configs").glob("*.py")} == set(config_names())


@pytest.mark.parametrize("name", ["data_set", "mnist", "strong", "tf_family"])
def test_the_network_can_be_chosen(name):
    get_config = load(config_path(name)).get_config
    for network in ("yolov3", "yolov3_tiny"):
        assert checked(get_config(network)).model.name == network


def test_the_mnist_tutorial_and_its_networks_for_a_cpu():
    get_config = load(config_path("mnist")).get_config
    tutorial = get_config("yolov3")
    rates = tutorial.optimizer.learning_rate, tutorial.optimizer.end_learning_rate, tutorial.optimizer.warmup_epochs
    assert (*rates, tutorial.train.batch_size, tutorial.train.epochs) == (1e-4, 1e-6, 2, 4, 30)
    small = get_config("small")
    assert (small.model.name, small.model.width) == ("yolov3", 0.25)
    assert get_config() == get_config("tiny") == get_config("yolov3_tiny")
    changed = {name for name, value in flatten(get_config("small")).items() if value != flatten(tutorial)[name]}
    assert changed == {"model.width", "optimizer.learning_rate", "optimizer.clip_norm"}


@pytest.fixture
def family_on_its_lists(tmp_path):
    """The small network of `tf_family`, with a text list of eight pictures and a file of names, as the family has them."""
    config = load(config_path("tf_family")).get_config("yolov3_tiny")
    config.data.train = config.data.val = str(write_folder(tmp_path / "data", count=8))
    config.data.names = str(tmp_path / "data" / "classes.names")
    return config


def test_the_tensorflow_family_plans_a_run_with_its_schedule(family_on_its_lists, tmp_path):
    plan = plan_run(family_on_its_lists, tmp_path / "run")
    assert plan.total_steps == 30  # of eight pictures in 30 epochs
    assert plan.recipe.names == ("cat", "dog")
    rates = [float(plan.schedule(step)) for step in (1, 2, 16, 30, 31)]
    assert rates == pytest.approx([0.5e-4, 1e-4, 0.505e-4, 1e-6, 1e-6])


def test_voc_as_in_pytorch_keeps_its_rate_and_has_its_loss(family_on_its_lists, tmp_path):
    get_config = load(config_path("voc")).get_config
    config = get_config("pytorch")
    for field in ("train", "val", "names"):
        setattr(config.data, field, getattr(family_on_its_lists.data, field))
    plan = plan_run(config, tmp_path / "run")
    assert [float(plan.schedule(step)) for step in (1, 2, plan.total_steps)] == pytest.approx([1e-3] * 3)
    assert (config.train.batch_size, config.train.epochs) == (32, 122)
    assert build_loss(config.loss)(*a_batch_without_boxes()).objectness.shape == (2,)
    with pytest.raises(InputError, match=r"--config voc:keras: there is no such recipe; give voc or voc:pytorch"):
        get_config("keras")


def a_batch_without_boxes():
    """(raw, targets, grid) of two pictures for a network of one scale and one class."""
    grid = AnchorGrid((32, 32), (32,), (((10, 13),),))
    targets = assign(np.zeros((0, 4)), np.zeros(0, int), grid, max_boxes=1)
    return (np.zeros((2, 1, 1, 1, 6), np.float32),), Targets(*(np.stack([field] * 2) for field in targets)), grid


@pytest.mark.slow
def test_the_tensorflow_family_trains(family_on_its_lists, tmp_path):
    config = family_on_its_lists
    config.model.width, config.data.size, config.train.epochs = 0.125, (64, 64), 2.0
    train_and_evaluate(config, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(line["split"], line["step"]) for line in lines] == [("val", 1), ("train", 2), ("val", 2)]
    assert all(line["loss"] == pytest.approx(line["box"] + line["objectness"] + line["classification"]) for line in lines)


def test_a_readers_own_data_walk_names_what_exists():
    text = (REPOSITORY / "docs" / "your_own_data.md").read_text()
    fields = flatten(checked(load(config_path("data_set")).get_config()))
    named = {*re.findall(r"config\.([a-z_]+\.[a-z_.]+)", text), *re.findall(r"`((?:data|optimizer|loss|eval)\.\w+)`", text)}
    assert "data.sizes" in named and named - set(fields) <= {"data.augment.", "data.yaml"}
    for config in re.findall(r"configs/(\w+)\.py", text):
        assert (REPOSITORY / "configs" / f"{config}.py").exists()
    strengths = re.findall(r"^\| (`.*?`) \| .*? \| .*? \| (.*?) \|$", text, re.MULTILINE)
    for _, cell in strengths:
        for name in re.findall(r"`(\w+)`", cell):
            assert f"data.augment.{name}" in fields
