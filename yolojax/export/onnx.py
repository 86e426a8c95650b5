"""A trained network as an ONNX file: raw heads, and decoded boxes with scores, for onnxruntime, OpenCV's dnn and others.

The input `images` is float32 (batch, 3, H, W), RGB in [0, 1], letterboxed (or fitted as `fit` in the file's metadata says). The
outputs are `head8`, `head16` and `head32` (the last two for tiny), float32 (batch, H / stride, W / stride, A, 5 + C), as the
network returns them; `boxes`, (batch, N, 4) xyxy in pixels of the input; and `scores`, (batch, N, C), P(object) * P(class).
Suppression is left to the caller.
"""

import importlib.util
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from yolojax.boxes import cxcywh_to_xyxy
from yolojax.data.darknet_fit import FITS
from yolojax.decode import MAX_LOG_SIZE, decode, decode_boxes
from yolojax.errors import InputError
from yolojax.export.about import describe
from yolojax.inference import raw_heads
from yolojax.models.build import in_float32
from yolojax.nms import CLASS_SCORES
from yolojax.runs.workdir import Run
from yolojax.runtime.opencv import cv2
from yolojax.runtime.wording import counted

# Old enough for OpenCV 4.10, and new enough for every operation in the networks.
OPSET, IR_VERSION = 13, 8


def export_onnx(run: Run, path: str | os.PathLike[str], images: Sequence[np.ndarray]) -> str:
    """Writes the network of a run as ONNX, in float32, and compares the file's outputs with the network's.

    Args:
        run: the trained network.
        path: the file to write.
        images: RGB uint8 (h, w, 3), at least one.

    Returns:
        A line to print: the file's size, and what ran it for the comparison.

    Raises:
        InputError: the package onnx is missing, or the file and the network differ.
    """
    model = in_float32(run.model)
    data = build(run, model)
    with open(path, "wb") as file:
        file.write(data)
    fitted = np.stack([FITS[run.config.data.fit](image, run.grid.size)[0] for image in images])
    runner = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "OpenCV"
    try:
        outputs = RUNNERS[runner](path, fitted)
    except cv2.error as error:
        raise InputError(f"OpenCV {cv2.__version__} cannot run the file ({error.err}): pip install onnxruntime") from error
    check(outputs, _outputs(run, model, fitted), runner)
    hint = "" if runner == "onnxruntime" else " (onnxruntime is not installed)"
    pictures = counted(len(images), "picture")
    return f"{len(data) / 1e6:.1f} MB; {runner}{hint} computes the same outputs as the network on {pictures}"


def build(run: Run, model: nn.Module) -> bytes:
    """Makes the content of an ONNX file with the network of a run and its decoding.

    Args:
        run: the trained network.
        model: the run's model, computing in float32.

    Raises:
        InputError: the package onnx is missing, or the network computes something that cannot be written.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        raise InputError("writing ONNX needs the package onnx: pip install onnx onnxruntime") from None
    from yolojax.export.onnx_graph import trace
    from yolojax.export.onnx_nodes import Nodes

    nodes = Nodes()
    heads = trace(model, run.variables, run.grid.size, nodes, "images")
    shapes, rows = {}, []
    for (source, shape), name in zip(heads, _head_names(run.grid), strict=True):
        last = nodes.add("Transpose", source, perm=(0, 2, 3, 1))
        nodes.add("Reshape", last, nodes.constant([-1, *shape], np.int64), name=name)
        rows.append(nodes.add("Reshape", last, nodes.constant([-1, math.prod(shape[:3]), shape[3]], np.int64)))
        shapes[name] = shape
    _decode(nodes, rows, run.grid, run.config.loss.class_scores)
    slots, classes = run.grid.num_slots, heads[0][1][3] - 5
    shapes |= {"boxes": (slots, 4), "scores": (slots, classes)}

    def tensor(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *map(int, shape)])

    graph = helper.make_graph(
        nodes.nodes,
        "yolojax",
        [tensor("images", (3, *run.grid.size))],
        [tensor(name, shape) for name, shape in shapes.items()],
        nodes.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    file = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="yolojax", doc_string=__doc__)
    helper.set_model_props(file, {name: json.dumps(value, ensure_ascii=False) for name, value in describe(run).items()})
    checker.check_model(file, full_check=True)
    return file.SerializeToString()


def check(outputs: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], runner: str) -> None:
    """Compares the outputs of a file with the network's.

    Heads must agree to 1e-4, relative where they exceed 1, scores and boxes to 1e-3.

    Args:
        outputs: {name: array} of the file.
        expected: {name: array} of the network.
        runner: what ran the file, for the message.

    Raises:
        InputError: they differ.
    """
    for name, wanted in expected.items():
        output = outputs[name]
        if output.shape != wanted.shape:
            raise InputError(
                f"{name}: {runner} gives the shape {output.shape}, the network {wanted.shape}; nothing was written"
            )
        error = np.abs(output - wanted)
        if name == "boxes":
            close = error <= 1e-2 + 1e-3 * np.abs(wanted).max(-1, keepdims=True)
        elif name == "scores":
            close = error <= 1e-3
        else:
            close = error <= 1e-4 * np.maximum(1, np.abs(wanted))
        if not close.all():  # NaN is never close
            raise InputError(
                f"{name} of the exported file, run by {runner}, differ from the network's by up to {error.max():.2g}; "
                "nothing was written"
            )


def run_onnxruntime(path: str | os.PathLike[str], images: np.ndarray) -> dict[str, np.ndarray]:
    """Runs a file with onnxruntime, in one batch.

    Args:
        path: the path of the file.
        images: fitted images (B, H, W, 3), uint8 or float32 in [0, 1].

    Returns:
        {name of output: array}.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs: Sequence[Any] = session.run(names, {"images": _as_input(images)})
    return dict(zip(names, outputs, strict=True))


