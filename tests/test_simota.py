"""SimOTA against a loop over slots and boxes: matches, terms and gradient, and what stays finite."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracle import simota as oracle
from yolojax.boxes import xyxy_to_cxcywh
from yolojax.grid import AnchorGrid
from yolojax.simota import simota, simota_loss
from yolojax.targets import Targets, assign

GRID = AnchorGrid((64, 96), (16, 32), (((12, 10), (20, 30)), ((30, 25), (50, 60))))
NUM_CLASSES, ROOM = 3, 12


@functools.partial(jax.jit, static_argnames=("candidates",))
def matches_of(raw, targets, candidates=10, **options):
    return simota(raw, targets, GRID, candidates=candidates, **options)


@jax.jit
def terms_and_gradient(raw, targets):
    """The terms stacked to (3, B), and the gradient of their sum with respect to the raw heads."""

    def total(raw):
        terms = jnp.stack(simota_loss(raw, targets, GRID))
        return terms.sum(), terms

    (_, terms), gradient = jax.value_and_grad(total, has_aux=True)(raw)
    return terms, gradient


def make_raw(rng, pictures, spread=1.0):
    shape = (GRID.anchors_per_scale, 5 + NUM_CLASSES)
    return tuple(rng.normal(0, spread, (pictures, h, w, *shape)).astype(np.float32) for h, w in GRID.shapes)


def make_boxes(rng, kind):
    """(n, 4) float32 xyxy."""
    if kind == "none":
        return np.zeros((0, 4), np.float32)
    count = {"one": 1, "few": 4, "crowd": ROOM, "tiny": 5, "outside": 3}[kind]
    size = np.exp(rng.normal(np.log(25), 0.5, (count, 2)))
    if kind == "tiny":
        size /= 12  # smaller than a cell: no cell's centre lies inside most of them
    centre = rng.uniform([30, 20], [60, 40], (count, 2)) if kind == "crowd" else rng.uniform(0, [96, 64], (count, 2))
    if kind == "outside":
        centre[0] = 300, 300  # far from any cell, so that it has no slot of its own
    return np.concatenate([centre - size / 2, centre + size / 2], 1).astype(np.float32)


def make_case(seed, kinds):
    """(raw, targets of the pictures, stacked)."""
    rng = np.random.default_rng(seed)
    pictures = [make_boxes(rng, kind) for kind in kinds]
    targets = [assign(boxes, rng.integers(0, NUM_CLASSES, len(boxes)), GRID, max_boxes=ROOM) for boxes in pictures]
    return make_raw(rng, len(kinds)), Targets(*map(np.stack, zip(*targets, strict=True)))


def expected_matches(raw, targets, index, **options):
    """The oracle's matches of one picture, with ROOM for none."""
    count = int((targets.classes[index] >= 0).sum())
    heads = [head[index] for head in raw]
    boxes, classes = targets.boxes[index, :count], targets.classes[index, :count]
    matches = oracle.match(heads, boxes, classes, GRID.strides, GRID.anchors, **options)
    return np.where(matches == count, ROOM, matches)


KINDS = ["none", "one", "few", "crowd", "tiny", "outside", "crowd", "few"]


@pytest.mark.parametrize(
    ("seed", "options"),
    [(0, {}), (1, {}), (2, {}), (3, {}), (4, {"centre_radius": 1.5, "candidates": 4, "iou_weight": 1.0})],
)
def test_matches_equal_a_loop_over_slots_and_boxes(seed, options):
    raw, targets = make_case(seed, KINDS)
    matches = np.asarray(matches_of(raw, targets, **options))
    assert matches.shape == (len(KINDS), GRID.num_slots)
    assert matches.dtype == np.int32
    for index in range(len(KINDS)):
        np.testing.assert_array_equal(matches[index], expected_matches(raw, targets, index, **options), str(index))


def test_good_predictions_get_more_slots():
    # Every slot predicts the box as well as it can: all IoUs are near 1, so that the box takes as many slots as there are IoUs.
    box = np.array([[20, 12, 60, 52]], np.float32)
    targets = Targets(*(x[None] for x in assign(box, [1], GRID, max_boxes=ROOM)))
    raw = make_raw(np.random.default_rng(0), 1, spread=0.0)
    centre_x, centre_y, width, height = xyxy_to_cxcywh(box)[0]
    for head, stride, anchors in zip(raw, GRID.strides, GRID.anchors, strict=True):
        for row, column, a in np.ndindex(head.shape[1:4]):
            place = np.array([centre_x / stride - column, centre_y / stride - row])
            place = np.clip(place, 1e-3, 1 - 1e-3)
            head[0, row, column, a, :2] = np.log(place / (1 - place))
            head[0, row, column, a, 2:4] = np.log(np.array([width, height]) / anchors[a])
    counts = [int((np.asarray(matches_of(raw, targets, candidates=c)) == 0).sum()) for c in (1, 4, 10)]
    assert counts[0] == 1
    assert counts[0] < counts[1] < counts[2] <= 10
    np.testing.assert_array_equal(matches_of(raw, targets)[0], expected_matches(raw, targets, 0))


