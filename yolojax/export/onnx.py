"""A trained network as an ONNX file: raw heads, and decoded boxes with scores, for onnxruntime, OpenCV's dnn and others.

The input `images` is float32 (batch, 3, H, W), RGB in [0, 1], letterboxed
(or as `fit` of the file's metadata says). The outputs are `head8`, `head16` and `head32` (of
tiny the last two), float32 (batch, H / stride, W / stride, A, 5 + C), as the network returns them; `boxes`, (batch, N, 4) xyxy
in pixels of the input; and `scores`, (batch, N, C), P(object) * P(class). Suppression is left to the caller.
"""

import importlib.util
import json
import os

import jax
import jax.numpy as jnp
import numpy as np

from yolojax.boxes import cxcywh_to_xyxy
from yolojax.data.darknet_fit import FITS
from yolojax.decode import MAX_LOG_SIZE, decode, decode_boxes
from yolojax.errors import InputError
from yolojax.export.about import describe
from yolojax.nms import CLASS_SCORES
from yolojax.runtime.opencv import cv2

# Old enough for OpenCV 4.10, and they have all that is needed.
OPSET, IR_VERSION = 13, 8


def export_onnx(run, path, images):
    """Writes the network of a run as ONNX, in float32, and compares the file's outputs for pictures with the network's.

    Args:
        run: Run.
        path: the file to write.
        images: list of RGB uint8 (h, w, 3), at least one.

    Returns:
        A line that says what was written, and what it was run with.

    Raises:
        InputError: the package onnx is missing, or the file and the network differ.
    """
    model = run.model.clone(dtype=jnp.float32)
    data = build(run, model)
    with open(path, "wb") as file:
        file.write(data)
    fitted = np.stack([FITS[run.config.data.fit](image, run.grid.size)[0] for image in images])
    runner = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "OpenCV"
    try:
        found = RUNNERS[runner](path, fitted)
    except cv2.error as error:
        raise InputError(f"OpenCV {cv2.__version__} cannot run the file ({error.err}): pip install onnxruntime") from error
    check(found, _outputs(run, model, fitted), runner)
    hint = "" if runner == "onnxruntime" else " (onnxruntime is not installed)"
    return f"{len(data) / 1e6:.1f} MB; {runner}{hint} computes with it for {len(images)} pictures what the network computes"


def build(run, model):
    """The bytes of an ONNX file with the network of a run and its decoding.

    Args:
        run: Run.
        model: its network with computations in float32.

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
        rows.append(nodes.add("Reshape", last, nodes.constant([-1, np.prod(shape[:3]), shape[3]], np.int64)))
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


def check(found, expected, runner):
    """Compares outputs by name: heads agree to 1e-4, relative where they exceed 1, scores and boxes to 1e-3.

    Raises:
        InputError: they differ.
    """
    for name, ours in expected.items():
        theirs = found[name]
        if theirs.shape != ours.shape:
            raise InputError(f"{name}: {runner} gives the shape {theirs.shape}, the network {ours.shape}; nothing was written")
        error = np.abs(theirs - ours)
        if name == "boxes":
            close = error <= 1e-2 + 1e-3 * np.abs(ours).max(-1, keepdims=True)
        elif name == "scores":
            close = error <= 1e-3
        else:
            close = error <= 1e-4 * np.maximum(1, np.abs(ours))
        if not close.all():  # not finite is not close either
            raise InputError(
                f"{name} of the exported file, run by {runner}, differ from the network's by up to {error.max():.2g}; "
                "nothing was written"
            )


def run_onnxruntime(path, images):
    """The outputs by name for fitted pictures (B, H, W, 3), uint8 or float32 in [0, 1], in one batch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"images": _as_input(images)}), strict=True))


def run_opencv(path, images):
    """As `run_onnxruntime`, picture by picture."""
    network = cv2.dnn.readNetFromONNX(os.fspath(path))
    names = network.getUnconnectedOutLayersNames()
    outputs = []
    for image in images:
        network.setInput(_as_input(image[None]))
        outputs.append(network.forward(names))
    return {name: np.concatenate(values) for name, values in zip(names, zip(*outputs, strict=True), strict=True)}


RUNNERS = {"onnxruntime": run_onnxruntime, "OpenCV": run_opencv}


def _as_input(images):
    ours = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    return ours / 255 if images.dtype == np.uint8 else ours


def _outputs(run, model, images):
    """What the network says of fitted pictures, by the names of the file's outputs."""

    def network(variables, images):
        raw = model.apply(variables, images, train=False)
        found = decode(raw, run.grid)
        scores = jax.nn.sigmoid(found.objectness_logits)[..., None]
        scores *= CLASS_SCORES[run.config.loss.class_scores](found.class_logits)
        heads = dict(zip(_head_names(run.grid), raw, strict=True))
        return heads | {"boxes": cxcywh_to_xyxy(found.boxes), "scores": scores}

    # GPUs and TPUs round the factors of float32 products; the file is to be compared with float32 as it is.
    with jax.default_matmul_precision("highest"):
        return jax.device_get(jax.jit(network)(run.variables, images))


def _head_names(grid):
    """head8, head16, ...; of several with the same stride the later ones are head16_1, head16_2, ..."""
    before = [grid.strides[:scale].count(stride) for scale, stride in enumerate(grid.strides)]
    return [f"head{stride}" + (f"_{count}" if count else "") for stride, count in zip(grid.strides, before, strict=True)]


def _decode(nodes, rows, grid, class_scores):
    """Appends the decoding of `yolojax.decode` and the scores; rows: for each scale the name of (batch, slots, 5 + C)."""
    slots = nodes.add("Concat", *rows, axis=1)

    def part(start, end):
        bounds = [nodes.constant([value], np.int64) for value in (start, end, 2)]
        return nodes.add("Slice", slots, *bounds)

    # Centres are linear in the sigmoid, and sizes in what is 1 at 0: `decode_boxes` itself tells the factors.
    lowest, highest = (
        np.asarray(decode_boxes(np.tile(np.float32([end, end, 0, 0]), (grid.num_slots, 1)), grid.slot_geometry))[None]
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
