"""Networks and grids of configurations."""

import math

import jax
import jax.numpy as jnp
import pytest

from tests.helpers.cfgs import FACE
from yolojax.config import ModelConfig
from yolojax.errors import InputError
from yolojax.models import build_grid, build_model, initialize


@pytest.mark.parametrize("name, scales", [("yolov3", 3), ("yolov3_spp", 3), ("yolov3_tiny", 2)])
def test_model_and_grid_of_a_configuration_fit_each_other(name, scales):
    config = ModelConfig(name=name, num_classes=2, width=0.125)
    grid = build_grid(config, (64, 96))
    variables = initialize(build_model(config), 0)
    raw = jax.eval_shape(
        lambda v, x: build_model(config).apply(v, x, train=False), variables, jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.uint8)
    )
    assert len(raw) == scales
    assert sum(math.prod(head.shape[1:4]) for head in raw) == grid.num_slots
    assert build_grid(config, 64) == build_grid(config, (64, 64))


def test_anchors_of_a_configuration_are_used_whatever_their_number():
    anchors = (((10, 14), (23, 27)), ((37, 58), (81, 82)))
    config = ModelConfig(name="yolov3_tiny", num_classes=2, width=0.125, anchors=anchors)
    assert build_grid(config, 64).anchors == anchors
    assert build_model(config).anchors == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "yolov2"}, "config.model.name"),
        ({"num_classes": 0}, "config.model.num_classes"),
        ({"anchors": (((1, 2), (3, 4)), ((1, 2),), ((1, 2),))}, "config.model.anchors"),
    ],
)
def test_wrong_model_configurations_are_refused_by_field(change, message):
    config = ModelConfig(**{"num_classes": 2, **change})
    with pytest.raises(InputError, match=message):
        build_model(config)
        build_grid(config, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cfg": ""}, "config.model.name is darknet, but config.model.cfg is not set"),
        ({"num_classes": 3}, "config.model.cfg is for 10 classes, but config.model.num_classes or the data has 3"),
        ({"cfg": FACE.replace("leaky", "plse")}, r"config.model.cfg:11: \[convolutional\] activation=plse"),
    ],
)
def test_configurations_of_a_cfg_that_cannot_be(change, message):
    with pytest.raises(InputError, match=message):
        build_model(ModelConfig(**{"name": "darknet", "num_classes": 10, "cfg": FACE, **change}))
