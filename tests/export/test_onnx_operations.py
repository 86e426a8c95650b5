"""Networks of cfgs as ONNX: every section and activation, heads of unequal anchors, and published networks."""

import importlib.util

import cv2
import jax
import numpy as np
import pytest

from tests.helpers.cfgs import CSP, ZOO, random_variables
from yolojax.config import Config
from yolojax.darknet.activations import ACTIVATIONS
from yolojax.darknet.cfg import parse_cfg
from yolojax.darknet.network import build_network, network_from_cfg
from yolojax.darknet.weights import read_weights
from yolojax.models import abstract_variables
from yolojax.runs.workdir import Run

pytest.importorskip("onnx", reason="the package onnx is not installed")

from yolojax.export.onnx import build, run_onnxruntime, run_opencv

RUNNERS = [run_opencv, *([run_onnxruntime] if importlib.util.find_spec("onnxruntime") else [])]

HEAD = """
[convolutional]
filters=12
size=1
stride=1
activation=linear

[yolo]
mask=1,0
anchors=4,6,7,5
num=2
classes=1
scale_x_y=1.05
"""
START = "[net]\nwidth=24\nheight=16\n"
CONV = """
[convolutional]
batch_normalize=1
filters={filters}
size={size}
stride={stride}
pad=1
activation={activation}
"""


def conv(filters=8, size=3, stride=1, activation="leaky"):
    return CONV.format(filters=filters, size=size, stride=stride, activation=activation)


def options(section, **values):
    return f"\n[{section}]\n" + "".join(f"{name}={value}\n" for name, value in values.items())


MIDDLE = {
    **{activation: conv(activation=activation) for activation in ACTIVATIONS},
    "depthwise": options("convolutional", filters=8, size=3, groups=8, pad=1, stride_x=2, stride_y=1, activation="relu")
    + options("maxpool", size=2, stride_x=1, stride_y=2),
    "dilation": options("convolutional", filters=8, size=3, pad=1, dilation=3, activation="mish"),
    "grouped route": options("route", layers="-1,-2", groups=2, group_id=1),
    "shortcuts": conv(activation="linear") + options("shortcut", **{"from": "-2,-3", "activation": "mish"}),
    "fewer channels": conv(12) + options("shortcut", **{"from": "-2"}),
    "more channels": conv(4) + options("shortcut", **{"from": "-2"}),
    "squeeze": options("avgpool") + conv(8, 1, activation="swish") + conv(8, 1, activation="logistic")
    + options("scale_channels", **{"from": 1, "activation": "relu6"}),
    "sam": conv(8, activation="logistic") + options("sam", **{"from": "-2", "activation": "elu"}),
    "upsample": options("maxpool", size=2, stride=2) + options("upsample", stride=2, scale=0.75),
    "upsample by 1": options("upsample", stride=1, scale=3) + options("activation", activation="tanh"),
    "pools": options("maxpool", size=2, stride=1) + options("maxpool", size=3, stride=1) + options("dropout"),
    "padding": options("maxpool", size=2, stride=1, padding=2) + options("maxpool", size=4, stride=1, padding=1)
    + options("maxpool", size=3, stride=1, padding=3),
}  # fmt: skip


def run_of(text, size=None):
    sections = parse_cfg(text)
    model, grid = build_network(sections, size)
    return Run(Config(), model, grid, random_variables(abstract_variables(model)), 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.maximum(np.asarray(x, np.float64), -500)))


