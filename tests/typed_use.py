"""What a type checker says of the public names; `pyright tests/typed_use.py` must find nothing, not even an unused ignore."""

# pyright: basic, reportUnnecessaryTypeIgnoreComment=true

import io
from typing import assert_type

import jax
import numpy as np
import PIL.Image

import yolojax
from yolojax import (
    AnchorGrid,
    Detection,
    Detections,
    Detector,
    LossTerms,
    Predictions,
    Recipe,
    Targets,
    YOLOv3,
    assign,
    decode,
    initialize,
    iou,
    nms,
    postprocess,
    yolo_loss,
)
from yolojax.evaluation import average_precision, coco_metrics
from yolojax.inference import Fitted

grid = AnchorGrid((416, 416))
model = YOLOv3(80)
variables = initialize(model, 0)
image: np.ndarray = np.zeros((416, 416, 3), np.uint8)
images = image[None]
raw = model.apply(variables, images, train=False)

targets = assign(np.zeros((0, 4)), np.zeros(0, int), grid)
predictions = decode(raw, grid)
assert_type(targets, Targets)
assert_type(predictions, Predictions)
assert_type(yolo_loss(raw, targets, grid), LossTerms)
assert_type(postprocess(predictions), Detections)
assert_type(predictions.boxes, jax.Array)
assert_type(nms(np.zeros((3, 4)), np.zeros(3), iou_threshold=0.5), jax.Array)
iou(np.zeros((3, 4)), np.zeros((3, 4)))

detector = Detector(model, variables, grid, [str(i) for i in range(80)])
assert_type(detector, Detector)
assert_type(detector(image), Detection)
assert_type(detector("picture.jpg"), Detection)
assert_type(detector(["picture.jpg", image]), list[Detection])
assert_type(detector(jax.numpy.asarray(image)), Detection)
assert_type(detector(io.BytesIO()), Detection)
assert_type(detector(image for _ in range(3)), list[Detection])
assert_type(detector(PIL.Image.new("L", (4, 4)), max_detections=1), Detection)
assert_type(detector.predictions([image]), Predictions)
assert_type(detector.fitted("picture.jpg"), Fitted)
assert_type(detector.grid, AnchorGrid)
assert_type(detector.recipe, Recipe)
assert_type(detector.recipe.size, tuple[int, int])
assert_type(yolojax.__version__, str)

average_precision([], [])
coco_metrics([], [])

detector("picture.jpg", treshold=0.3)  # pyright: ignore[reportCallIssue]
yolojax.Detecter  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
yolojax.evaluation.average_recall  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018
