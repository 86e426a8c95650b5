"""Our networks as cfgs, and cfgs that are our networks."""

import dataclasses

from tests.helpers.cfgs import FACE
from yolojax.config import ModelConfig
from yolojax.darknet.cfg import parse_cfg, read_cfg
from yolojax.darknet.describe import cfg_text, recognise
from yolojax.darknet.layers import build_layers
from yolojax.darknet.network import build_network
from yolojax.models import build_grid


def test_a_cfg_is_written_for_another_size():
    text = cfg_text(ModelConfig(name="darknet", num_classes=10, cfg=FACE), (64, 32))
    assert text == FACE.replace("height=32", "height=64")


def test_the_networks_of_the_published_cfgs_are_ours(real_data):
    for path, name, classes in (
        ("yolov3", "yolov3", 80),
        ("yolov3-voc", "yolov3", 20),
        ("yolov3-spp", "yolov3_spp", 80),
        ("yolov3-tiny", "yolov3_tiny", 80),
        ("yolov4-tiny", None, 80),
    ):
        sections = read_cfg(real_data / f"darknet/cfg/{path}.cfg")
        size, layers = build_layers(sections)
        found = recognise(size, layers, build_network(sections)[1], classes)
        assert (found and found.name) == name
        if found:  # the layers are equal, one by one, and so are the anchors
            assert found.width == 1 and build_layers(parse_cfg(cfg_text(found, size))) == (size, layers)


def test_other_decodings_are_written_and_read_again():
    for decoding in ({"xy_scale": 1.05}, {"xy_scale": 2.0, "squared_sizes": True}, {"squared_sizes": True}):
        config = ModelConfig(name="yolov3_tiny", num_classes=2, width=0.125, **decoding)
        sections = parse_cfg(cfg_text(config, (64, 96)))
        size, layers = build_layers(sections)
        grid = build_network(sections)[1]
        assert grid == build_grid(config, size)
        assert recognise(size, layers, grid, 2) == dataclasses.replace(config, anchors=grid.anchors)


def test_scales_that_decode_differently_are_none_of_ours():
    config = ModelConfig(name="yolov3_tiny", num_classes=2, width=0.125, xy_scale=2.0)
    first, _, rest = cfg_text(config, (64, 96)).partition("scale_x_y=2")
    sections = parse_cfg(f"{first}scale_x_y=1.5{rest}")
    size, layers = build_layers(sections)
    assert recognise(size, layers, build_network(sections)[1], 2) is None


def test_a_network_of_nothing_but_a_head_is_none_of_ours():
    sections = parse_cfg("[net]\nwidth=32\nheight=32\n[convolutional]\nfilters=6\n[yolo]\nclasses=1\nanchors=4,6\n")
    _, grid = build_network(sections)
    assert recognise(*build_layers(sections), grid, 1) is None
