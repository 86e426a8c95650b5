"""CSPDarknet53 against yolov4.cfg, whose network is built by another part of the package."""

import jax
import numpy as np

from tests.helpers.cfgs import random_variables
from yolojax.darknet.cfg import parse_cfg, read_cfg
from yolojax.darknet.network import build_network
from yolojax.models import CSPDarknet53, abstract_variables, count_floats

CONVOLUTION = "[convolutional]\nbatch_normalize=1\nfilters={}\nsize={}\nstride={}\npad=1\nactivation=mish\n"


STAGES = ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4))


def backbone_cfg(divisor, stages=STAGES):
    """The sections of yolov4.cfg up to its layer 104 with all filters divided, and the last layer of each stage."""
    lines, layers = ["[net]\nwidth=64\nheight=96\nchannels=3\n"], []

    def conv(filters, size=1, stride=1):
        lines.append(CONVOLUTION.format(filters // divisor, size, stride))

    conv(32, 3)
    for channels, blocks in stages:
        branch = 64 if channels == 64 else channels // 2
        conv(channels, 3, 2)
        conv(branch)
        lines.append("[route]\nlayers=-2\n")
        conv(branch)
        for _ in range(blocks):
            conv(channels // 2)
            conv(branch, 3)
            lines.append("[shortcut]\nfrom=-3\nactivation=linear\n")
        conv(branch)
        lines.append(f"[route]\nlayers=-1,-{3 * blocks + 4}\n")
        conv(channels)
        layers.append(len(lines) - 2)
    return lines, layers


def test_the_sections_are_those_of_the_published_cfg(real_data):
    ours, layers = backbone_cfg(1)
    published = read_cfg(real_data / "darknet/cfg/yolov4.cfg")
    assert layers == [10, 23, 54, 85, 104]
    for section, text in zip(published[1:106], ours[1:], strict=True):
        (parsed,) = parse_cfg(ours[0] + text)[1:]
        a, b = ((part.name, {name: option.text for name, option in part.options.items()}) for part in (section, parsed))
        assert a == b


def test_the_floats_are_those_of_the_published_network():
    # timm's cspdarknet53 has 27,642,184 parameters with its classifier, a 1024 x 1000 matrix and 1000 biases.
    assert count_floats(abstract_variables(CSPDarknet53())["params"]) == 27_642_184 - 1_025_000


def test_features_are_those_of_the_cfg():
    lines, layers = backbone_cfg(8, STAGES[:3])
    for layer in layers:
        lines += [f"[route]\nlayers={layer}\n", "[convolutional]\nfilters=6\nsize=1\nstride=1\nactivation=linear\n"]
        lines.append("[yolo]\nmask=0\nanchors=10,13\nclasses=1\n")
    network, grid = build_network(parse_cfg("\n".join(lines)))
    assert grid.strides == (2, 4, 8)
    theirs = random_variables(abstract_variables(network))
    convolutions = sorted(name for name, layer in theirs["params"].items() if "conv" in layer)

    names = ["stem"]
    for stage, blocks in enumerate((1, 2, 8), start=1):
        parts = [f"block{block}_{part}" for block in range(1, blocks + 1) for part in ("reduce", "expand")]
        names += [f"stage{stage}_{part}" for part in ("down", "skip", "enter", *parts, "leave", "merge")]
    model = CSPDarknet53(width=0.125, strides=(2, 4, 8))
    copied = {
        kind: {name: theirs[kind][conv] for name, conv in zip(names, convolutions, strict=True)}
        for kind in ("params", "batch_stats")
    }
    assert jax.tree.map(np.shape, copied) == jax.tree.map(lambda leaf: leaf.shape, abstract_variables(model))

    images = np.random.default_rng(1).random((2, 96, 64, 3), np.float32)
    features = jax.jit(lambda v, x: model.apply(v, x, train=False))(copied, images)
    raw = jax.jit(lambda v, x: network.apply(v, x, train=False))(theirs, images)
    heads = [layer["head"] for name, layer in sorted(theirs["params"].items()) if "head" in layer]
    for feature, head, expected in zip(features, heads, raw, strict=True):
        ours = np.einsum("bhwc,cf->bhwf", feature, head["kernel"][0, 0]) + head["bias"]
        np.testing.assert_allclose(ours.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
