import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.own_slots import own_targets
from tests.oracle import assignment as oracle
from tests.oracle import boxes as oracle_boxes
from yolojax import assignment, targets
from yolojax.grid import AnchorGrid
from yolojax.targets import assign, densify

SQUARE = AnchorGrid((96, 96))
WIDE = AnchorGrid((64, 160))
TINY = AnchorGrid((96, 64), (16, 32), (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319))))
GRIDS = {"square": SQUARE, "wide": WIDE, "tiny": TINY}
NUM_CLASSES = 4


def expected_of(boxes_xyxy, grid, **options):
    """The oracle's assignment on a grid."""
    return oracle.assign(boxes_xyxy, grid.size, grid.strides, grid.anchors, **options)


def check(boxes_xyxy, classes, grid, *, max_boxes=150, **options):
    """Compares Targets with the oracle member by member, then the dense labels, and returns the Targets."""
    targets = assign(boxes_xyxy, classes, grid, max_boxes=max_boxes, **options)
    expected = expected_of(boxes_xyxy, grid, max_boxes=max_boxes, **options)
    count, n = len(expected.kept), grid.num_slots

    assert targets.boxes.shape == (max_boxes, 4)
    assert targets.classes.shape == (max_boxes,)
    cells = 3 if options.get("rule") == "ratio" else 1
    assert targets.slots.shape == (max_boxes, grid.num_scales * grid.anchors_per_scale * cells)
    assert targets.on_scale.shape == (max_boxes, grid.num_scales)
    assert [m.dtype for m in targets] == [np.float32, np.int32, np.int32, bool]

    centred = [oracle_boxes.to_cxcywh(boxes_xyxy[i]) for i in expected.kept]
    np.testing.assert_allclose(targets.boxes[:count], np.reshape(centred, (-1, 4)), rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(targets.classes[:count], np.asarray(classes)[expected.kept])
    np.testing.assert_array_equal(targets.on_scale[:count], expected.on_scale)
    owners = np.concatenate([o.reshape(-1) for o in expected.owners])
    for m in range(count):
        own = targets.slots[m][targets.slots[m] != n]
        assert sorted(own.tolist()) == np.flatnonzero(owners == m).tolist()

    assert not targets.boxes[count:].any()
    assert (targets.classes[count:] == -1).all()
    assert (targets.slots[count:] == n).all()
    assert not targets.on_scale[count:].any()

    labels, scale_boxes = densify(targets, grid, NUM_CLASSES, label_smoothing=0.02)
    dense = oracle.dense(expected, boxes_xyxy, classes, NUM_CLASSES, max_boxes=max_boxes, label_smoothing=0.02)
    for ours, theirs in zip((*labels, *scale_boxes), (*dense[0], *dense[1]), strict=True):
        assert ours.dtype == np.float32
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-5)
    return targets


@st.composite
def pictures(draw, size=(96, 160)):
    """(boxes_xyxy (n, 4), classes (n,)): any, whole-pixel, tiny, huge, on the border, and some of them twice."""
    height, width = size
    boxes = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["any", "whole", "tiny", "huge", "border", "again"]))
        if kind == "again" and boxes:
            boxes.append(draw(st.sampled_from(boxes)))
            continue
        if kind == "whole":
            x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
            w, h = draw(st.integers(1, width - x)), draw(st.integers(1, height - y))
        else:
            x, y = draw(st.floats(0, width - 2, width=32)), draw(st.floats(0, height - 2, width=32))
            w, h = draw(st.floats(1, 150, width=32)), draw(st.floats(1, 150, width=32))
        box = (x, y, x + w, y + h)
        if kind == "tiny":
            box = (x, y, x + w / 1000, y + h / 1000)
        elif kind == "huge":
            box = (x - 10 * w, y - 10 * h, x + 10 * w, y + 10 * h)
        elif kind == "border":
            # The centre falls on the picture's last edge, one cell behind the last one.
            box = (width - w / 2, y, width + w / 2, y + h)
        boxes.append(box)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    classes = draw(st.lists(st.integers(0, NUM_CLASSES - 1), min_size=len(boxes), max_size=len(boxes)))
    return boxes, np.array(classes, np.int32)


