"""What an exported file says about itself."""

import json

import pytest

from yolojax.config import Config
from yolojax.export.about import describe
from yolojax.inference import Recipe
from yolojax.models import build_grid, build_model
from yolojax.runs.workdir import Run


@pytest.mark.parametrize(("name", "fit"), [("yolov3", "letterbox"), ("yolov3_tiny", "darknet_stretch")])
def test_it_is_json_from_which_the_recipe_comes_back(name, fit):
    config = Config()
    config.model.name, config.model.num_classes, config.model.width = name, 2, 0.125
    config.data.class_names, config.data.fit, config.loss.class_scores = ("cat", "猫"), fit, "softmax"
    run = Run(config, build_model(config.model), build_grid(config.model, (64, 96)), {}, 7)
    about = json.loads(json.dumps(describe(run)))
    assert (about["network"], about["step"], about["format"], about["version"]) == (name, 7, "yolojax detector", 1)
    recipe = Recipe.from_dict(about)
    assert recipe == run.recipe and recipe.names == ("cat", "猫") and recipe.fit == fit
