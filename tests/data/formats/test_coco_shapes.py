"""Boxes around polygons, masks and rotated boxes, against slow programs that follow the definitions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from yolojax.data.formats.coco_shapes import box_around, decode_counts, mask_box
from yolojax.data.formats.shapes import around_rotated

BITMAPS = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda bits: np.array(bits, bool).reshape(size)
    )
)


def runs(bitmap):
    """The runs of a mask, pixel by pixel down the columns."""
    counts, value = [0], False
    for x in range(bitmap.shape[1]):
        for y in range(bitmap.shape[0]):
            if bitmap[y, x] != value:
                counts.append(0)
                value = not value
            counts[-1] += 1
    return counts


def compress(counts):
    """The counts as text: groups of five bits from the lowest, until only the sign is left."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            last = (value == 0 and not bits & 16) or (value == -1 and bits & 16)
            text += chr(48 + bits + (0 if last else 32))
            if last:
                break
    return text


def slow_box(bitmap):
    pixels = [(x, y) for y in range(bitmap.shape[0]) for x in range(bitmap.shape[1]) if bitmap[y, x]]
    if not pixels:
        return None
    xs, ys = zip(*pixels, strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1


@given(BITMAPS)
def test_masks_as_runs_and_as_text(bitmap):
    counts, size = runs(bitmap), list(bitmap.shape)
    for value in (counts, compress(counts)):
        shape = box_around({"size": size, "counts": value})
        assert (shape.corners if shape else None) == slow_box(bitmap)
        assert shape is None or (shape.kind, shape.size) == ("mask", bitmap.shape)
    # The API of COCO writes the same text.
    assert coco_mask.encode(np.asfortranarray(bitmap.astype(np.uint8)))["counts"].decode() == compress(counts)


@given(st.lists(st.integers(0, 2**30), max_size=12))
def test_compressed_counts(counts):
    assert decode_counts(compress(counts)).tolist() == counts


def test_masks_by_hand():
    # 3 high, 4 wide; runs of 4, 2, 6: the pixels 4 and 5 are column 1, rows 1 and 2.
    assert box_around({"size": [3, 4], "counts": [4, 2, 6]}).corners == (1, 1, 2, 3)
    # From row 2 of column 0 to row 0 of column 1: both edges are touched.
    assert box_around({"size": [3, 4], "counts": [2, 2, 8]}).corners == (0, 0, 2, 3)
    assert box_around({"size": [3, 4], "counts": [0, 12]}).corners == (0, 0, 4, 3)
    assert box_around({"size": [3, 4], "counts": [12]}) is None
    # "4" is 4 and "2" is 2; 40 = 8 + 1 * 32 takes two characters: 8 + 32 + 48 = "X", then 1 + 48 = "1".
    assert decode_counts("42X1").tolist() == [4, 2, 40]
    # The fourth is the difference to the second: -1 = 31 (five bits, the sign set) + 48 = "O".
    assert decode_counts("555O").tolist() == [5, 5, 5, 4]
    assert decode_counts("").tolist() == []


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ([4, 2, 5], [3, 4], "do not fill 4 x 3 pixels"),
        ([4, -2, 10], [3, 4], "no counts"),
        ([4, 2.0, 6], [3, 4], "no counts"),
        ([10**400], [3, 4], "no counts"),
        (None, [3, 4], "no counts"),
        ("X", [3, 4], "not a compressed mask"),
        ("4 ", [3, 4], "not a compressed mask"),
        ("4\u00e4\u4e00", [3, 4], "do not fill|not a compressed mask"),
        ("P" * 20 + "0", [3, 4], "not a compressed mask"),
        ("O2", [3, 4], "do not fill"),
        ([12], [3], "no size"),
        ([12], [3, 0], "no size"),
        ([12], ["3", 4], "no size"),
        ([12], None, "no size"),
    ],
)
def test_malformed_masks(counts, size, message):
    with pytest.raises(ValueError, match=message):
        box_around({"size": size, "counts": counts})


@given(st.text(max_size=12), st.integers(1, 9), st.integers(1, 9))
def test_any_text_is_a_box_in_the_picture_or_refused(text, height, width):
    try:
        shape = box_around({"size": [height, width], "counts": text})
    except ValueError:
        return
    if shape:
        x1, y1, x2, y2 = shape.corners
        assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


def test_runs_are_checked():
    with pytest.raises(ValueError, match="do not fill"):
        mask_box(np.array([-1, 5]), 2, 2)


POINTS = st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=3, max_size=8)


@given(st.lists(POINTS, min_size=1, max_size=3))
def test_polygons(polygons):
    xs, ys = zip(*(point for polygon in polygons for point in polygon), strict=True)
    expected = min(xs), min(ys), max(xs), max(ys)
    assert box_around([[side for point in polygon for side in point] for polygon in polygons]).corners == expected
    flat = [side for point in polygons[0] for side in point]
    pairs = [list(point) for point in polygons[0]]
    assert box_around(flat) == box_around(pairs) == box_around([flat]) == box_around([[], flat])


def test_rectangles_are_known():
    assert box_around([[1, 1, 5, 1, 5, 9, 1, 9]]).rectangle
    assert not box_around([[3, 1, 5, 5, 3, 9, 1, 5]]).rectangle


@pytest.mark.parametrize("segmentation", [None, [], [[]], [[], []], {}])
def test_nothing(segmentation):
    assert box_around(segmentation) is None


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 2, 3, 4]], "has 4 numbers"),
        ([[1, 2, 3, 4, 5, 6, 7]], "has 7 numbers"),
        ([[1, 2, 3, 4, 5, "6"]], "not a list of polygons"),
        ([[1, 2, 3, 4, 5, True]], "not a list of polygons"),
        ([[1, 2, 3, 4, 5, 6], {}], "not a list of polygons"),
        ([[[1, 2, 3, 4, 5, 6]]], "not a list of polygons"),
        ([[1, 2, 3, 4, 5, float("nan")]], "larger than any picture"),
        ([[1, 2, 3, 4, 5, 10**400]], "larger than any picture"),
        ("1 2 3 4 5 6", "neither polygons nor a mask"),
        (7, "neither polygons nor a mask"),
    ],
)
def test_malformed_polygons(segmentation, message):
    with pytest.raises(ValueError, match=message):
        box_around(segmentation)


@given(
    *[st.floats(-500, 500)] * 2,
    *[st.floats(0.5, 500)] * 2,
    st.floats(-720, 720),
)
def test_rotated_boxes(x, y, width, height, degrees):
    angle = math.radians(degrees)
    corners = []
    for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        dx, dy = dx * width / 2, dy * height / 2
        turned_x, turned_y = dx * math.cos(angle) - dy * math.sin(angle), dx * math.sin(angle) + dy * math.cos(angle)
        corners.append((x + width / 2 + turned_x, y + height / 2 + turned_y))
    xs, ys = zip(*corners, strict=True)
    np.testing.assert_allclose(
        around_rotated((x, y, x + width, y + height), degrees), (min(xs), min(ys), max(xs), max(ys)), atol=1e-6
    )


def test_quarter_turns_are_exact():
    assert around_rotated((10, 20, 50, 28), 90) == around_rotated((10, 20, 50, 28), 270) == (26, 4, 34, 44)
    assert around_rotated((10, 20, 50, 28), 180) == around_rotated((10, 20, 50, 28), 360) == (10, 20, 50, 28)