@pytest.mark.parametrize("rule", ["threshold", "best", "ratio"])
@pytest.mark.parametrize("name", GRIDS)
@settings(deadline=None, max_examples=20)
@given(pictures())
def test_any_picture_matches_the_oracle(name, rule, picture):
    boxes, classes = picture
    grid = GRIDS[name]
    targets = check(boxes, classes, grid, max_boxes=12, rule=rule)
    owned = targets.slots[targets.slots != grid.num_slots]
    assert len(np.unique(owned)) == len(owned)
    assert owned.size == 0 or (owned.min() >= 0 and owned.max() < grid.num_slots)
    assert targets.on_scale[: len(boxes)].any(1).all()
    if rule == "best":
        assert (targets.on_scale[: len(boxes)].sum(1) == 1).all()


@settings(deadline=None, max_examples=20)
@given(pictures(), st.floats(0.05, 0.95), st.integers(1, 6))
def test_any_threshold_and_any_room(picture, threshold, max_boxes):
    boxes, classes = picture
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    # Which of two equally large boxes is dropped is nobody's business.
    _, distinct = np.unique(np.round(areas, 2), return_index=True)
    distinct = np.sort(distinct)
    check(boxes[distinct], classes[distinct], WIDE, max_boxes=max_boxes, iou_threshold=threshold)


@pytest.mark.parametrize("rule", ["threshold", "ratio"])
@pytest.mark.parametrize("seed", range(5))
def test_crowded_pictures_match_the_oracle(seed, rule):
    rng = np.random.default_rng(seed)
    low, size = rng.uniform(0, [160, 64], (80, 2)), np.exp(rng.uniform(0, 5, (80, 2)))
    boxes = np.concatenate([low, low + size], 1).astype(np.float32)
    check(boxes, rng.integers(0, NUM_CLASSES, 80), WIDE, max_boxes=[150, 80, 50, 7, 1][seed], rule=rule)


@settings(deadline=None, max_examples=20)
@given(pictures(), st.floats(1.05, 12))
def test_any_ratio(picture, ratio):
    check(*picture, WIDE, max_boxes=12, rule="ratio", ratio=ratio)


def columns_of(targets, row, grid):
    """{column of `slots`: (scale, row, column, anchor)} of one box."""
    found = {}
    for column, slot in enumerate(targets.slots[row]):
        if slot < grid.num_slots:
            scale = max(s for s in range(grid.num_scales) if grid.offsets[s] <= slot)
            found[column] = (scale, *np.unravel_index(slot - grid.offsets[scale], (*grid.shapes[scale], 3)))
    return found


@settings(deadline=None, max_examples=20)
@given(pictures())
def test_the_columns_of_rule_ratio_are_scale_anchor_and_cell(picture):
    boxes, classes = picture
    for m in range(len(boxes)):
        own, ratio = [boxes[m]], targets_of_one(boxes[m], classes[m])
        cells = {}
        for scale, row, column, a in oracle.by_ratio(own, WIDE.size, WIDE.strides, WIDE.anchors)[0]:
            seen = [cell for (s, b, _), cell in cells.items() if (s, b) == (scale, a)]
            kind = 0 if not seen else 1 if row == seen[0][1] else 2
            cells[scale, a, kind] = (scale, row, column, a)
        assert columns_of(ratio, 0, WIDE) == {(s * 3 + a) * 3 + kind: cell for (s, a, kind), cell in cells.items()}


def targets_of_one(box, label):
    return assign([box], [label], WIDE, max_boxes=1, rule="ratio")


# Stride 16 and an anchor (30, 61): the box (x, y, 30, 61) fits other anchors as well, of the same cells on other scales.
@pytest.mark.parametrize(
    ("centre", "cells"),
    [
        ((24.0, 40.0), {(2, 1), (2, 2), (3, 1)}),  # in the very middle: right and down
        ((23.9, 39.9), {(2, 1), (2, 0), (1, 1)}),  # left and up
        ((23.9, 40.1), {(2, 1), (2, 0), (3, 1)}),
        ((16.0, 32.0), {(2, 1), (2, 0), (1, 1)}),  # on the corner of its cell
        ((7.0, 7.0), {(0, 0)}),  # in the corner of the grid: no neighbour is nearer
        ((95.0, 95.0), {(5, 5)}),
        ((89.0, 7.0), {(0, 5)}),
        ((89.0, 9.0), {(0, 5), (1, 5)}),
    ],
)
def test_the_nearer_neighbours(centre, cells):
    boxes = np.array([[centre[0] - 15, centre[1] - 30.5, centre[0] + 15, centre[1] + 30.5]])
    targets = check(boxes, np.array([1]), SQUARE, rule="ratio")
    of_anchor = {(row, column) for s, row, column, a in columns_of(targets, 0, SQUARE).values() if (s, a) == (1, 0)}
    assert of_anchor == cells


