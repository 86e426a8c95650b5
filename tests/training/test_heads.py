"""Heads for other classes."""

import jax
import numpy as np
import pytest

from yolojax.models import YOLOv3Tiny, initialize
from yolojax.training.heads import adapt_head, is_head, shared_classes


def test_classes_are_shared_by_name_in_either_spelling():
    there = ("person", "aeroplane", "tvmonitor", "sofa")
    assert shared_classes(("airplane", "Person", "tree"), there) == {0: 1, 1: 0}
    assert shared_classes(there, ("couch", "tv", "person")) == {0: 2, 2: 1, 3: 0}
    assert shared_classes(("a",), ()) == {}
    assert shared_classes(("tv", "TV"), ("tvmonitor", "tv")) == {0: 1, 1: 0}  # the same name goes before another spelling


@pytest.mark.parametrize("shape", [(), (1, 1, 7)])
def test_every_output_of_every_anchor_is_the_one_it_should_be(shape):
    before, after, anchors = 4, 6, 3
    trained = np.random.default_rng(0).normal(size=(*shape, anchors * (5 + before))).astype(np.float32)
    shared = {0: 3, 5: 0}
    new = adapt_head(trained, (before, after), shared)
    assert new.shape == (*shape, anchors * (5 + after)) and new.dtype == np.float32
    for anchor in range(anchors):
        for output in range(5 + after):
            got = new[..., anchor * (5 + after) + output]
            source = output if output < 5 else 5 + shared[output - 5] if output - 5 in shared else None
            expected = 0 if source is None else trained[..., anchor * (5 + before) + source]
            np.testing.assert_array_equal(got, np.broadcast_to(expected, got.shape))
    with pytest.raises(ValueError, match="reshape"):
        adapt_head(trained, (before + 1, after), shared)


def test_heads_are_known_by_their_place():
    leaves = jax.tree_util.tree_leaves_with_path(initialize(YOLOv3Tiny(2, width=0.125), 0))
    heads = {path[1].key for path, _ in leaves if is_head(path)}
    assert heads == {"head16", "head32"}
