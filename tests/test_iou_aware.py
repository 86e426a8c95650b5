"""iou_aware_loss against a literal loop, finite differences, and by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers.own_slots import own_targets
from tests.helpers.several_devices import assert_means_are_those_of_all_devices
from tests.oracle import assignment as oracle_assignment
from tests.oracle import iou_aware as oracle
from tests.test_loss import NUM_CLASSES, random_picture, stack
from yolojax.boxes import ciou, cxcywh_to_xyxy
from yolojax.config import LossConfig
from yolojax.decode import decode
from yolojax.grid import YOLOV3_ANCHORS, AnchorGrid
from yolojax.iou_aware import iou_aware_loss
from yolojax.loss import build_loss
from yolojax.targets import assign

THREE = AnchorGrid((64, 96), (8, 16, 32), YOLOV3_ANCHORS, (2, 2, 2), True)
TWO = AnchorGrid((32, 64), (16, 32), (((12, 10), (20, 30)), ((30, 25), (50, 60))), (2, 2), True)
PUBLISHED = {"box": 0.05, "objectness": 1.0, "classification": 0.5}
OTHERS = {"box": 2.0, "objectness": 0.3, "classification": 7.0}


@functools.partial(jax.jit, static_argnames=("grid", "scale_weights"))
def terms_and_gradient(raw, targets, grid, weights=None, scale_weights=(), class_weights=()):
    """The terms stacked to (3, B), and the gradient of the loss, the mean over the pictures of their sum."""

    def total(raw):
        options = {f"{name}_weight": value for name, value in (weights or {}).items()}
        terms = iou_aware_loss(raw, targets, grid, scale_weights=scale_weights, class_weights=class_weights, **options)
        stacked = jnp.stack(terms)
        return stacked.sum(0).mean(), stacked

    (_, terms), gradient = jax.value_and_grad(total, has_aux=True)(raw)
    return terms, gradient


def case(seed, grid, counts, num_classes=NUM_CLASSES):
    """(raw, pictures, targets by rule "ratio")."""
    rng = np.random.default_rng(seed)
    pictures = [random_picture(rng, grid, count) for count in counts]
    if num_classes == 1:
        pictures = [(boxes, np.zeros_like(classes)) for boxes, classes in pictures]
    shape = (grid.anchors_per_scale, 5 + num_classes)
    raw = tuple(rng.normal(0, 0.8, (len(counts), h, w, *shape)).astype(np.float32) for h, w in grid.shapes)
    return raw, pictures, stack([assign(*picture, grid, max_boxes=8, rule="ratio") for picture in pictures])


def labels_of(pictures, grid, num_classes=NUM_CLASSES):
    """The oracle's own labels, S x B x (H, W, A, 5 + C), in the float32 in which boxes travel."""
    labels = []
    for boxes, classes in pictures:
        found = oracle_assignment.assign(boxes, grid.size, grid.strides, grid.anchors, rule="ratio")
        labels.append(oracle_assignment.dense(found, boxes, classes, num_classes, label_smoothing=0.0)[0])
        for label in labels[-1]:
            label[..., :4] = label[..., :4].astype(np.float32)
    return list(zip(*labels, strict=True))


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize(
    ("grid", "weights", "given", "by_scale"),
    [
        (THREE, PUBLISHED, (), (4.0, 1.0, 0.4)),
        (TWO, PUBLISHED, (), (4.0, 1.0)),
        (TWO, OTHERS, (0.5, 3.0), (0.5, 3.0)),
    ],
    ids=["three scales", "two scales", "other weights"],
)
def test_the_loss_equals_a_loop_over_slots(grid, weights, given, by_scale, x64):
    raw, pictures, targets = case(len(grid.strides), grid, counts=(0, 3, 8))
    with jax.enable_x64(x64):
        heads = tuple(head.astype(np.float64 if x64 else np.float32) for head in raw)
        terms, gradient = terms_and_gradient(heads, targets, grid, None if weights is PUBLISHED else weights, given)
    assert terms.dtype == gradient[0].dtype == heads[0].dtype
    place = (grid.size, grid.strides, grid.anchors)
    expected = oracle.batch_terms(raw, labels_of(pictures, grid), *place, **weights, by_scale=by_scale)
    np.testing.assert_allclose(np.asarray(terms).mean(1), expected, rtol=1e-9 if x64 else 2e-5)