def by_hand(heads, grid):
    """Boxes xyxy and scores in the order of the grid, scale by scale."""
    boxes, scores = [], []
    for scale, (head, stride, anchors) in enumerate(zip(heads, grid.strides, grid.anchors, strict=True)):
        stretched = grid.xy_scales[scale] if grid.xy_scales else 1
        rows, columns = np.indices(head.shape[1:3])
        x, y = ((stretched * sigmoid(head[..., i]) - (stretched - 1) / 2) for i in (0, 1))
        x, y = (x + columns[..., None]) * stride, (y + rows[..., None]) * stride
        sizes = (2 * sigmoid(head[..., 2:4])) ** 2 if grid.squared_sizes else np.exp(np.asarray(head[..., 2:4], np.float64))
        w, h = (sizes[..., i] * [anchor[i] for anchor in anchors] for i in (0, 1))
        boxes.append(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(len(head), -1, 4))
        scores.append((sigmoid(head[..., 4:5]) * sigmoid(head[..., 5:])).reshape(len(head), -1, head.shape[-1] - 5))
    return np.concatenate(boxes, 1), np.concatenate(scores, 1)


def assert_computes(run, images, folder, runners):
    (folder / "net.onnx").write_bytes(build(run, run.model))
    raw = jax.jit(lambda v, x: run.model.apply(v, x, train=False))(run.variables, images)
    boxes, scores = by_hand(raw, run.grid)
    for runner in runners:
        outputs = runner(folder / "net.onnx", images)
        for head, stride in zip(raw, run.grid.strides, strict=True):
            largest = np.abs(head[..., :4]).max()
            np.testing.assert_allclose(outputs[f"head{stride}"], head, rtol=1e-4, atol=1e-4 * max(1, largest))
        size = np.abs(boxes).max(-1, keepdims=True)
        np.testing.assert_allclose((outputs["boxes"] - boxes) / size, 0, atol=1e-3)
        np.testing.assert_allclose(outputs["scores"], scores, atol=1e-4)


@pytest.mark.parametrize("name", MIDDLE)
def test_every_section(name, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)
    assert_computes(run_of(START + conv() + conv() + MIDDLE[name] + HEAD), images, tmp_path, RUNNERS)


def test_two_heads_of_unequal_anchors(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (2, 40, 56, 3), np.uint8)
    run = run_of(ZOO)
    assert run.grid.xy_scales == (1, 1.2) and run.grid.anchors[0][2] == (1, 1)
    assert_computes(run, images, tmp_path, RUNNERS)


def test_squared_sizes(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 48, 3), np.uint8)
    run = run_of(CSP)
    assert run.grid.squared_sizes and run.grid.xy_scales == (2,)
    assert_computes(run, images, tmp_path, RUNNERS)


def test_a_head_that_no_convolution_computes_is_filled_up(tmp_path):
    text = START + conv(12) + options("activation", activation="tanh") + HEAD[HEAD.index("[yolo]") :]
    text += options("route", layers=0) + conv(18, activation="linear")
    text += options("yolo", anchors="3,3,4,4,5,5", num=3, classes=1)
    run = run_of(text)
    images = np.random.default_rng(1).integers(0, 256, (1, 16, 24, 3), np.uint8)
    (tmp_path / "net.onnx").write_bytes(build(run, run.model))
    raw = run.model.apply(run.variables, images, train=False)
    for runner in RUNNERS:
        outputs = runner(tmp_path / "net.onnx", images)
        for head, name in zip(raw, ["head1", "head1_1"], strict=True):
            np.testing.assert_allclose(outputs[name], head, atol=1e-4)
        assert (outputs["scores"].reshape(2, -1, 3)[0, :, 2] == 0).all() and outputs["scores"].max() > 0.1


@pytest.mark.parametrize(
    "name", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("yolo-fastest-1.1", "yoloface-100k")), "yoloface-50k"]
)
def test_published_networks(name, real_data, tmp_path):
    model, grid = network_from_cfg(real_data / f"darknet/weights/{name}.cfg")
    variables = read_weights(real_data / f"darknet/weights/{name}.weights", model).variables
    picture = cv2.imread(str(real_data / "darknet/images/dog.jpg"))[..., ::-1]
    images = cv2.resize(picture, grid.size[::-1])[None]
    assert_computes(Run(Config(), model, grid, variables, 0), images, tmp_path, RUNNERS)
