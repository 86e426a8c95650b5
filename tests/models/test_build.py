"""Networks and grids of configurations."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.cfgs import FACE
from yolojax.config import ModelConfig
from yolojax.decode import decode
from yolojax.errors import InputError
from yolojax.models import YOLOv3, build_grid, build_model, initialize
from yolojax.models.backbones import BACKBONES, model_strides
from yolojax.models.build import grid_to_fit
from yolojax.parts import Parts

PAIR = ((4.0, 8.0), (8.0, 4.0))


class Strided(nn.Module):
    """A head for each stride, of two anchors unless it is told otherwise."""

    num_classes: int = 3
    strides: tuple = (8, 16)
    counts: tuple = (2, 2)
    anchors: tuple = (PAIR, PAIR)
    size: tuple | None = None

    @nn.compact
    def __call__(self, images):
        assert self.size is None or images.shape[1:3] == self.size
        heads = []
        for stride, count in zip(self.strides, self.counts, strict=True):
            y = nn.Conv(count * (5 + self.num_classes), (1, 1), strides=stride)(images)
            heads.append(y.reshape(*y.shape[:3], count, -1))
        return heads


class OneHead(Strided):
    @nn.compact
    def __call__(self, images):
        return nn.Conv(8, (8, 8), strides=8)(images)


class Required(Strided):
    def __call__(self, images, deterministic):
        raise AssertionError


@pytest.mark.parametrize("name", ["yolov3", "yolov3_spp", "yolov3_tiny"])
def test_the_decoding_is_a_choice_of_the_configuration(name):
    config = ModelConfig(name=name, num_classes=2)
    plain = build_grid(config, 64)
    assert plain.xy_scales == () and not plain.squared_sizes
    config = ModelConfig(name=name, num_classes=2, xy_scale=2.0, squared_sizes=True)
    grid = build_grid(config, 64)
    assert grid == dataclasses.replace(plain, xy_scales=(2,) * plain.num_scales, squared_sizes=True)
    # Heads of zeros: the centres of the cells and exactly the anchors, as with the published decoding.
    heads = [jnp.zeros((1, *shape, grid.anchors_per_scale, 7)) for shape in grid.shapes]
    decoded = decode(heads, grid).boxes
    np.testing.assert_allclose(decoded, decode(heads, plain).boxes, rtol=1e-6)
    np.testing.assert_allclose(decoded[0, :, 2:], grid.slot_geometry[:, 3:5], rtol=1e-6)


@pytest.mark.slow
def test_other_backbones_and_blank_grids_decode_by_the_configuration_too():
    config = ModelConfig(num_classes=2, backbone="resnet18", xy_scale=2.0, squared_sizes=True)
    assert build_grid(config, 64).xy_scales == (2, 2, 2) and build_grid(config, 64).squared_sizes
    config.backbone_options = {"strides": [4, 8, 16, 32]}
    blank = grid_to_fit(config, (64, 64))
    assert blank.xy_scales == (2,) * 4 and blank.squared_sizes


def own(pixels, net=Strided, **fields):
    """The grid of a network of a user's own."""
    parts = Parts(model=lambda num_classes: net(num_classes, **fields))
    return build_grid(ModelConfig(name="<net>", num_classes=3), pixels, parts=parts)


def test_the_strides_of_a_network_without_the_argument_train_are_found():
    assert own((64, 96)).strides == (8, 16) and own((64, 96)).anchors == (PAIR, PAIR)
    assert own((48, 24), strides=(12, 24)).strides == (12, 24)
    assert own((64, 64), size=(64, 64)).strides == (8, 16)
    published = own((64, 64), anchors=(), strides=(8, 16, 32), counts=(3, 3, 3))
    assert published == build_grid(ModelConfig(), 64)


