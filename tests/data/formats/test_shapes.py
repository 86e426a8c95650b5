"""The boxes around shapes, against points of the shapes."""

import cmath
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yolojax.data.formats.shapes import around_ellipse, around_points, around_rotated

_side = st.floats(-1000, 1000)
_angle = st.floats(-720, 720)


@given(st.lists(st.tuples(_side, _side), min_size=1, max_size=20))
def test_points(points):
    x1, y1, x2, y2 = around_points(points)
    assert all(x1 <= x <= x2 and y1 <= y <= y2 for x, y in points)
    for side, axis in ((x1, 0), (y1, 1), (x2, 0), (y2, 1)):
        assert any(point[axis] == side for point in points)


@given(_side, _side, st.floats(0, 1000), st.floats(0, 1000), _angle)
def test_rotated_boxes(x, y, width, height, degrees):
    centre = complex(x + width / 2, y + height / 2)
    turn = cmath.exp(1j * math.radians(degrees))
    turned = [
        centre + turn * (complex(*corner) - centre)
        for corner in ((x, y), (x + width, y), (x, y + height), (x + width, y + height))
    ]
    expected = around_points([(corner.real, corner.imag) for corner in turned])
    np.testing.assert_allclose(around_rotated((x, y, x + width, y + height), degrees), expected, atol=1e-9 * 1e4)


@given(_side, _side, st.floats(0, 1000), st.floats(0, 1000), _angle)
def test_ellipses(x, y, a, b, degrees):
    turn = cmath.exp(1j * math.radians(degrees))
    points = [complex(x, y) + turn * complex(a * math.cos(t), b * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 2000)]
    expected = around_points([(point.real, point.imag) for point in points])
    np.testing.assert_allclose(around_ellipse((x, y), (a, b), degrees), expected, atol=0.02)


def test_quarter_turns():
    np.testing.assert_allclose(around_rotated((0, 10, 40, 20), 90), (15, -5, 25, 35))
    np.testing.assert_allclose(around_ellipse((5, 5), (3, 1)), (2, 4, 8, 6))
