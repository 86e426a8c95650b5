"""pytorch_yolov3_loss against a literal loop over a program's steps in NumPy, and its gradient by finite differences."""

import math

import jax
import numpy as np
import pytest

from tests.oracle.loss import slopes
from tests.test_loss import GRID, NUM_CLASSES, SMALL, stack
from yolojax.config import LossConfig
from yolojax.loss import build_loss
from yolojax.pytorch_yolov3 import pytorch_yolov3_loss
from yolojax.targets import Targets, assign

# Compiled whole: one operation at a time takes ten times as long to compile.
LOSS = jax.jit(pytorch_yolov3_loss, static_argnums=2)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def listing(raw, pictures, grid, *, noobj_scale=100.0, ignore_thres=0.5):
    """The program's loss on raw heads S x (B, H, W, A, 5 + C) and pictures of (boxes xyxy, classes), by term.

    It goes box by box through dense arrays, as that program does, and averages lists.
    """
    total = dict.fromkeys(("box", "objectness", "classification"), 0.0)
    for head, stride, anchors in zip(raw, grid.strides, grid.anchors, strict=True):
        obj, noobj = np.zeros(head.shape[:4], bool), np.ones(head.shape[:4], bool)
        aim, tcls = np.zeros((*head.shape[:4], 4)), np.zeros((*head.shape[:4], head.shape[-1] - 5))
        for b, (boxes, classes) in enumerate(pictures):
            for (x1, y1, x2, y2), c in zip(np.asarray(boxes, np.float64), classes, strict=True):
                gx, gy, gw, gh = (x1 + x2) / 2 / stride, (y1 + y2) / 2 / stride, (x2 - x1) / stride, (y2 - y1) / stride
                i, j, ious = int(gx), int(gy), []
                for aw, ah in anchors:
                    inter = min(gw, aw / stride) * min(gh, ah / stride)
                    ious.append(inter / (gw * gh + aw / stride * ah / stride - inter))
                best = int(np.argmax(ious))
                obj[b, j, i, best], noobj[b, j, i, best] = True, False
                for n, overlap in enumerate(ious):
                    assert abs(overlap - ignore_thres) > 1e-6
                    if overlap > ignore_thres:
                        noobj[b, j, i, n] = False
                aw, ah = anchors[best]
                aim[b, j, i, best] = gx - i, gy - j, math.log(gw * stride / aw), math.log(gh * stride / ah)
                tcls[b, j, i, best, c] = 1
        s, cls = head[obj], head[obj][:, 5:]
        if len(s):
            total["box"] += sum(((sigmoid(s[:, k]) - aim[obj][:, k]) ** 2).mean() for k in (0, 1))
            total["box"] += sum(((s[:, k] - aim[obj][:, k]) ** 2).mean() for k in (2, 3))
            total["objectness"] += -np.log(sigmoid(s[:, 4])).mean()
            right = np.where(tcls[obj] == 1, sigmoid(cls), 1 - sigmoid(cls))
            total["classification"] += -np.log(right).mean()
        total["objectness"] += noobj_scale * -np.log(1 - sigmoid(head[noobj][:, 4])).mean()
    return total


def case(seed, grid, counts, boxes_of=None):
    """(raw float64, pictures, targets); some boxes of a picture share their cell on the coarse scale."""
    rng = np.random.default_rng(seed)
    height, width = grid.size
    pictures = []
    for count in counts:
        sides = np.exp(rng.uniform(np.log(6), np.log(min(height, width) - 2), (count, 2)))
        corners = rng.uniform(0, 1, (count, 2)) * (np.array([width, height]) - sides)
        # What the targets keep is float32; the listing gets the same numbers.
        boxes = np.concatenate([corners, corners + sides], 1).astype(np.float32)
        pictures.append((boxes, rng.integers(NUM_CLASSES, size=count)))
    shape = grid.anchors_per_scale, 5 + NUM_CLASSES
    raw = tuple(rng.normal(0, 1, (len(counts), h, w, *shape)) for h, w in grid.shapes)
    return raw, pictures, stack([assign(*picture, grid, max_boxes=10) for picture in pictures])


@pytest.mark.parametrize(
    ("seed", "counts"),
    [(0, (0, 3, 8)), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, (1,)), (2, (10,) * 3), (3, (0, 0))))],
)
def test_a_batch_has_the_loss_of_the_listing(seed, counts):
    raw, pictures, targets = case(seed, GRID, counts)
    expected = listing(raw, pictures, GRID)
    with jax.enable_x64(True):
        terms = LOSS(raw, targets, GRID)
    single = LOSS(tuple(head.astype(np.float32) for head in raw), targets, GRID)
    for name, value in expected.items():
        assert getattr(terms, name).shape == (len(counts),)
        np.testing.assert_allclose(np.asarray(getattr(terms, name)).mean(), value, rtol=1e-6)
        np.testing.assert_allclose(np.asarray(getattr(single, name)).mean(), value, rtol=1e-5)


def test_two_boxes_on_one_slot_leave_the_place_of_the_later_and_both_classes():
    raw, _, _ = case(4, GRID, (0,))
    boxes = np.array([[20, 20, 60, 70], [21, 21, 61, 73]], np.float32)
    pictures = [(boxes, np.array([2, 0]))]
    targets = stack([assign(*pictures[0], GRID, max_boxes=4)])
    with jax.enable_x64(True):
        both = LOSS(raw, targets, GRID)
    for name, value in listing(raw, pictures, GRID).items():
        np.testing.assert_allclose(np.asarray(getattr(both, name))[0], value, rtol=1e-6)
    alone = listing(raw, [(boxes[1:], np.array([0]))], GRID)
    np.testing.assert_allclose(np.asarray(both.box)[0], alone["box"], rtol=1e-6)
    assert abs(np.asarray(both.classification)[0] - alone["classification"]) > 1e-3


@pytest.mark.parametrize(("weight", "threshold"), [(1.0, 0.5), (100.0, 0.3)])
def test_its_two_numbers_are_options(weight, threshold):
    raw, pictures, targets = case(5, GRID, (4, 2))
    with jax.enable_x64(True):
        terms = LOSS(raw, targets, GRID, noobject_weight=weight, ignore_iou=threshold)
    expected = listing(raw, pictures, GRID, noobj_scale=weight, ignore_thres=threshold)
    np.testing.assert_allclose(np.asarray(terms.objectness).mean(), expected["objectness"], rtol=1e-6)


def test_the_gradient_matches_finite_differences():
    raw, pictures, targets = case(6, SMALL, (3, 1))
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(lambda raw: sum(term.mean() for term in LOSS(raw, targets, SMALL))))(raw)
    slope = slopes(lambda heads: sum(listing(heads, pictures, SMALL).values()), raw)
    for actual, expected in zip(gradient, slope, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


def test_a_configuration_names_it():
    raw, _, targets = case(7, GRID, (2,))
    config = LossConfig(name="yolojax.pytorch_yolov3:pytorch_yolov3_loss", options={"noobject_weight": 1.0})
    found = jax.jit(build_loss(config), static_argnums=2)(raw, Targets(*targets), GRID)
    expected = LOSS(raw, targets, GRID, noobject_weight=1.0)
    np.testing.assert_array_equal(found.objectness, expected.objectness)
