import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from tests.helpers.own_slots import own_targets
from tests.oracle import assignment as oracle_assignment
from tests.oracle import loss as oracle
from yolojax.grid import AnchorGrid
from yolojax.loss import LossTerms, paper_loss, yolo_loss
from yolojax.targets import Targets, assign

GRID = AnchorGrid((64, 96))
SMALL = AnchorGrid((32, 64), (16, 32), (((12, 10), (20, 30)), ((30, 25), (50, 60))))
NUM_CLASSES = 3
OVERLAPS = ["giou", "iou", "diou", "ciou"]


@functools.partial(jax.jit, static_argnames=("grid", "box"))
def terms_and_gradient(raw, targets, grid, box="giou", ignore_iou=0.5, label_smoothing=0.01, class_weights=()):
    """The terms stacked to (3, B), and the gradient of their sum with respect to the raw heads."""

    def total(raw):
        options = {"ignore_iou": ignore_iou, "label_smoothing": label_smoothing, "class_weights": class_weights}
        terms = yolo_loss(raw, targets, grid, box=box, **options)
        stacked = jnp.stack(terms)
        return stacked.sum(), stacked

    (_, terms), gradient = jax.value_and_grad(total, has_aux=True)(raw)
    return terms, gradient


def stack(pictures):
    """Batched Targets."""
    return Targets(*(np.stack(member) for member in zip(*pictures, strict=True)))


