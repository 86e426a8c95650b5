"""The recipe of a detector: one for a run, a Darknet file and an exported file, and the same after each way."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.tiny_config import get_config
from tests.test_predict import GRID, NAMES
from yolojax.darknet.describe import cfg_text
from yolojax.darknet.detector import read_darknet
from yolojax.darknet.weights import write_weights
from yolojax.data.darknet_fit import FITS
from yolojax.export.workdir import export_workdir
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS, AnchorGrid
from yolojax.inference import Recipe
from yolojax.models import YOLOv3Tiny, build_grid, initialize
from yolojax.nms import CLASS_SCORES
from yolojax.predict import Detector
from yolojax.runs.imported import import_weights
from yolojax.runs.workdir import load_run

GRIDS = (
    AnchorGrid((416, 320)),
    AnchorGrid((64, 96), (16, 32), TINY_ANCHORS, (1.05, 1.2)),
    AnchorGrid((96, 96), (8, 16, 32), YOLOV3_ANCHORS, (), squared_sizes=True),
)
recipes = st.builds(
    Recipe,
    st.sampled_from(GRIDS),
    st.lists(st.text(min_size=1), min_size=1, unique=True).map(tuple),
    st.sampled_from(list(FITS)),
    st.booleans(),
    st.sampled_from(list(CLASS_SCORES)),
    st.none() | st.floats(0.1, 2),
)


@given(recipes)
def test_a_recipe_survives_json_and_is_hashable(recipe):
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe and hash(again) == hash(recipe)


def test_a_recipe_of_an_early_exported_file_has_what_all_of_them_had():
    values = {name: GRIDS[0].__dict__[name] for name in ("size", "strides", "anchors")}
    recipe = Recipe.from_dict({**values, "names": ["cat"], "class_scores": "softmax"})
    assert recipe == Recipe(GRIDS[0], ("cat",), "letterbox", False, "softmax", None)


@pytest.mark.parametrize("field, value", [("fit", "crop"), ("class_scores", "tanh")])
def test_unknown_choices_are_refused(field, value):
    with pytest.raises(ValueError, match=f"unknown {field} '{value}'; expected one of "):
        dataclasses.replace(Recipe(GRID, NAMES), **{field: value})


@pytest.fixture
def darknets_files(tmp_path):
    """The paths of a cfg, its weights and names, and the grid of its network."""
    config = get_config()
    network = YOLOv3Tiny(3, width=config.model.width)
    config.model.num_classes = 3
    files = tmp_path / "a.cfg", tmp_path / "a.weights", tmp_path / "a.names"
    files[0].write_text(cfg_text(config.model, config.data.size))
    write_weights(files[1], network, initialize(network, 0))
    files[2].write_text("cat\ndog\ncow\n")
    return files, build_grid(config.model, config.data.size)


def test_a_run_and_darknets_files_make_the_same_recipe(darknets_files, tmp_path):
    files, grid = darknets_files
    read = read_darknet(*files, fit="stretch").recipe
    import_weights(files[1], files[0], tmp_path / "run", files[2], "stretch")
    run = load_run(tmp_path / "run")
    assert read == run.recipe == Recipe(grid, ("cat", "dog", "cow"), "darknet_stretch", True)


@pytest.mark.slow  # tests/export/test_about.py has the way of the recipe, tests/export/test_stablehlo.py that of the file
def test_an_exported_file_makes_the_recipe_of_its_run(darknets_files, tmp_path, repository):
    files, grid = darknets_files
    import_weights(files[1], files[0], tmp_path / "run", files[2], "stretch")
    picture = str(repository / "docs" / "cells.jpg")
    export_workdir(tmp_path / "run", "stablehlo", tmp_path / "a.yolojax", pictures=[picture])
    recipe = Detector.from_exported(tmp_path / "a.yolojax").recipe
    assert recipe == Recipe(grid, ("cat", "dog", "cow"), "darknet_stretch", True)