def test_the_gradient_equals_finite_differences():
    raw, pictures, targets = case(5, TWO, counts=(2, 0, 5))
    heads = tuple(head.astype(np.float64) for head in raw)
    with jax.enable_x64(True):
        _, gradient = terms_and_gradient(heads, targets, TWO, OTHERS)
    labels, place = labels_of(pictures, TWO), (TWO.size, TWO.strides, TWO.anchors)

    def total(moved):
        # What is a constant in the gradient does not move: the aim of the objectness and the trade-off of complete IoU.
        return oracle.batch_terms(moved, labels, *place, **OTHERS, by_scale=(4.0, 1.0), reference=heads).sum()

    rng = np.random.default_rng(0)
    for _ in range(8):
        way = [rng.normal(size=head.shape) for head in heads]
        ends = [total([head + step * w for head, w in zip(heads, way, strict=True)]) for step in (1e-6, -1e-6)]
        slope = sum((np.asarray(g) * w).sum() for g, w in zip(gradient, way, strict=True))
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_a_single_class_has_no_classification():
    raw, pictures, targets = case(6, TWO, counts=(3, 4), num_classes=1)
    terms, gradient = terms_and_gradient(raw, targets, TWO)
    labels = labels_of(pictures, TWO, num_classes=1)
    expected = oracle.batch_terms(raw, labels, TWO.size, TWO.strides, TWO.anchors, **PUBLISHED, by_scale=(4.0, 1.0))
    np.testing.assert_allclose(np.asarray(terms).mean(1), expected, rtol=2e-5)
    np.testing.assert_array_equal(terms[2], 0)
    assert not any(np.any(g[..., 5:]) for g in gradient)


def test_the_weights_of_the_classes_are_factors_on_the_classification():
    raw, pictures, targets = case(4, TWO, counts=(0, 3, 8))
    terms, _ = terms_and_gradient(raw, targets, TWO, class_weights=np.array([0.5, 3.0, 1.25]))
    place = (TWO.size, TWO.strides, TWO.anchors)
    options = PUBLISHED | {"by_scale": (4.0, 1.0), "class_weights": (0.5, 3.0, 1.25)}
    np.testing.assert_allclose(
        np.asarray(terms).mean(1), oracle.batch_terms(raw, labels_of(pictures, TWO), *place, **options), rtol=2e-5
    )


def test_a_batch_without_boxes_has_background_alone():
    raw, _, targets = case(7, TWO, counts=(0, 0))
    terms, gradient = terms_and_gradient(raw, targets, TWO)
    np.testing.assert_array_equal(terms[::2], 0)
    assert np.all(np.asarray(terms[1]) > 0)
    for g in gradient:
        assert not np.any(g[..., :4]) and not np.any(g[..., 5:]) and np.all(np.asarray(g[..., 4]) > 0)


@pytest.mark.parametrize("box", [[20, 8, 20, 30], [12, 8, 12, 8], [-500, -400, 700, 900], [31.5, 15.5, 31.6, 15.6]])
@pytest.mark.parametrize("value", [0.0, 60.0, -60.0, 1e4, -1e4])
def test_extremes_are_finite(box, value):
    targets = stack([assign([box], [1], TWO, max_boxes=8, rule="ratio")])
    raw = tuple(np.full((1, *shape, 2, 5 + NUM_CLASSES), value, np.float32) for shape in TWO.shapes)
    terms, gradient = terms_and_gradient(raw, targets, TWO)
    assert np.isfinite(terms).all() and all(np.isfinite(g).all() for g in gradient)


def test_objectness_aims_at_the_complete_iou_and_at_nothing_elsewhere():
    # With the logits of these aims the cross entropy has no slope; the gradient says where each logit should be.
    raw, _, targets = case(9, TWO, counts=(5, 8))
    with jax.enable_x64(True):
        heads = tuple(head.astype(np.float64) for head in raw)
        _, gradient = terms_and_gradient(heads, targets, TWO)
        boxes = cxcywh_to_xyxy(np.asarray(decode(heads, TWO).boxes))
    wanted = np.zeros((2, TWO.num_slots))
    overlaps = []
    for b, m, entry in np.argwhere(targets.slots < TWO.num_slots):
        slot = targets.slots[b, m, entry]
        overlaps.append(float(ciou(boxes[b, slot], cxcywh_to_xyxy(targets.boxes[b, m].astype(np.float64)))))
        wanted[b, slot] = max(0, overlaps[-1])
    assert min(overlaps) < 0 < max(overlaps)
    for scale, (first, count) in enumerate(zip(TWO.offsets, TWO.slots_per_scale, strict=True)):
        logits, slopes = (x[scale][..., 4].reshape(2, count) for x in (heads, gradient))
        factor = 1.5 * 32 * 64 / 640**2 * (4.0, 1.0)[scale] / count / 2
        aims = 1 / (1 + np.exp(-logits)) - np.asarray(slopes) / factor
        np.testing.assert_allclose(aims, wanted[:, first : first + count], atol=1e-9)