def random_picture(rng, grid, count):
    """(boxes_xyxy, classes) with sizes about those of the anchors, the last box the same as the first."""
    height, width = grid.size
    anchors = np.array(grid.anchors).reshape(-1, 2)
    size = anchors[rng.integers(0, len(anchors), count)] * np.exp(rng.normal(0, 0.3, (count, 2)))
    centre = rng.uniform(0, [width, height], (count, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1).astype(np.float32)
    boxes[-1:] = boxes[:1]
    return boxes, rng.integers(0, NUM_CLASSES, count).astype(np.int32)


def random_case(seed, grid, counts, *, max_boxes=8):
    """(raw, pictures, targets): predictions near the anchors, so that the ignore test has something to ignore."""
    rng = np.random.default_rng(seed)
    pictures = [random_picture(rng, grid, count) for count in counts]
    shape = (grid.anchors_per_scale, 5 + NUM_CLASSES)
    raw = tuple(rng.normal(0, 0.8, (len(counts), h, w, *shape)).astype(np.float32) for h, w in grid.shapes)
    return raw, pictures, stack([assign(*p, grid, max_boxes=max_boxes) for p in pictures])


def dense_of(picture, grid, label_smoothing=0.01):
    """The oracle's own labels, in the float32 in which boxes travel."""
    boxes, classes = picture
    assignment = oracle_assignment.assign(boxes, grid.size, grid.strides, grid.anchors)
    labels, scale_boxes = oracle_assignment.dense(assignment, boxes, classes, NUM_CLASSES, label_smoothing=label_smoothing)
    for array in (*labels, *scale_boxes):
        array[..., :4] = array[..., :4].astype(np.float32)
    return labels, scale_boxes


def read_golden(folder, name):
    """(raw, targets, grid, terms (3, B), gradient) of one golden file."""
    with np.load(folder / f"{name}.npz") as data:
        size, batch = int(data["size"]), range(int(data["batch"]))
        grid = AnchorGrid((size, size), data["strides"].tolist(), data["anchors"].tolist())
        raw, gradient = (
            tuple(np.stack([data[f"{key}_{b}_{i}"] for b in batch]) for i in range(grid.num_scales)) for key in ("raw", "grad")
        )
        targets = stack([assign(data[f"boxes_{b}"], data[f"classes_{b}"], grid) for b in batch])
        return raw, targets, grid, np.stack([data[f"terms_{b}"] for b in batch], 1), gradient


@pytest.mark.parametrize("name", ["seed_96_c3", "seed_160_c20"])
@pytest.mark.parametrize(("x64", "tolerance"), [(False, 1e-5), (True, 1e-6)])
def test_golden_terms_and_gradient(golden, name, x64, tolerance):
    raw, targets, grid, expected_terms, expected_gradient = read_golden(golden, name)
    with jax.enable_x64(x64):
        raw = tuple(head.astype(np.float64 if x64 else np.float32) for head in raw)
        terms, gradient = terms_and_gradient(raw, targets, grid)
    np.testing.assert_allclose(terms, expected_terms, rtol=tolerance)
    for ours, theirs in zip(gradient, expected_gradient, strict=True):
        # Relative to the largest number of each slot's gradient: small ones are differences of large ones.
        largest = np.abs(theirs).max(-1, keepdims=True)
        assert np.all(np.abs(np.asarray(ours) - theirs) <= tolerance * largest)


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("box", OVERLAPS)
@pytest.mark.parametrize(
    ("seed", "ignore_iou", "label_smoothing"), [(0, 0.5, 0.01), (1, 0.3, 0.0), (2, 0.7, 0.1), (3, 0.15, 1.0)]
)
def test_compact_terms_equal_dense_terms(box, seed, ignore_iou, label_smoothing, x64):
    raw, pictures, targets = random_case(seed, GRID, counts=(0, 3, 8))
    with jax.enable_x64(x64):
        heads = tuple(head.astype(np.float64 if x64 else np.float32) for head in raw)
        terms, gradient = terms_and_gradient(heads, targets, GRID, box, ignore_iou, label_smoothing)
    assert terms.dtype == gradient[0].dtype == heads[0].dtype
    for b, picture in enumerate(pictures):
        labels, scale_boxes = dense_of(picture, GRID, label_smoothing)
        head = [h[b].astype(np.float64) for h in raw]
        assert oracle.ignore_margin(head, scale_boxes, GRID.strides, GRID.anchors, ignore_iou) > 1e-5
        expected = oracle.terms(
            head, labels, scale_boxes, GRID.size, GRID.strides, GRID.anchors, ignore_iou=ignore_iou, box=box
        )
        np.testing.assert_allclose(terms[:, b], expected, rtol=1e-9 if x64 else 1e-5)


def test_an_assignment_with_any_number_of_slots():
    rng = np.random.default_rng(11)
    pictures = [own_targets(rng, GRID, count, NUM_CLASSES) for count in (0, 4, 5)]
    raw = random_case(0, GRID, counts=(0, 0, 0))[0]
    terms, _ = terms_and_gradient(raw, stack([targets for targets, _, _ in pictures]), GRID)
    for b, (_, labels, scale_boxes) in enumerate(pictures):
        head = [h[b].astype(np.float64) for h in raw]
        assert oracle.ignore_margin(head, scale_boxes, GRID.strides, GRID.anchors, 0.5) > 1e-5
        expected = oracle.terms(head, labels, scale_boxes, GRID.size, GRID.strides, GRID.anchors)
        np.testing.assert_allclose(terms[:, b], expected, rtol=1e-5)


def test_the_weights_of_the_classes_are_factors_on_the_classification():
    weights = (0.5, 3.0, 1.25)
    raw, pictures, targets = random_case(4, GRID, counts=(0, 3, 8))
    terms, _ = terms_and_gradient(raw, targets, GRID, class_weights=np.float32(weights))
    plain, _ = terms_and_gradient(raw, targets, GRID)
    assert terms.dtype == raw[0].dtype
    np.testing.assert_array_equal(terms[:2], plain[:2])
    assert np.all(terms[2, 1:] != plain[2, 1:])
    for b, picture in enumerate(pictures):
        labels, scale_boxes = dense_of(picture, GRID)
        place = (GRID.size, GRID.strides, GRID.anchors)
        expected = oracle.terms([h[b].astype(np.float64) for h in raw], labels, scale_boxes, *place, class_weights=weights)
        np.testing.assert_allclose(terms[:, b], expected, rtol=1e-5)


@pytest.mark.parametrize("loss", [yolo_loss, paper_loss])
def test_one_weight_for_each_class_or_none(loss):
    raw, _, targets = random_case(4, SMALL, counts=(2,))
    with pytest.raises(ValueError, match="class_weights has 2 weights for 3 classes"):
        jax.eval_shape(lambda raw: loss(raw, targets, SMALL, class_weights=(1.0, 2.0)), raw)


def test_the_ignore_test_matters():
    raw, _, targets = random_case(0, GRID, counts=(0, 3, 8))
    terms = [terms_and_gradient(raw, targets, GRID, "giou", t, 0.01)[0] for t in (0.1, 0.3, 0.5, 0.7)]
    objectness = np.array(terms)[:, 1]
    assert np.all(objectness[:, 0] == objectness[0, 0])  # no boxes, nothing to ignore
    assert np.all(np.diff(objectness[:, 1:], axis=0) > 0)


@pytest.mark.parametrize("box", OVERLAPS)
def test_gradient_matches_finite_differences(box):
    raw, pictures, targets = random_case(5, SMALL, counts=(4,))
    labels, scale_boxes = dense_of(pictures[0], SMALL)
    place = (SMALL.size, SMALL.strides, SMALL.anchors)
    with jax.enable_x64(True):
        _, gradient = terms_and_gradient(tuple(h.astype(np.float64) for h in raw), targets, SMALL, box)
        gradient = [np.asarray(g[0]) for g in gradient]
    reference = [h[0].astype(np.float64) for h in raw]
    # The ignore test is a step: no difference may reach over it.
    assert oracle.ignore_margin(reference, scale_boxes, SMALL.strides, SMALL.anchors, 0.5) > 1e-3

    def total(heads):
        return sum(oracle.terms(heads, labels, scale_boxes, *place, box=box, reference=reference))

    for actual, expected in zip(gradient, oracle.slopes(total, reference), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    assert sum(np.count_nonzero(g[..., :4]) for g in gradient) > 0


def test_pictures_without_boxes():
    raw, _, targets = random_case(6, GRID, counts=(0, 0, 0))
    terms, gradient = terms_and_gradient(raw, targets, GRID)
    np.testing.assert_array_equal(terms[0], 0)
    np.testing.assert_array_equal(terms[2], 0)
    for b in range(3):
        logits = np.concatenate([h[b, ..., 4].reshape(-1) for h in raw]).astype(np.float64)
        p = 1 / (1 + np.exp(-logits))
        assert terms[1, b] == pytest.approx(-np.sum(p**2 * np.log(1 - p)), rel=1e-5)
    for g in gradient:
        np.testing.assert_array_equal(g[..., :4], 0)
        np.testing.assert_array_equal(g[..., 5:], 0)
        assert np.all(g[..., 4] > 0)


def test_what_the_terms_reach():
    raw, _, targets = random_case(7, GRID, counts=(4, 0, 4))
    _, gradient = terms_and_gradient(raw, targets, GRID)
    flat = np.concatenate([np.reshape(g, (3, -1, 5 + NUM_CLASSES)) for g in gradient], axis=1)
    for b in range(3):
        slots = targets.slots[b][targets.slots[b] < GRID.num_slots]
        positive = np.isin(np.arange(GRID.num_slots), slots)
        assert np.all(flat[b, positive, 5:] != 0)
        assert np.all(flat[b, positive, 4] < 0)
        assert np.all(flat[b, ~positive][:, [0, 1, 2, 3, 5, 6, 7]] == 0)
        assert np.all(flat[b, ~positive, 4] >= 0)


def test_a_perfect_prediction_costs_nothing():
    boxes = np.array([[9, 9.5, 39, 70.5]], np.float32)  # the anchor (30, 61) at the centre of a cell of stride 16
    targets = stack([assign(boxes, np.array([1]), GRID, rule="best", max_boxes=8)] * 3)
    raw = tuple(np.zeros((3, h, w, 3, 5 + NUM_CLASSES), np.float32) for h, w in GRID.shapes)
    for head in raw:
        head[..., 4:] = -30
    raw[1][:, 2, 1, 0, 4] = 30
    raw[1][:, 2, 1, 0, 6] = 30
    terms, _ = terms_and_gradient(raw, targets, GRID, "ciou", 0.5, 0.0)
    np.testing.assert_allclose(terms, 0, atol=1e-5)


def test_a_perfect_prediction_through_a_stretched_sigmoid_costs_nothing():
    grid = AnchorGrid((64, 96), xy_scales=(1, 2, 1))
    boxes = np.array([[20 - 15, 36 - 30.5, 20 + 15, 36 + 30.5]], np.float32)  # a quarter into column 1 and row 2 of stride 16
    targets = stack([assign(boxes, np.array([1]), grid, rule="best", max_boxes=2)])
    raw = tuple(np.full((1, h, w, 3, 5 + NUM_CLASSES), -30, np.float32) for h, w in grid.shapes)
    sigmoid = 0.375  # 2 * 0.375 - 0.5 is a quarter
    raw[1][0, 2, 1, 0] = [*[np.log(sigmoid / (1 - sigmoid))] * 2, 0, 0, 30, -30, 30, -30]
    for loss in (yolo_loss, paper_loss):
        terms = jax.jit(functools.partial(loss, grid=grid, label_smoothing=0.0))(raw, targets)
        np.testing.assert_allclose(jnp.stack(terms), 0, atol=1e-4)


def test_pictures_do_not_touch_each_other():
    raw, _, targets = random_case(8, GRID, counts=(2, 5, 8))
    terms, gradient = terms_and_gradient(raw, targets, GRID)
    order = np.array([2, 0, 1])
    moved = terms_and_gradient(tuple(h[order] for h in raw), Targets(*(m[order] for m in targets)), GRID)
    np.testing.assert_allclose(moved[0], terms[:, order], rtol=1e-6)
    for a, b in zip(moved[1], gradient, strict=True):
        np.testing.assert_allclose(a, b[order], rtol=1e-6, atol=1e-7)


def test_room_for_boxes_does_not_change_the_loss():
    raw, pictures, targets = random_case(9, GRID, counts=(2, 5, 8))
    roomy = stack([assign(*p, GRID, max_boxes=40) for p in pictures])
    for a, b in zip(
        jax.tree.leaves(terms_and_gradient(raw, targets, GRID)),
        jax.tree.leaves(terms_and_gradient(raw, roomy, GRID)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_without_jit():
    grid = AnchorGrid((32, 64), (32,), SMALL.anchors[:1])
    raw, _, targets = random_case(10, grid, counts=(3,))
    terms = yolo_loss(raw, targets, grid)
    assert terms._fields == ("box", "objectness", "classification")
    assert all(t.shape == (1,) for t in terms)
    np.testing.assert_allclose(jnp.stack(terms), terms_and_gradient(raw, targets, grid)[0], rtol=1e-6)


# Points, lines, specks and giants; on the picture's corner, its border, and one on top of another.
DEGENERATE = [
    (0, 0, 0, 0),
    (0, 0, 0, 20),
    (40, 30, 40, 30),
    (40, 30, 40, 30),
    (96, 64, 96, 64),
    (50, 20, 50.001, 20.001),
    (0, 0, 96, 64),
    (-1e6, -1e6, 1e6, 1e6),
]


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("box", OVERLAPS)
def test_extreme_heads_and_degenerate_boxes_stay_finite(box, x64):
    rng = np.random.default_rng(11)
    targets = [
        assign(np.array(DEGENERATE), np.arange(8) % NUM_CLASSES, GRID, max_boxes=8),
        assign(np.array(DEGENERATE[:2]), np.array([0, 1]), GRID, max_boxes=8),
        assign(np.zeros((0, 4)), np.zeros(0, int), GRID, max_boxes=8),
    ]
    extremes = [0.0, 50.0, -50.0, 1e4, -1e4]
    with jax.enable_x64(x64):
        for trial in range(len(extremes) + 20):
            # First every number the same, then any mixture.
            among = [extremes[trial]] if trial < len(extremes) else extremes
            raw = tuple(
                rng.choice(among, (3, h, w, 3, 5 + NUM_CLASSES)).astype(np.float64 if x64 else np.float32)
                for h, w in GRID.shapes
            )
            terms, gradient = terms_and_gradient(raw, stack(targets), GRID, box)
            assert np.isfinite(terms).all()
            assert np.all(np.asarray(terms)[1:] >= 0)
            assert all(np.isfinite(g).all() for g in gradient)


@pytest.mark.parametrize("box", OVERLAPS)
def test_a_vanishing_prediction_for_a_box_without_area_has_a_finite_gradient(box):
    # The prediction shrinks onto the corner x = 0, where float32 still tells its two sides apart.
    targets = stack([assign(np.zeros((1, 4)), np.array([0]), GRID, max_boxes=8)] * 3)
    for tw, th in ((-50, 0), (-27, -27), (-25, -50), (-60, 3)):
        raw = tuple(np.zeros((3, h, w, 3, 5 + NUM_CLASSES), np.float32) for h, w in GRID.shapes)
        for head in raw:
            head[..., :4] = (-1e4, -1e4, tw, th)
        terms, gradient = terms_and_gradient(raw, targets, GRID, box)
        assert np.isfinite(terms).all()
        assert all(np.isfinite(g).all() for g in gradient), (tw, th)


def test_what_is_refused():
    raw, _, targets = random_case(12, SMALL, counts=(1,))
    with pytest.raises(ValueError, match="box"):
        yolo_loss(raw, targets, SMALL, box="mse")
    with pytest.raises(ValueError, match=r"\S"):
        yolo_loss(raw[:1], targets, SMALL)
    with pytest.raises(ValueError, match=r"\S"):
        yolo_loss(raw, targets, AnchorGrid((64, 32), SMALL.strides, SMALL.anchors))


@pytest.mark.parametrize("loss", [yolo_loss, paper_loss])
def test_an_exported_loss_takes_any_number_of_pictures(loss):
    raw, _, targets = random_case(0, SMALL, (3, 0, 2))
    (pictures,) = export.symbolic_shape("pictures")
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((pictures, *x.shape[1:]), x.dtype), (raw, targets))
    of_batch = jax.jit(functools.partial(loss, grid=SMALL))
    read = export.deserialize(export.export(of_batch)(*shapes).serialize())
    for count in (1, 3):
        inputs = jax.tree.map(lambda x: x[:count], (raw, targets))  # noqa: B023
        found = read.call(*inputs)
        assert isinstance(found, LossTerms)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, of_batch(*inputs))