def test_assigned_slots_do_not_matter():
    raw, targets = make_case(5, ["crowd", "few"])
    other = targets._replace(slots=np.zeros((2, ROOM, 1), np.int32), on_scale=np.zeros((2, ROOM, 2), bool))
    np.testing.assert_array_equal(matches_of(raw, targets), matches_of(raw, other))
    np.testing.assert_array_equal(terms_and_gradient(raw, targets)[0], terms_and_gradient(raw, other)[0])


def test_padding_and_the_other_pictures_do_not_change_the_matches():
    raw, targets = make_case(6, ["few", "crowd"])
    alone = Targets(*(x[:1, :4] for x in targets))
    matches = np.asarray(matches_of(raw, targets))[:1]
    padded = np.where(matches == ROOM, 4, matches)
    np.testing.assert_array_equal(matches_of([head[:1] for head in raw], alone), padded)


@pytest.mark.parametrize("seed", [0, 1])
def test_terms_equal_a_loop_over_slots(seed):
    raw, targets = make_case(seed, KINDS)
    terms, _ = terms_and_gradient(raw, targets)
    for index in range(len(KINDS)):
        boxes, classes = targets.boxes[index], targets.classes[index]
        heads = [head[index] for head in raw]
        matches = expected_matches(raw, targets, index)
        expected = oracle.terms(heads, boxes, classes, GRID.strides, GRID.anchors, matches)
        np.testing.assert_allclose(terms[:, index], expected, rtol=2e-5)


def test_gradient_matches_finite_differences_with_the_matches_held():
    raw, targets = make_case(7, ["few"])
    with jax.enable_x64(True):
        raw = tuple(head.astype(np.float64) for head in raw)
        _, gradient = terms_and_gradient(raw, targets)
    matches = expected_matches(raw, targets, 0)

    def total(heads):
        heads = [head[0] for head in heads]
        fixed = [head[0] for head in raw]
        boxes, classes = targets.boxes[0], targets.classes[0]
        return sum(oracle.terms(heads, boxes, classes, GRID.strides, GRID.anchors, matches, reference=fixed))

    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = [rng.normal(size=head.shape) for head in raw]
        up, down = ([head + sign * 1e-5 * d for head, d in zip(raw, direction, strict=True)] for sign in (1, -1))
        expected = (total(up) - total(down)) / 2e-5
        inner = sum((np.asarray(g) * d).sum() for g, d in zip(gradient, direction, strict=True))
        np.testing.assert_allclose(inner, expected, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 60.0, -60.0, 1e4, -1e4])
def test_extreme_heads_and_degenerate_boxes_stay_finite(value):
    boxes = np.array([[20, 20, 20, 20], [10, 10, 50, 10], [0, 0, 96, 64]], np.float32)
    with_boxes, without = assign(boxes, [0, 1, 2], GRID, max_boxes=ROOM), assign(boxes[:0], [], GRID, max_boxes=ROOM)
    targets = Targets(*map(np.stack, zip(with_boxes, without, strict=True)))
    raw = tuple(np.full_like(head, value) for head in make_raw(np.random.default_rng(0), 2))
    terms, gradient = terms_and_gradient(raw, targets)
    assert np.isfinite(terms).all()
    assert all(np.isfinite(g).all() for g in gradient)
    np.testing.assert_array_equal(terms[::2, 1], 0)
    matches = np.asarray(matches_of(raw, targets))
    assert (matches[1] == ROOM).all()
    assert (matches[0] < 3).any()


def test_under_vmap_over_two_networks():
    raw, targets = make_case(8, ["crowd", "few"])
    both = tuple(np.stack([head, head + 0.5]) for head in raw)
    together, _ = jax.vmap(terms_and_gradient, in_axes=(0, None))(both, targets)
    for network in range(2):
        alone, _ = terms_and_gradient(tuple(head[network] for head in both), targets)
        np.testing.assert_allclose(together[network], alone, rtol=1e-6)


def test_nothing_has_room_for_slots_boxes_and_classes_at_once():
    raw, targets = make_case(9, ["few"])
    largest = max(
        int(np.prod(variable.aval.shape))
        for equation in every_equation(jax.make_jaxpr(lambda raw: terms_and_gradient(raw, targets))(raw).jaxpr)
        for variable in equation.outvars
    )
    assert largest < GRID.num_slots * ROOM * 5  # two corners of each pair are the most


def every_equation(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda p: hasattr(p, "jaxpr") or hasattr(p, "eqns")):
            if hasattr(parameter, "jaxpr"):
                parameter = parameter.jaxpr
            if hasattr(parameter, "eqns"):
                yield from every_equation(parameter)


def test_heads_of_another_grid_are_refused():
    raw, targets = make_case(0, ["one"])
    with pytest.raises(ValueError, match="do not fit the grid"):
        simota_loss(raw[::-1], targets, GRID)
