"""The configurations that come with yolojax: each is valid, says how to run it, and trains with names of fields that exist."""

import importlib.util
import re

import pytest

from tests.conftest import REPOSITORY
from yolojax.config import checked, flatten
from yolojax.models import build_grid, build_model

CONFIGS = sorted((REPOSITORY / "configs").glob("*.py"))


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
    run_line = r"python train\.py --workdir \S+" + ("" if path.stem == "digits" else rf" --config configs/{path.stem}\.py")
    assert re.search(run_line, module.__doc__)
    fields = flatten(config)
    assert all(name in fields for name in re.findall(r"--config\.([\w.]+)", module.__doc__))


@pytest.mark.parametrize("name", ["data_set", "mnist"])
def test_the_network_can_be_chosen(name):
    get_config = load(REPOSITORY / "configs" / f"{name}.py").get_config
    for network in ("yolov3", "yolov3_tiny"):
        assert checked(get_config(network)).model.name == network


def test_a_readers_own_data_walk_names_what_exists():
    text = (REPOSITORY / "docs" / "your_own_data.md").read_text()
    fields = flatten(checked(load(REPOSITORY / "configs" / "data_set.py").get_config()))
    named = {*re.findall(r"config\.([a-z_]+\.[a-z_.]+)", text), *re.findall(r"`((?:data|optimizer|loss|eval)\.\w+)`", text)}
    assert "data.sizes" in named and named - set(fields) <= {"data.augment.", "data.yaml"}
    for config in re.findall(r"configs/(\w+)\.py", text):
        assert (REPOSITORY / "configs" / f"{config}.py").exists()
    strengths = re.findall(r"^\| (`.*?`) \| .*? \| .*? \| (.*?) \|$", text, re.MULTILINE)
    for _, cell in strengths:
        for name in re.findall(r"`(\w+)`", cell):
            assert f"data.augment.{name}" in fields