def test_strides_do_not_depend_on_the_number_of_classes():
    assert build_grid(ModelConfig(name=f"{__name__}:Strided"), 64) == own(64)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strides": (16, 8)}, r"returns heads of strides \(16, 8\); it must return them fine to coarse"),
        (
            {"strides": ((8, 4),), "counts": (2,)},
            r"\[\(96, 192\)\] cells .* of 768 x 768 pixels; every stride must be a whole number, the",
        ),
        ({"strides": (7,), "counts": (2,)}, "every stride must be a whole number"),
        ({"counts": (2, 3)}, r"has \[2, 3\] anchors per cell on its scales; every scale needs the same number"),
        ({"strides": (), "counts": ()}, "must return a list or tuple of arrays"),
        ({"net": OneHead}, "must return a list or tuple of arrays"),
        ({"net": Required}, r"does not fit __call__\(self, images, deterministic\): missing .* 'deterministic'"),
        ({"anchors": ()}, "2 anchors each, for which none are published: set them"),
        ({"strides": (8, 64)}, r"height and width of \(96, 96\) must be multiples of the stride 64"),
    ],
)
def test_heads_that_no_grid_fits_are_refused_in_one_line(fields, message):
    with pytest.raises(InputError, match=message):
        own((96, 96), **fields)


def test_a_network_without_anchors_has_a_grid_to_fit_them_to():
    assert grid_to_fit(ModelConfig(), (64, 64)) is None
    config = ModelConfig(name=f"{__name__}:Strided")
    assert grid_to_fit(config, (64, 64)) is None
    config.options = {"anchors": [], "counts": [1, 1]}
    grid = grid_to_fit(config, (64, 64))
    assert grid and grid.strides == (8, 16) and grid.anchors_per_scale == 1 and not config.anchors


@pytest.mark.parametrize(
    "name, scales", [pytest.param("yolov3", 3, marks=pytest.mark.slow), ("yolov3_spp", 3), ("yolov3_tiny", 2)]
)
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


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in ("darknet53", "resnet18") else pytest.mark.slow) for name in sorted(BACKBONES)],
)
def test_backbones_by_name_with_their_options(name):
    options = {"strides": [4, 8, 16]}
    config = ModelConfig(num_classes=2, width=0.125, backbone=name, backbone_options=options)
    model, grid = build_model(config), build_grid(config, (64, 96))
    assert grid.strides == model_strides(model) == (4, 8, 16) and grid.anchors_per_scale == 3
    assert type(model.backbone) is type(BACKBONES[name]()) and model.backbone.width == 0.125
    hash(model)  # a static argument of compiled functions
    wider = ModelConfig(num_classes=2, width=0.125, backbone=name, backbone_options={"width": 0.25})
    assert build_model(wider).backbone.width == 0.25


def test_the_published_backbone_is_the_network_as_it_was():
    config = ModelConfig(num_classes=2, width=0.125)
    assert build_model(config) == YOLOv3(2, width=0.125) and build_grid(config, 64).strides == (8, 16, 32)


def test_own_backbones_and_necks_by_name_and_as_objects():
    class Coarser(nn.Module):
        @nn.compact
        def __call__(self, features, *, strides, train):
            return [features[0], nn.Conv(8, (3, 3), (4, 4))(features[0])]

    config = ModelConfig(
        num_classes=2, backbone="yolojax.models.resnet:ResNet", backbone_options={"depth": 18, "strides": (16,)}
    )
    assert build_grid(dataclasses.replace(config, anchors=(((1, 2),) * 3,)), 64).strides == (16,)
    own = dataclasses.replace(config, neck="<Coarser of a program>", width=0.125)
    parts = Parts(neck=Coarser)
    assert build_grid(own, 64, parts=parts).strides == (16, 64)
    # What their own width means, only they know.
    assert build_model(own, parts).backbone.width == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "resnet18", "backbone_options": {"deep": 3}}, r"config\.model\.backbone_options: .*'deep'"),
        ({"backbone_options": {"strides": [8, 4]}}, r"strides of Darknet53 must be some of .* in rising order, not \(8, 4\)"),
        (
            {"backbone_options": {"strides": [4, 8, 16, 32]}},
            r"4 scales, of strides 4, 8, 16, 32, with 3 anchors each, for which",
        ),
        ({"backbone": "yolojax.boxes:iou"}, r"config\.model\.backbone: yolojax\.boxes:iou\(a.*does not fit"),
        ({"neck": "yolojax.models.layers:leaky"}, r"config\.model\.neck: .*leaky\(x.*does not fit"),
        ({"neck": "yolojax.models:FPN", "name": "yolov3_spp"}, "spp=True is for the default neck"),
    ],
)
def test_wrong_backbones_and_necks_are_one_line(change, message):
    config = ModelConfig(**{"num_classes": 2, **change})
    with pytest.raises(InputError, match=message) as caught:
        build_grid(config, 64)
    assert "\n" not in str(caught.value)
