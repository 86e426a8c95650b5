"""The ONNX file: its outputs in onnxruntime and OpenCV, against the network and a decoding by hand."""

import importlib.util
import json
import sys

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.__main__ import main
from yolojax.config import Config
from yolojax.errors import InputError
from yolojax.models import build_grid, build_model, initialize
from yolojax.runs.workdir import Run

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")

from yolojax.export import onnx as module  # noqa: E402
from yolojax.export.onnx import build, export_onnx, run_onnxruntime, run_opencv  # noqa: E402
from yolojax.export.workdir import MARKS  # noqa: E402

needs_onnxruntime = pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="onnxruntime is not installed")
RUNNERS = [pytest.param(run_onnxruntime, marks=needs_onnxruntime), run_opencv]
SIZE = (64, 96)
NAMES = ("cat", "dög", "bird")


def make_run(name, dtype="float32", class_scores="sigmoid", **decoding):
    """A narrow network whose batch statistics and biases have been varied."""
    config = Config()
    config.model.name, config.model.width, config.model.num_classes, config.model.dtype = name, 0.125, 3, dtype
    config.data.class_names, config.loss.class_scores = NAMES, class_scores
    for field, value in decoding.items():
        setattr(config.model, field, value)
    model = build_model(config.model)
    rng = np.random.default_rng(0)

    def vary(path, leaf):
        kind = path[-1].key
        if kind == "kernel":
            return leaf
        spread = leaf * rng.uniform(0.5, 0.8, leaf.shape) if kind == "scale" else leaf * rng.uniform(0.8, 1.2, leaf.shape)
        return (spread + (rng.normal(0, 0.05, leaf.shape) if kind in ("mean", "bias") else 0)).astype(np.float32)

    variables = jax.tree_util.tree_map_with_path(vary, initialize(model, 0))
    return Run(config, model, build_grid(config.model, SIZE), variables, 7)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (3, *SIZE, 3), np.uint8)


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def by_hand(heads, grid, softmax=False):
    """Boxes and scores, slot by slot in the order of the grid, from raw heads."""
    boxes, scores = [], []
    for head, stride, anchors in zip(heads, grid.strides, grid.anchors, strict=True):
        head = np.asarray(head, np.float64)
        rows, columns = np.indices(head.shape[1:3])
        stretch = grid.xy_scales[0] if grid.xy_scales else 1
        x = (stretch * sigmoid(head[..., 0]) - (stretch - 1) / 2 + columns[..., None]) * stride
        y = (stretch * sigmoid(head[..., 1]) - (stretch - 1) / 2 + rows[..., None]) * stride
        factors = (2 * sigmoid(head[..., 2:4])) ** 2 if grid.squared_sizes else np.exp(head[..., 2:4])
        w, h = (factors[..., i] * [anchor[i] for anchor in anchors] for i in range(2))
        boxes.append(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).reshape(len(head), -1, 4))
        classes = np.exp(head[..., 5:])
        classes = classes / classes.sum(-1, keepdims=True) if softmax else sigmoid(head[..., 5:])
        scores.append((sigmoid(head[..., 4:5]) * classes).reshape(len(head), -1, head.shape[-1] - 5))
    return np.concatenate(boxes, 1), np.concatenate(scores, 1)


