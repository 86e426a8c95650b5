"""paper_loss against a literal loop, finite differences, and by hand."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.own_slots import own_targets
from tests.helpers.several_devices import assert_means_are_those_of_all_devices
from tests.oracle import loss as oracle
from tests.test_loss import DEGENERATE, GRID, NUM_CLASSES, SMALL, dense_of, random_case, stack
from yolojax.config import LossConfig
from yolojax.grid import AnchorGrid
from yolojax.loss import build_loss, paper_loss, yolo_loss
from yolojax.targets import assign

OPTIONS = [
    {"wh": wh, "objectness": objectness, "class_scores": class_scores}
    for wh, objectness, class_scores in itertools.product(("sqrt", "log"), ("bce", "iou"), ("sigmoid", "softmax"))
]
WEIGHTS = {"coord_weight": 5.0, "noobject_weight": 0.5, "ignore_iou": 0.5}


@functools.partial(jax.jit, static_argnames=("grid", "options"))
def compiled(raw, targets, grid, options, weights, label_smoothing):
    """The terms stacked to (3, B), and the gradient of their sum with respect to the raw heads."""

    def total(raw):
        stacked = jnp.stack(paper_loss(raw, targets, grid, label_smoothing=label_smoothing, **dict(options), **weights))
        return stacked.sum(), stacked

    (_, terms), gradient = jax.value_and_grad(total, has_aux=True)(raw)
    return terms, gradient


def terms_and_gradient(raw, targets, grid, options=None, label_smoothing=0.01, **weights):
    return compiled(raw, targets, grid, tuple(sorted((options or {}).items())), WEIGHTS | weights, label_smoothing)


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o.values()))
def test_terms_equal_a_loop_over_slots(options, x64):
    for seed, weights, label_smoothing in (
        (0, {}, 0.01),
        (1, {"coord_weight": 1.0, "noobject_weight": 2.0, "ignore_iou": 0.3}, 0.3),
    ):
        weights = WEIGHTS | weights
        raw, pictures, targets = random_case(seed, GRID, counts=(0, 3, 8))
        with jax.enable_x64(x64):
            heads = tuple(head.astype(np.float64 if x64 else np.float32) for head in raw)
            terms, gradient = terms_and_gradient(heads, targets, GRID, options, label_smoothing, **weights)
        assert terms.dtype == gradient[0].dtype == heads[0].dtype
        for b, picture in enumerate(pictures):
            labels, scale_boxes = dense_of(picture, GRID, label_smoothing)
            head = [h[b].astype(np.float64) for h in raw]
            margin = oracle.ignore_margin(head, scale_boxes, GRID.strides, GRID.anchors, weights["ignore_iou"])
            assert margin > 1e-5
            place = (GRID.size, GRID.strides, GRID.anchors)
            expected = oracle.paper_terms(head, labels, scale_boxes, *place, **options, **weights)
            np.testing.assert_allclose(terms[:, b], expected, rtol=1e-9 if x64 else 2e-5)


def test_an_assignment_with_any_number_of_slots():
    rng = np.random.default_rng(11)
    pictures = [own_targets(rng, GRID, count, NUM_CLASSES) for count in (0, 4, 5)]
    raw = random_case(0, GRID, counts=(0, 0, 0))[0]
    terms, _ = terms_and_gradient(raw, stack([targets for targets, _, _ in pictures]), GRID, OPTIONS[0])
    for b, (_, labels, scale_boxes) in enumerate(pictures):
        head = [h[b].astype(np.float64) for h in raw]
        place = (GRID.size, GRID.strides, GRID.anchors)
        expected = oracle.paper_terms(head, labels, scale_boxes, *place, **OPTIONS[0], **WEIGHTS)
        np.testing.assert_allclose(terms[:, b], expected, rtol=2e-5)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[-1]], ids=lambda o: "-".join(o.values()))
def test_gradient_matches_finite_differences(options):
    raw, pictures, targets = random_case(5, SMALL, counts=(4,))
    labels, scale_boxes = dense_of(pictures[0], SMALL)
    place = (SMALL.size, SMALL.strides, SMALL.anchors)
    with jax.enable_x64(True):
        _, gradient = terms_and_gradient(tuple(h.astype(np.float64) for h in raw), targets, SMALL, options)
        gradient = [np.asarray(g[0]) for g in gradient]
    reference = [h[0].astype(np.float64) for h in raw]
    # The ignore test is a step: no difference may reach over it.
    assert oracle.ignore_margin(reference, scale_boxes, SMALL.strides, SMALL.anchors, 0.5) > 1e-3

    def total(heads):
        return sum(oracle.paper_terms(heads, labels, scale_boxes, *place, **options, **WEIGHTS, reference=reference))

    for actual, expected in zip(gradient, oracle.slopes(total, reference), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    assert sum(np.count_nonzero(g[..., :4]) for g in gradient) > 0


# What PyTorch programs weigh these terms by, with boxes as paper_loss adds them: four means, or four quarters of one mean.
LISTINGS = {
    "mse_bce": (
        {"wh": "log", "objectness": "bce", "class_scores": "sigmoid"},
        {"coord_weight": 1.0, "noobject_weight": 100.0},
        functools.partial(oracle.mse_bce_listing, noobject_scale=100.0),
    ),
    "mse_iou": (
        {"wh": "log", "objectness": "iou", "class_scores": "softmax"},
        {"coord_weight": 10 / 4, "noobject_weight": 10.0},
        functools.partial(oracle.mse_iou_listing, box_scale=10.0, noobject_scale=10.0),
    ),
}


def labels_by_scale(pictures, grid):
    """(labels, scale_boxes) as the listings take them: over scales, then pictures; the labels without smoothing."""
    each = [dense_of(picture, grid, 0.0) for picture in pictures]
    return ([[parts[i][scale] for parts in each] for scale in range(grid.num_scales)] for i in range(2))


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize(("seed", "counts"), [(0, (0, 3, 8)), (1, (1,)), (2, (5, 0, 0, 2))])
def test_means_are_those_of_the_listings_in_pytorch(listing, seed, counts):
    options, weights, literal = LISTINGS[listing]
    raw, pictures, targets = random_case(seed, GRID, counts)
    with jax.enable_x64(True):
        heads = tuple(head.astype(np.float64) for head in raw)
        terms, _ = terms_and_gradient(heads, targets, GRID, options | {"reduction": "mean"}, 0.0, **weights)
    box, objectness, classification = np.asarray(terms).mean(1)
    expected = literal(heads, *labels_by_scale(pictures, GRID), GRID.strides, GRID.anchors, ignore_iou=0.5)
    boxes = [expected[name] for name in ("x", "y", "w", "h", "box") if name in expected]
    np.testing.assert_allclose(box, sum(boxes), rtol=1e-9)
    np.testing.assert_allclose(objectness, expected["object"] + expected["background"], rtol=1e-9)
    np.testing.assert_allclose(classification, expected["classes"], rtol=1e-9)
    assert min(expected.values()) > 0


@pytest.mark.parametrize("listing", LISTINGS)
def test_the_gradient_of_means_matches_finite_differences(listing):
    options, weights, literal = LISTINGS[listing]
    raw, pictures, targets = random_case(5, SMALL, counts=(4, 0, 1))
    heads = tuple(head.astype(np.float64) for head in raw)
    with jax.enable_x64(True):
        _, gradient = terms_and_gradient(heads, targets, SMALL, options | {"reduction": "mean"}, 0.0, **weights)
    by_scale = tuple(labels_by_scale(pictures, SMALL))
    fixed = {"reference": heads} if listing == "mse_iou" else {}

    def total(heads):
        return sum(literal(heads, *by_scale, SMALL.strides, SMALL.anchors, ignore_iou=0.5, **fixed).values())

    rng = np.random.default_rng(0)
    for _ in range(6):
        way = [rng.normal(size=head.shape) for head in heads]
        ends = [total(tuple(head + step * w for head, w in zip(heads, way, strict=True))) for step in (1e-6, -1e-6)]
        # The gradient is that of the sum of the pictures' terms, the loss their mean.
        slope = sum((np.asarray(g) * w).sum() for g, w in zip(gradient, way, strict=True)) / len(pictures)
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[-1]], ids=lambda o: "-".join(o.values()))
def test_means_over_nothing_are_nothing(options):
    options = options | {"reduction": "mean"}
    raw, _, targets = random_case(8, SMALL, counts=(0, 0))
    terms, gradient = terms_and_gradient(raw, targets, SMALL, options)
    np.testing.assert_array_equal(terms[::2], 0)
    assert np.all(np.asarray(terms[1]) > 0) and all(np.isfinite(g).all() for g in gradient)
    # Neither objects nor background: every slot is ignored.
    terms, gradient = terms_and_gradient(raw, targets, SMALL, options, ignore_iou=0.0)
    np.testing.assert_array_equal(terms, 0)
    assert not any(np.any(g) for g in gradient)


@pytest.mark.parametrize("class_scores", ["sigmoid", "softmax"])
def test_the_weights_of_the_classes_are_factors_on_the_classification(class_scores):
    weights = (0.5, 3.0, 1.25)
    options = {"wh": "sqrt", "objectness": "bce", "class_scores": class_scores}
    raw, pictures, targets = random_case(4, GRID, counts=(0, 3, 8))
    with jax.enable_x64(True):
        heads = tuple(head.astype(np.float64) for head in raw)
        terms, _ = terms_and_gradient(heads, targets, GRID, options, class_weights=np.array(weights))
        ones, twos = (
            terms_and_gradient(heads, targets, GRID, options | {"reduction": "mean"}, class_weights=np.full(3, factor))[0]
            for factor in (1.0, 2.0)
        )
    for b, picture in enumerate(pictures):
        labels, scale_boxes = dense_of(picture, GRID)
        place = (GRID.size, GRID.strides, GRID.anchors)
        head = [h[b] for h in heads]
        expected = oracle.paper_terms(head, labels, scale_boxes, *place, **options, **WEIGHTS, class_weights=weights)
        np.testing.assert_allclose(terms[:, b], expected, rtol=1e-9)
    # A mean divides by the number of slots, not by their weights.
    np.testing.assert_allclose(np.asarray(twos)[2], 2 * np.asarray(ones)[2], rtol=1e-12)


@pytest.mark.skipif(jax.device_count() < 4, reason="needs four devices")
def test_means_are_those_of_all_devices():
    raw, _, targets = random_case(9, SMALL, counts=(0, 3, 8, 1, 0, 0, 2, 5))
    loss = functools.partial(paper_loss, grid=SMALL, wh="log", noobject_weight=100.0, reduction="mean")

    expected, apart = assert_means_are_those_of_all_devices(loss, raw, targets, atol=1e-7)
    assert abs(apart.mean() / expected.mean() - 1) > 1e-3


def one_slot(raw_slot, box=(18.0, 9.0, 46.0, 57.0), **options):
    """Terms of a 64 x 64 picture with one cell, one anchor (20, 40) and one box of class 1 of 3."""
    grid = type(SMALL)((64, 64), (64,), (((20, 40),),))
    targets = stack([assign(np.array([box]), np.array([1]), grid, rule="best", max_boxes=2)])
    raw = (np.asarray(raw_slot, np.float32).reshape(1, 1, 1, 1, 8),)
    loss = jax.jit(functools.partial(paper_loss, grid=grid, label_smoothing=0.0, **options))
    return [float(term[0]) for term in loss(raw, targets)]


def test_by_hand():
    # The prediction: centre (32, 32), the anchor's size. The truth: centre (32, 33), 28 x 48.
    slot = [0, 0, 0, 0, np.log(3), 0, np.log(2), 0]
    xy = (1 / 64) ** 2
    roots = ((20 / 64) ** 0.5 - (28 / 64) ** 0.5) ** 2 + ((40 / 64) ** 0.5 - (48 / 64) ** 0.5) ** 2
    box, objectness, classification = one_slot(slot)
    assert box == pytest.approx(5 * (xy + roots), rel=1e-5)
    assert objectness == pytest.approx(-np.log(3 / 4), rel=1e-5)
    assert classification == pytest.approx(np.log(3 / 2) + 2 * np.log(2), rel=1e-5)

    box, objectness, classification = one_slot(slot, wh="log", objectness="iou", class_scores="softmax", coord_weight=2)
    assert box == pytest.approx(2 * (xy + np.log(28 / 20) ** 2 + np.log(48 / 40) ** 2), rel=1e-5)
    assert objectness == pytest.approx((3 / 4 - 20 * 40 / (28 * 48)) ** 2, rel=1e-4)
    assert classification == pytest.approx(-np.log(2 / 4), rel=1e-5)


@pytest.mark.parametrize("wh", ["sqrt", "log"])
def test_a_perfect_prediction_costs_nothing(wh):
    slot = [0, np.log(33 / 31), np.log(28 / 20), np.log(48 / 40), 30, -30, 30, -30]
    for options in ({"objectness": "bce"}, {"objectness": "iou", "class_scores": "softmax"}):
        np.testing.assert_allclose(one_slot(slot, wh=wh, **options), 0, atol=1e-6)


def test_background_is_weighted_and_ignored_predictions_are_free():
    raw, _, targets = random_case(6, GRID, counts=(0, 0, 5))
    half, whole = (terms_and_gradient(raw, targets, GRID, noobject_weight=w)[0] for w in (0.5, 1.0))
    np.testing.assert_allclose(whole[1, :2], 2 * half[1, :2], rtol=1e-6)
    np.testing.assert_array_equal(half[jnp.array([0, 2])][:, :2], 0)
    rising = np.array([terms_and_gradient(raw, targets, GRID, ignore_iou=t)[0][1] for t in (0.1, 0.3, 0.5, 0.7)])
    assert np.all(rising[:, :2] == rising[0, :2])  # no boxes, nothing to ignore
    assert np.all(np.diff(rising[:, 2]) > 0)


def test_the_iou_is_a_constant_in_the_gradient():
    raw, _, targets = random_case(7, GRID, counts=(4, 1, 4))
    _, gradient = terms_and_gradient(raw, targets, GRID, {"objectness": "iou"}, coord_weight=0.0)
    for g in gradient:
        np.testing.assert_array_equal(g[..., :4], 0)
    assert any(np.any(g[..., 4] != 0) for g in gradient)


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[-1]], ids=lambda o: "-".join(o.values()))
def test_extreme_heads_and_degenerate_boxes_stay_finite(options, x64):
    rng = np.random.default_rng(11)
    targets = stack(
        [
            assign(np.array(DEGENERATE), np.arange(8) % NUM_CLASSES, GRID, max_boxes=8),
            assign(np.array(DEGENERATE[:2]), np.array([0, 1]), GRID, max_boxes=8),
            assign(np.zeros((0, 4)), np.zeros(0, int), GRID, max_boxes=8),
        ]
    )
    extremes = [0.0, 50.0, -50.0, 1e4, -1e4]
    with jax.enable_x64(x64):
        for trial in range(len(extremes) + 20):
            # First every number the same, then any mixture.
            among = [extremes[trial]] if trial < len(extremes) else extremes
            raw = tuple(
                rng.choice(among, (3, h, w, 3, 5 + NUM_CLASSES)).astype(np.float64 if x64 else np.float32)
                for h, w in GRID.shapes
            )
            terms, gradient = terms_and_gradient(raw, targets, GRID, options)
            assert np.isfinite(terms).all() and np.all(np.asarray(terms) >= 0)
            assert all(np.isfinite(g).all() for g in gradient)


@settings(deadline=None, max_examples=25)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-100, 200, width=32)] * 4), max_size=4),
    seed=st.integers(0, 1000),
    spread=st.sampled_from([0.1, 3.0, 100.0, 1e4]),
    options=st.sampled_from([OPTIONS[0], OPTIONS[-1]]),
)
def test_any_boxes_and_heads_give_finite_terms_that_are_not_negative(boxes, seed, spread, options):
    corners = np.array(boxes).reshape(-1, 2, 2)
    corners = np.concatenate([corners.min(1), corners.max(1)], 1)
    targets = stack([assign(corners, np.arange(len(corners)) % NUM_CLASSES, SMALL, max_boxes=4)])
    rng = np.random.default_rng(seed)
    shape = (SMALL.anchors_per_scale, 5 + NUM_CLASSES)
    raw = tuple((spread * rng.standard_normal((1, h, w, *shape))).astype(np.float32) for h, w in SMALL.shapes)
    terms, gradient = terms_and_gradient(raw, targets, SMALL, options)
    assert np.isfinite(terms).all() and np.all(np.asarray(terms) >= 0)
    assert all(np.isfinite(g).all() for g in gradient)
    positive = np.zeros(SMALL.num_slots + 1, bool)
    positive[targets.slots.ravel()] = True
    moved = np.concatenate([np.reshape(g, (-1, 5 + NUM_CLASSES)) for g in gradient])
    assert not moved[~positive[:-1]][:, [0, 1, 2, 3, 5, 6, 7]].any()  # only slots responsible for a box learn box and class


def test_gradient_descent_on_the_heads_finds_the_boxes():
    raw, _, targets = random_case(13, SMALL, counts=(2, 3))
    for options in (OPTIONS[0], OPTIONS[-1]):
        heads, first = raw, None
        for _ in range(200):
            terms, gradient = terms_and_gradient(heads, targets, SMALL, options, label_smoothing=0.0)
            first = terms if first is None else first
            heads = jax.tree.map(lambda h, g: h - 0.1 * g, heads, gradient)
        assert np.all(np.sum(terms, axis=0) < 0.25 * np.sum(first, axis=0)), options


def test_build_loss_passes_every_option():
    raw, _, targets = random_case(3, SMALL, counts=(4,))
    for config, expected in (
        (LossConfig(), yolo_loss),
        (LossConfig(box="ciou", ignore_iou=0.3, label_smoothing=0.2, class_weights=(1.0, 2.0, 3.0)), functools.partial(
            yolo_loss, box="ciou", ignore_iou=0.3, label_smoothing=0.2, class_weights=(1.0, 2.0, 3.0))),
        (LossConfig(name="paper"), paper_loss),
        (LossConfig("paper", coord_weight=2.0, noobject_weight=0.7, wh="log", objectness="iou", class_scores="softmax",
                    reduction="mean", ignore_iou=0.3, label_smoothing=0.2, class_weights=(1.0, 2.0, 3.0)), functools.partial(
            paper_loss, coord_weight=2.0, noobject_weight=0.7, wh="log", objectness="iou", class_scores="softmax",
            reduction="mean", ignore_iou=0.3, label_smoothing=0.2, class_weights=(1.0, 2.0, 3.0))),
    ):  # fmt: skip
        ours, theirs = (jax.jit(loss, static_argnums=2)(raw, targets, SMALL) for loss in (build_loss(config), expected))
        np.testing.assert_array_equal(ours, theirs)


def test_what_is_refused():
    raw, _, targets = random_case(12, SMALL, counts=(1,))
    for name in ("wh", "objectness", "class_scores", "reduction"):
        with pytest.raises(ValueError, match=f"unknown {name} 'l1'; expected one of "):
            paper_loss(raw, targets, SMALL, **{name: "l1"})
    with pytest.raises(ValueError, match="do not fit the grid"):
        paper_loss(raw[:1], targets, SMALL)


@pytest.mark.parametrize("wh", ["sqrt", "log"])
def test_sizes_that_are_squares_of_sigmoids(wh):
    # A box of the middle of a cell, w = (2 sigmoid(t))^2 anchor: at the true t the error is 0, beside it that of the formula.
    grid = AnchorGrid((32, 64), (16,), (((20, 12),),), squared_sizes=True)
    box = np.float32([[20 - 8, 8 - 6, 20 + 12, 8 + 10]])
    targets = stack([assign(box, [0], grid)])
    width, height = 20.0, 16.0
    center = np.array([box[0, 0] + width / 2, box[0, 1] + height / 2]) / 16 % 1
    raw = np.zeros((1, 2, 4, 1, 6), np.float32)
    slot = (0, int((box[0, 1] + height / 2) // 16), int((box[0, 0] + width / 2) // 16), 0)
    shares = np.sqrt(np.array([width / 20, height / 12])) / 2
    loss = jax.jit(functools.partial(paper_loss, grid=grid, wh=wh, coord_weight=1.0))
    for off in (0.0, 0.4):
        t = np.log(shares / (1 - shares)) + off
        raw[slot][:4] = [*np.log(center / (1 - center)), *t]
        actual = loss((raw,), targets).box[0]
        sizes = (2 / (1 + np.exp(-t))) ** 2 * [20, 12]
        if wh == "sqrt":
            expected = ((np.sqrt(sizes / [64, 32]) - np.sqrt(np.array([width, height]) / [64, 32])) ** 2).sum()
        else:
            expected = (np.log(sizes / [width, height]) ** 2).sum()
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
        if not off:
            overlap = jax.jit(functools.partial(yolo_loss, grid=grid))((raw,), targets).box[0]
            np.testing.assert_allclose(overlap, 0, atol=1e-5)