def run_opencv(path: str | os.PathLike[str], images: np.ndarray) -> dict[str, np.ndarray]:
    """Runs a file with OpenCV's dnn, image by image; otherwise as `run_onnxruntime`."""
    network = cv2.dnn.readNetFromONNX(os.fspath(path))
    names = network.getUnconnectedOutLayersNames()
    outputs = []
    for image in images:
        network.setInput(_as_input(image[None]))
        outputs.append(network.forward(names))
    return {name: np.concatenate(values) for name, values in zip(names, zip(*outputs, strict=True), strict=True)}


RUNNERS = {"onnxruntime": run_onnxruntime, "OpenCV": run_opencv}


def _as_input(images):
    pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    return pixels / 255 if images.dtype == np.uint8 else pixels


def _outputs(run, model, images):
    """The network's outputs for fitted images, by the names of the file's outputs."""

    def network(variables, images):
        raw = raw_heads(model, variables, images)
        predictions = decode(raw, run.grid)
        scores = jax.nn.sigmoid(predictions.objectness_logits)[..., None]
        scores *= CLASS_SCORES[run.config.loss.class_scores](predictions.class_logits)
        heads = dict(zip(_head_names(run.grid), raw, strict=True))
        return heads | {"boxes": cxcywh_to_xyxy(predictions.boxes), "scores": scores}

    # GPUs and TPUs by default round the factors of float32 products; the file is compared with full float32.
    with jax.default_matmul_precision("highest"):
        return jax.device_get(jax.jit(network)(run.variables, images))


def _head_names(grid):
    """head8, head16, ...; if several have the same stride, the later ones are head16_1, head16_2, ..."""
    before = [grid.strides[:scale].count(stride) for scale, stride in enumerate(grid.strides)]
    return [f"head{stride}" + (f"_{count}" if count else "") for stride, count in zip(grid.strides, before, strict=True)]


def _decode(nodes, rows, grid, class_scores):
    """Appends the decoding of `yolojax.decode` and the scores; `rows` has for each scale the name of (batch, slots, 5 + C)."""
    slots = nodes.add("Concat", *rows, axis=1)

    def part(start, end):
        bounds = [nodes.constant([value], np.int64) for value in (start, end, 2)]
        return nodes.add("Slice", slots, *bounds)

    # Centres are linear in the sigmoid, and sizes in a factor that is 1 at 0: `decode_boxes` itself gives the coefficients.
    lowest, highest = (
        np.asarray(decode_boxes(jnp.tile(jnp.float32([end, end, 0, 0]), (grid.num_slots, 1)), grid.slot_geometry))[None]
        for end in (-np.inf, np.inf)
    )
    centre = nodes.add("Mul", nodes.add("Sigmoid", part(0, 2)), nodes.constant((highest - lowest)[..., :2]))
    centre = nodes.add("Add", centre, nodes.constant(lowest[..., :2]))
    if grid.squared_sizes:
        root = nodes.add("Sigmoid", part(2, 4))
        size = nodes.add("Mul", nodes.add("Mul", root, root), nodes.constant(4))
    else:
        size = nodes.add("Exp", nodes.add("Clip", part(2, 4), "", nodes.constant(MAX_LOG_SIZE)))
    half = nodes.add("Mul", size, nodes.constant(lowest[..., 2:] / 2))
    nodes.add("Concat", nodes.add("Sub", centre, half), nodes.add("Add", centre, half), axis=2, name="boxes")
    objectness, classes = nodes.add("Sigmoid", part(4, 5)), part(5, np.iinfo(np.int32).max)
    classes = nodes.add("Softmax", classes, axis=2) if class_scores == "softmax" else nodes.add("Sigmoid", classes)
    nodes.add("Mul", classes, objectness, name="scores")