# YOLOv3-SPP includes all layers of YOLOv3.
@pytest.mark.parametrize(
    ("name", "decoding"),
    [
        pytest.param("yolov3", {}, marks=pytest.mark.slow),
        pytest.param("yolov3_spp", {}, marks=pytest.mark.slow),
        ("yolov3_tiny", {}),
        ("yolov3_tiny", {"xy_scale": 2.0, "squared_sizes": True}),
    ],
    ids=["yolov3", "yolov3_spp", "yolov3_tiny", "yolov3_tiny of the recipe of 2020"],
)
def test_the_outputs_are_those_of_the_network(name, decoding, images, tmp_path):
    run = make_run(name, **decoding)
    path = tmp_path / "net.onnx"
    path.write_bytes(build(run, run.model))
    assert MARKS["onnx"] in path.read_bytes()[:64]  # by which a later export knows it
    raw = jax.jit(lambda images: run.model.apply(run.variables, images, train=False))(images)
    boxes, scores = by_hand(raw, run.grid)
    assert max(np.abs(head).max() for head in raw) < 20
    for runner in (run_onnxruntime, run_opencv):
        if runner is run_onnxruntime and not importlib.util.find_spec("onnxruntime"):
            continue
        outputs = runner(path, images)
        assert set(outputs) == {f"head{stride}" for stride in run.grid.strides} | {"boxes", "scores"}
        for head, stride in zip(raw, run.grid.strides, strict=True):
            np.testing.assert_allclose(outputs[f"head{stride}"], head, rtol=0, atol=1e-4)
        np.testing.assert_allclose(outputs["boxes"], boxes, rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(outputs["scores"], scores, rtol=0, atol=1e-5)


@pytest.mark.parametrize("runner", RUNNERS)
def test_softmax_over_the_classes_and_a_network_in_bfloat16(runner, images, tmp_path):
    run = make_run("yolov3_tiny", "bfloat16", "softmax")
    export_onnx(run, tmp_path / "net.onnx", list(images))
    outputs = runner(tmp_path / "net.onnx", images[:1])
    model = run.model.clone(dtype=jnp.float32)
    raw = jax.jit(lambda images: model.apply(run.variables, images, train=False))(images[:1])
    np.testing.assert_allclose(outputs["head32"], raw[1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(outputs["scores"], by_hand(raw, run.grid, softmax=True)[1], rtol=0, atol=1e-5)


def test_opencv_reads_it_as_its_users_do(images, tmp_path):
    run = make_run("yolov3_tiny")
    path = tmp_path / "net.onnx"
    path.write_bytes(build(run, run.model))
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(images[0][..., ::-1]), 1 / 255, SIZE[::-1], swapRB=True))
    names = network.getUnconnectedOutLayersNames()
    outputs = dict(zip(names, network.forward(names), strict=True))
    expected = run_opencv(path, images[:1])
    np.testing.assert_allclose(outputs["boxes"], expected["boxes"], atol=1e-2)
    np.testing.assert_allclose(outputs["scores"], expected["scores"], atol=1e-5)


def test_the_file_says_what_it_is():
    run = make_run("yolov3_tiny")
    file = onnx.load_from_string(build(run, run.model))
    about = {entry.key: json.loads(entry.value) for entry in file.metadata_props}
    assert about["names"] == list(NAMES) and about["size"] == [64, 96] and about["version"] == 1 and about["step"] == 7
    assert about["anchors"][0][0] == [10, 14] and about["strides"] == [16, 32]
    kinds = [node.op_type for node in file.graph.node]
    assert kinds.count("Conv") == 13 and "BatchNormalization" not in kinds
    dimensions = [d.dim_param or d.dim_value for d in file.graph.input[0].type.tensor_type.shape.dim]
    assert dimensions == ["batch", 3, 64, 96]


def test_the_command_checks_and_says_with_what(workdir, tmp_path, capsys, monkeypatch):
    out = tmp_path / "net.onnx"
    runner = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "OpenCV"
    assert main(["export", str(workdir), "--to", "onnx", "--out", str(out)]) == 0
    assert f"; {runner}" in capsys.readouterr().out and out.exists()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["export", str(workdir), "--to", "onnx", "--out", str(out)]) == 0
    assert "OpenCV (onnxruntime is not installed) computes" in capsys.readouterr().out


@pytest.mark.parametrize("output", ["head16", "boxes", "scores"])
def test_a_file_that_differs_is_not_left(output, workdir, tmp_path, monkeypatch, capsys):
    def run_wrongly(path, images):
        outputs = run_opencv(path, images)
        outputs[output][-1].flat[-1] += 1 if output == "boxes" else 2e-3
        return outputs

    monkeypatch.setattr(module, "RUNNERS", {"onnxruntime": run_wrongly, "OpenCV": run_wrongly})
    assert main(["export", str(workdir), "--to", "onnx", "--out", str(tmp_path / "net.onnx")]) == 1
    assert f"error: {output} of the exported file, run by " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    run = make_run("yolov3_tiny")
    with pytest.raises(InputError, match="pip install onnx"):
        build(run, run.model)


class Unwritable(nn.Module):
    """The shapes of the tiny network, computed by an operation that has no node."""

    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, images, *, train):
        x = nn.Conv(24, (1, 1))(images)
        return tuple(jnp.tanh(x[:, ::s, ::s]).reshape(len(x), 64 // s, 96 // s, 3, 8) for s in (16, 32))


def test_a_network_that_cannot_be_written_is_refused():
    run = make_run("yolov3_tiny")
    model = Unwritable()
    variables = model.init(jax.random.key(0), jnp.zeros((1, *SIZE, 3)), train=False)
    with pytest.raises(InputError, match="the network computes 'slice' in a way that the ONNX export does not support"):
        build(run._replace(variables=variables), model)
