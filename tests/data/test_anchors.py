"""Anchors: clusters that are known, fits that a literal loop computes, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.boxes import iou as oracle_iou
from yolojax.data.anchors import anchor_fit, find_anchors, network_boxes
from yolojax.data.annotations import Record
from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS, AnchorGrid

GRID = AnchorGrid((416, 416))
TINY = AnchorGrid((96, 160), (16, 32), TINY_ANCHORS)


def boxes_of(sizes, centre=(200, 200)):
    sizes = np.asarray(sizes, float)
    return np.concatenate([centre - sizes / 2, centre + sizes / 2], axis=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grid", [GRID, TINY])
def test_planted_clusters_are_found(grid, seed):
    rng = np.random.default_rng(seed)
    count = grid.num_scales * grid.anchors_per_scale
    # Neighbours' areas differ by 2.2, so the clusters never mix at +-5 %.
    side = 9 * 2.2 ** (np.arange(count) / 2)
    planted = np.stack([side * 1.3, side / 1.3], axis=1)[:, :: 1 if seed % 2 else -1]
    boxes = boxes_of(np.concatenate([planted * rng.uniform(0.95, 1.05, (count, 2)) for _ in range(31)] + [planted] * 41))
    shuffled = rng.permutation(boxes)
    found = find_anchors(shuffled, grid, seed)
    assert found.size == grid.size and found.strides == grid.strides
    np.testing.assert_allclose(np.reshape(found.anchors, (-1, 2)), planted, atol=0.051)
    assert find_anchors(shuffled, grid, seed) == found


def test_anchors_go_by_area_onto_scales():
    sizes = np.random.default_rng(0).lognormal(3.5, 0.8, (400, 2))
    found = find_anchors(boxes_of(sizes), GRID)
    areas = np.prod(found.anchors, axis=-1)
    assert areas.shape == (3, 3) and (np.diff(areas.reshape(-1)) >= 0).all()
    assert anchor_fit(boxes_of(sizes), found).mean_iou > anchor_fit(boxes_of(sizes), GRID).mean_iou


def test_seeds_give_different_starts():
    boxes = boxes_of(np.random.default_rng(0).uniform(5, 200, (300, 2)))
    assert len({find_anchors(boxes, GRID, seed) for seed in range(4)}) > 1


def test_as_many_sizes_as_anchors_are_the_anchors():
    sizes = [(10 + 7 * i, 12 + 9 * i) for i in range(9)]
    found = find_anchors(boxes_of(sizes), GRID)
    np.testing.assert_allclose(np.reshape(found.anchors, (-1, 2)), sizes)
    assert anchor_fit(boxes_of(sizes), found).mean_iou == pytest.approx(1)


@pytest.mark.parametrize("count", [0, 1, 8])
def test_too_few_sizes_are_refused(count):
    boxes = boxes_of(np.array([(10 + i, 10) for i in range(count)] * 3).reshape(-1, 2))
    with pytest.raises(InputError, match=f"the boxes have {count} different sizes, too few for 9 anchors"):
        find_anchors(boxes, GRID)


def test_no_boxes_to_measure():
    with pytest.raises(InputError, match="there are no boxes"):
        anchor_fit(np.zeros((0, 4)), GRID)


_SIDE = st.floats(1, 150)
_BOX = st.tuples(st.floats(0, 160), st.floats(0, 96), _SIDE, _SIDE)


@settings(deadline=None, max_examples=40)
@given(st.lists(_BOX, min_size=1, max_size=8), st.sampled_from([0.0, 0.3, 0.6]))
def test_fit_is_that_of_a_literal_loop(cxcywh, threshold):
    best, reached = [], 0
    for x, y, w, h in cxcywh:
        box = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        shapes, at_cells = [], []
        for stride, anchors in zip(TINY.strides, TINY.anchors, strict=True):
            column, row = min(math.floor(x / stride), 160 // stride - 1), min(math.floor(y / stride), 96 // stride - 1)
            for aw, ah in anchors:
                for cx, cy, overlaps in ((x, y, shapes), ((column + 0.5) * stride, (row + 0.5) * stride, at_cells)):
                    overlaps.append(oracle_iou(box, (cx - aw / 2, cy - ah / 2, cx + aw / 2, cy + ah / 2)))
        best.append(max(shapes))
        # Corners go through float64 sums on both sides, which at the very threshold may differ by rounding.
        if min(abs(overlap - threshold) for overlap in at_cells) < 1e-9 and threshold:
            return
        reached += max(at_cells) > threshold
    x, y, w, h = np.array(cxcywh).T
    fit = anchor_fit(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1), TINY, threshold)
    assert fit.mean_iou == pytest.approx(sum(best) / len(best), rel=1e-9)
    assert fit.recall == reached / len(cxcywh)
    if min(abs(overlap - 0.5) for overlap in best) > 1e-9:
        assert fit.close == sum(overlap > 0.5 for overlap in best) / len(best)


@settings(deadline=None, max_examples=20)
@given(st.lists(_BOX, min_size=1, max_size=8), st.floats(1.1, 6))
def test_recall_by_ratio_is_that_of_a_literal_loop(cxcywh, ratio):
    anchors = [anchor for scale in TINY.anchors for anchor in scale]
    worst = [min(max(w / aw, aw / w, h / ah, ah / h) for aw, ah in anchors) for _, _, w, h in cxcywh]
    if min(abs(value - ratio) for value in worst) > 1e-9:
        x, y, w, h = np.array(cxcywh).T
        fit = anchor_fit(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1), TINY, ratio=ratio)
        assert fit.recall == sum(value < ratio for value in worst) / len(worst)


def test_fit_of_more_boxes_than_a_block():
    few = boxes_of(np.random.default_rng(0).lognormal(3, 1, (1000, 2)), centre=(80, 48))
    assert 0 < anchor_fit(few, TINY).recall < 1
    assert anchor_fit(np.tile(few, (70, 1)), TINY) == pytest.approx(anchor_fit(few, TINY))


def test_network_boxes():
    def record(*boxes):
        return Record("a.png", np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int32), "l:1")

    boxes = network_boxes(
        [record((10, 20, 30, 60), (-50, 10, 40, 20), (199.5, 10, 300, 20)), record(), record((1, 2, 3, 5))],
        [(100, 200), (7, 9), (416, 416)],
        (416, 416),
    )
    # 200 x 100 becomes 416 x 208 under 104 rows of grey; the second box is clipped, the third is half a pixel wide.
    expected = [(20.8, 145.6, 62.4, 228.8), (0, 124.8, 83.2, 145.6), (1, 2, 3, 5)]
    np.testing.assert_allclose(boxes, expected, rtol=1e-6)
    assert boxes.dtype == np.float32
    assert network_boxes([], [], (416, 416)).shape == (0, 4)
    stretched = network_boxes([record((10, 20, 30, 60))], [(100, 200)], (416, 416), stretch=True)
    np.testing.assert_allclose(stretched, [(20.8, 83.2, 62.4, 249.6)], rtol=1e-6)
    assert stretched.dtype == np.float32
