"""Boxes at the edges of a picture."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.example import clip_boxes


@settings(deadline=None, max_examples=60)
@given(
    boxes=st.lists(st.tuples(*[st.floats(-20, 60, width=32)] * 4), max_size=6),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    minimum=st.sampled_from([1.0, 3.0]),
)
def test_clip_boxes(boxes, height, width, minimum):
    expected = []
    for index, box in enumerate(np.array(boxes, np.float32).reshape(-1, 4).tolist()):
        x1, x2 = (min(max(x, 0), width) for x in box[::2])
        y1, y2 = (min(max(y, 0), height) for y in box[1::2])
        if np.float32(x2) - np.float32(x1) >= minimum and np.float32(y2) - np.float32(y1) >= minimum:
            expected.append((index, x1, y1, x2, y2))
    array = np.array(boxes, np.float32).reshape(-1, 4)
    kept, classes, dropped = clip_boxes(array, np.arange(len(array), dtype=np.int32), height, width, minimum)
    np.testing.assert_array_equal(classes, [row[0] for row in expected])
    np.testing.assert_array_equal(kept, np.array([row[1:] for row in expected], np.float32).reshape(-1, 4))
    assert kept.dtype == np.float32 and classes.dtype == np.int32
    assert dropped == len(array) - len(expected)