def test_a_ratio_must_stay_under_the_factor():
    # Anchors of 10 pixels: sides of 40 and of 2.5 differ by exactly the factor 4, and are left to the best shape, alone.
    grid = AnchorGrid((96, 96), (16,), (((10, 10), (200, 300)),))
    for width, count in ((39.5, 3), (40.0, 1), (2.5, 1), (2.6, 3)):
        targets = check(np.array([[26 - width / 2, 21, 26 + width / 2, 31]]), np.array([0]), grid, rule="ratio")
        assert (targets.slots[0] < grid.num_slots).sum() == count
    wider = check(np.array([[6, 21, 46, 31]]), np.array([0]), grid, rule="ratio", ratio=4.1)
    assert (wider.slots[0] < grid.num_slots).sum() == 3


def test_neighbours_are_taken_by_the_later_box():
    # Two boxes of one shape, side by side: the first box's right neighbour is the second's own cell.
    boxes = np.array([[9, 9.5, 39, 70.5], [21, 9.5, 51, 70.5]])
    targets = check(boxes, np.array([0, 1]), SQUARE, rule="ratio")
    both = [set(targets.slots[m][targets.slots[m] < SQUARE.num_slots].tolist()) for m in (0, 1)]
    assert not both[0] & both[1]
    alone = check(boxes[:1], np.array([0]), SQUARE, rule="ratio")
    assert both[0] < set(alone.slots[0].tolist())
    assert both[1] == {s for s in check(boxes[1:], [1], SQUARE, rule="ratio").slots[0].tolist() if s < SQUARE.num_slots}


@pytest.mark.parametrize("name", ["seed_96_c3", "seed_160_c20"])
def test_golden_labels(golden, name):
    with np.load(golden / f"{name}.npz") as data:
        size = int(data["size"])
        grid = AnchorGrid((size, size), data["strides"].tolist(), data["anchors"].tolist())
        for b in range(int(data["batch"])):
            targets = assign(data[f"boxes_{b}"], data[f"classes_{b}"], grid)
            labels, scale_boxes = densify(targets, grid, int(data["num_classes"]))
            for i in range(grid.num_scales):
                np.testing.assert_allclose(labels[i], data[f"label_{b}_{i}"], rtol=1e-6, atol=1e-5)
                np.testing.assert_allclose(scale_boxes[i], data[f"scale_boxes_{b}_{i}"], rtol=1e-6, atol=1e-5)


def test_a_box_of_one_anchors_shape():
    # Exactly the anchor (30, 61) at the centre (24, 40) of the cell (row 2, column 1) of stride 16.
    targets = check(np.array([[9, 9.5, 39, 70.5]]), np.array([2]), SQUARE)
    expected_slot = 12 * 12 * 3 + (2 * 6 + 1) * 3 + 0
    assert expected_slot in targets.slots[0]
    np.testing.assert_allclose(targets.boxes[0], [24, 40, 30, 61])
    best = check(np.array([[9, 9.5, 39, 70.5]]), np.array([2]), SQUARE, rule="best")
    assert best.slots[0][best.slots[0] != SQUARE.num_slots].tolist() == [expected_slot]
    assert best.on_scale[0].tolist() == [False, True, False]


def test_the_overlap_must_exceed_the_threshold():
    # A box (8, 8) at a cell's centre against anchors (8, 16) and (8, 4): both overlap it by exactly one half.
    grid = AnchorGrid((32, 32), (32,), (((8, 16), (8, 4)),))
    box = np.array([[12, 12, 20, 20]])
    assert (check(box, np.array([0]), grid, iou_threshold=0.49).slots[0] < 2).sum() == 2
    at_the_threshold = check(box, np.array([0]), grid, iou_threshold=0.5)
    assert at_the_threshold.slots[0][at_the_threshold.slots[0] < 2].tolist() == [0]  # the first of two equals


def test_no_boxes():
    targets = check(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), SQUARE, max_boxes=5)
    assert (targets.classes == -1).all()


