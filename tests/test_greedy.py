import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import nms as oracle
from yolojax.boxes import iou
from yolojax.greedy import best_in_rounds, best_in_turn
from yolojax.runtime.devices import make_mesh

ROWS = 24
WAYS = {"in rounds": best_in_rounds, "in turn": best_in_turn}
JITTED = {name: jax.jit(way, static_argnames=("count", "overlap")) for name, way in WAYS.items()}


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 0.45, 1.0]), st.sampled_from([1, 5, ROWS]))
def test_the_best_are_those_of_the_literal_loop(way, seed, whole, iou_threshold, count):
    rng = np.random.default_rng(seed)
    low, size = rng.uniform(0, 12, (ROWS, 2)), rng.uniform(0, 10, (ROWS, 2))
    if whole:  # boxes that coincide, touch, have no area, or overlap by exactly the threshold
        low, size = np.floor(low), np.floor(size)
    boxes = np.concatenate([low, low + size], 1).astype(np.float32)
    candidate, groups = rng.random(ROWS) < 0.8, rng.integers(0, 2, ROWS)
    for of in (np.zeros(ROWS, int), groups):
        kept = [
            place
            for group in (0, 1)
            for place in np.flatnonzero(candidate & (of == group))[
                oracle.nms(boxes[candidate & (of == group)], np.arange(ROWS, 0, -1)[candidate & (of == group)], iou_threshold)
            ]
        ]
        expected = np.full(count, ROWS)
        expected[: len(kept)] = sorted(kept)[:count]
        found = JITTED[way](boxes, candidate, count, iou_threshold=iou_threshold, groups=of)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("way", WAYS)
def test_without_groups_boxes_and_candidates(way):
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10]], np.float32)
    best = functools.partial(JITTED[way], iou_threshold=0.3)
    # A box that is suppressed suppresses nothing, and one that is no candidate neither.
    np.testing.assert_array_equal(best(boxes, np.ones(3, bool), 3), [0, 2, 3])
    np.testing.assert_array_equal(best(boxes, np.array([False, True, True]), 3), [1, 3, 3])
    np.testing.assert_array_equal(best(boxes, np.zeros(3, bool), 2), [3, 3])


@pytest.mark.parametrize("way", WAYS)
def test_another_overlap(way):
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], np.float32)
    found = JITTED[way](boxes, np.ones(3, bool), 3, iou_threshold=0.5, overlap=opposite)
    np.testing.assert_array_equal(found, [0, 1, 3])


@pytest.mark.parametrize("way", WAYS)
def test_under_shard_map(way):
    rows = jax.sharding.PartitionSpec("data")
    low = np.random.default_rng(0).uniform(0, 12, (8, ROWS, 2))
    boxes, candidate = np.concatenate([low, low + 5], -1).astype(np.float32), np.ones((8, ROWS), bool)
    find = jax.vmap(functools.partial(WAYS[way], count=5, iou_threshold=0.3))
    split = jax.shard_map(find, mesh=make_mesh(), in_specs=rows, out_specs=rows)
    np.testing.assert_array_equal(jax.jit(split)(boxes, candidate), jax.jit(find)(boxes, candidate))


def opposite(a, b):
    return 1 - iou(a, b)


@pytest.mark.parametrize("way", WAYS)
def test_pictures_of_a_batch_take_different_numbers_of_steps(way):
    left = np.arange(0, 60, 6, dtype=np.float32)[:, None]
    chain = np.concatenate([left, 0 * left, left + 10, 0 * left + 10], 1)
    alone = chain + 9 * left * np.float32([1, 0, 1, 0])
    find = jax.vmap(functools.partial(WAYS[way], count=8, iou_threshold=0.2))
    found = jax.jit(find)(np.stack([chain, alone, chain]), np.arange(10)[None] < np.array([[10], [10], [0]]))
    np.testing.assert_array_equal(found, [[0, 2, 4, 6, 8, 10, 10, 10], range(8), [10] * 8])