def test_an_assignment_with_any_number_of_slots():
    rng = np.random.default_rng(3)
    targets, labels, _ = zip(*(own_targets(rng, TWO, count, NUM_CLASSES, label_smoothing=0.0) for count in (2, 1)), strict=True)
    raw, _, _ = case(3, TWO, counts=(1, 1))
    terms, _ = terms_and_gradient(raw, stack(targets), TWO)
    by_scale = list(zip(*labels, strict=True))
    expected = oracle.batch_terms(raw, by_scale, TWO.size, TWO.strides, TWO.anchors, **PUBLISHED, by_scale=(4.0, 1.0))
    np.testing.assert_allclose(np.asarray(terms).mean(1), expected, rtol=2e-5)


@pytest.mark.slow  # tests/test_paper_loss.py has the same means
@pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")
def test_means_are_those_of_all_devices():
    raw, _, targets = case(9, TWO, counts=(0, 3, 8, 1, 0, 0, 2, 5))

    loss = functools.partial(iou_aware_loss, grid=TWO)
    expected, _ = assert_means_are_those_of_all_devices(loss, raw, targets, atol=1e-8)
    split = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), (raw, targets))
    named = functools.partial(lambda *arguments, **options: jnp.stack(loss(*arguments, **options)), axis_name="data")
    together = jax.pmap(named, axis_name="data", devices=jax.devices()[:4])(*split)
    np.testing.assert_allclose(np.concatenate(list(together), 1), expected, rtol=1e-5)


def test_by_hand():
    # One cell of 64 pixels, an anchor (20, 40), and raw zeros: the centre (32, 32) and exactly the anchor's size.
    grid = AnchorGrid((64, 64), (64,), (((20, 40),),), (2,), True)
    targets = stack([assign([[22, 12, 42, 52]], [1], grid, max_boxes=2, rule="ratio")])
    raw = (np.float32([0, 0, 0, 0, np.log(3), 0, np.log(2), 0]).reshape(1, 1, 1, 1, 8),)
    terms, _ = terms_and_gradient(raw, targets, grid)
    # CIoU is 1: no error of the box, and the objectness aims at 1.
    expected = [0, 3 * 0.01 * 4 * np.log(4 / 3), 3 * 3 / 80 * 0.5 * (np.log(3 / 2) + 2 * np.log(2)) / 3]
    np.testing.assert_allclose(terms[:, 0], expected, rtol=1e-5, atol=1e-7)


def test_the_configuration_gives_its_weights():
    raw, _, targets = case(10, TWO, counts=(3, 2))
    config = LossConfig(name="iou_aware", assign_rule="ratio")
    weights = {"box_weight": 2.0, "objectness_weight": 0.3, "classification_weight": 7.0, "scale_weights": (1.0, 2.0)}
    for fields in ({}, {**weights, "class_weights": (1.0, 2.0, 3.0)}):
        config = LossConfig(name="iou_aware", assign_rule="ratio", **fields)
        ours = jax.jit(build_loss(config), static_argnums=2)(raw, targets, TWO)
        np.testing.assert_array_equal(ours, jax.jit(functools.partial(iou_aware_loss, grid=TWO, **fields))(raw, targets))


def test_what_is_refused():
    raw, _, targets = case(11, TWO, counts=(1,))
    with pytest.raises(ValueError, match="scale_weights has 3 weights for 2 scales"):
        iou_aware_loss(raw, targets, TWO, scale_weights=(4.0, 1.0, 0.4))
    with pytest.raises(ValueError, match="class_weights has 2 weights for 3 classes"):
        iou_aware_loss(raw, targets, TWO, class_weights=(1.0, 2.0))
    with pytest.raises(ValueError, match="do not fit the grid"):
        iou_aware_loss(raw[:1], targets, TWO)
    six = AnchorGrid((64, 64), (1, 2, 4, 8, 16, 32), (((9, 9),),) * 6)
    heads = tuple(np.zeros((1, *shape, 1, 8), np.float32) for shape in six.shapes)
    with pytest.raises(ValueError, match="there are published 5 weights for 6 scales"):
        iou_aware_loss(heads, stack([assign([[1, 1, 9, 9]], [0], six, max_boxes=1)]), six)