def test_the_later_of_two_boxes_on_a_slot_wins():
    box = [20.0, 20.0, 60.0, 60.0]
    targets = check(np.array([box, box]), np.array([1, 3]), SQUARE, max_boxes=4)
    assert (targets.slots[0] == SQUARE.num_slots).all()
    assert (targets.slots[1] < SQUARE.num_slots).any()
    np.testing.assert_array_equal(targets.on_scale[0], targets.on_scale[1])
    assert targets.on_scale[0].any()


def test_the_loser_keeps_its_other_slots():
    # Centres (66, 72) and (77, 72): two cells of stride 8, one cell of stride 16.
    boxes = np.array([[43.5, 47, 88.5, 97], [54.5, 47, 99.5, 97]])
    grid = AnchorGrid((128, 128))
    alone = assign(boxes[:1], np.array([0]), grid).slots[0]
    targets = check(boxes, np.array([0, 1]), grid)
    first_of_stride_16 = 3 * 16 * 16
    assert (alone < first_of_stride_16).any()
    assert ((alone >= first_of_stride_16) & (alone < grid.num_slots)).any()
    left = targets.slots[0][targets.slots[0] < grid.num_slots]
    assert left.tolist() == alone[alone < first_of_stride_16].tolist()
    np.testing.assert_array_equal(targets.on_scale[0], [True, True, False])


@pytest.mark.parametrize("centre", [(96, 96), (96, 10), (10, 96), (0, 0), (120, -30)])
@pytest.mark.parametrize("rule", ["threshold", "best"])
def test_cells_stay_in_the_grid(centre, rule):
    x, y = centre
    for half in (2, 15, 60):
        targets = check(np.array([[x - half, y - half, x + half, y + half]]), np.array([0]), SQUARE, rule=rule)
        assert (targets.slots[0] < SQUARE.num_slots).any()


@pytest.mark.parametrize("rule", ["threshold", "best"])
def test_a_box_without_area_still_gets_an_anchor(rule):
    for box in ([5, 5, 5, 5], [5, 5, 5, 30], [0, 0, 0, 0]):
        targets = check(np.array([box], float), np.array([0]), SQUARE, rule=rule)
        assert (targets.slots[0] < SQUARE.num_slots).sum() == 1


def test_the_largest_boxes_stay_in_their_order():
    sizes = [10, 40, 5, 30, 20]
    boxes = np.array([[10, 10, 10 + s, 10 + s] for s in sizes], float)
    targets = check(boxes, np.array([0, 1, 2, 3, 1]), SQUARE, max_boxes=3)
    np.testing.assert_array_equal(targets.boxes[:, 2], [40, 30, 20])
    np.testing.assert_array_equal(targets.classes, [1, 3, 1])


def test_padding_does_not_change_what_is_there():
    rng = np.random.default_rng(9)
    low = rng.uniform(0, 60, (6, 2))
    boxes = np.concatenate([low, low + rng.uniform(3, 30, (6, 2))], 1)
    exact, padded = (assign(boxes, np.arange(6) % 4, SQUARE, max_boxes=m) for m in (6, 40))
    for a, b in zip(exact, padded, strict=True):
        np.testing.assert_array_equal(a, b[:6])


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_dense_labels_of_an_assignment_with_any_number_of_slots(grid):
    own, labels, scale_boxes = own_targets(np.random.default_rng(0), grid, 5, NUM_CLASSES)
    assert (own.slots < grid.num_slots).sum(1).max() > grid.num_scales * grid.anchors_per_scale
    ours = densify(own, grid, NUM_CLASSES)
    for a, b in zip((*ours[0], *ours[1]), (*labels, *scale_boxes), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(
    ("boxes", "classes", "options"),
    [
        ([[0, 0, np.nan, 5]], [0], {}),
        ([[0, 0, np.inf, 5]], [0], {}),
        ([[0, 0, 5]], [0], {}),
        ([0, 0, 5, 5], [0], {}),
        ([[0, 0, 5, 5]], [0, 1], {}),
        ([[0, 0, 5, 5]], [[0]], {}),
        ([[0, 0, 5, 5]], [-1], {}),
        ([[0, 0, 5, 5]], [0], {"rule": "nearest"}),
    ],
)
def test_input_that_is_refused(boxes, classes, options):
    with pytest.raises(ValueError, match=r"\S"):
        assign(np.array(boxes, float), np.array(classes), SQUARE, **options)


def test_the_twin_of_assign_is_there_on_demand():
    assert targets.assign_on_device is assignment.assign_on_device
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        targets.nonsense  # noqa: B018
