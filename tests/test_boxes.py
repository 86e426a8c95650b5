import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import boxes as oracle
from yolojax import boxes

OVERLAPS = {name: getattr(boxes, name) for name in oracle.OVERLAPS}
JITTED = {name: jax.jit(overlap) for name, overlap in OVERLAPS.items()}
GRADIENTS = {
    name: jax.jit(jax.grad(lambda a, b, overlap=overlap: overlap(a, b).sum(), argnums=(0, 1)))
    for name, overlap in OVERLAPS.items()
}
ROWS = 32

# Pairs whose overlap is known by heart: (a, b, IoU).
KNOWN = [
    ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),  # identical
    ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),  # half over each other
    ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),  # sharing an edge
    ((0, 0, 2, 2), (2, 2, 4, 4), 0.0),  # sharing a corner
    ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),  # nested
    ((0, 0, 1, 1), (5, 5, 6, 6), 0.0),  # far apart
    ((3, 3, 3, 3), (0, 0, 6, 6), 0.0),  # a point inside a box
    ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),  # one point twice
    ((0, 3, 6, 3), (0, 3, 6, 3), 0.0),  # one line twice
    ((0, 0, 1e6, 1e6), (0, 0, 1e6, 5e5), 0.5),  # huge
    ((0, 0, 1e-3, 1e-3), (0, 0, 1e-3, 5e-4), 0.5),  # tiny
]
# Boxes without width, height or both, inside, on the edge of and away from each other; exchanged corners; every size.
DEGENERATE = [
    (0, 0, 0, 0),
    (3, 3, 3, 3),
    (3, 0, 3, 6),
    (0, 3, 6, 3),
    (0, 0, 6, 6),
    (6, 0, 12, 6),
    (6, 6, 0, 0),
    (0, 0, 1e-3, 1e-3),
    (0, 0, 1e6, 1e6),
    (-1e6, -1e6, 1e6, 1e6),
    (1e6, 1e6, 1e6, 1e6),
    (3, 3, 3 + 1e-6, 3 + 1e-6),
]
# Sides so short that squares of the area leave the range of float32: what a decoder makes of a very negative width.
VANISHING = [
    (-1e-21, 0, 1e-21, 13),
    (0, 0, 1e-12, 1e-12),
    (0, 0, 1e-20, 1e-20),
    (-1e-30, -1e-30, 1e-30, 1e-30),
]


def literal(name, a, b):
    """The oracle over rows."""
    return np.array([oracle.OVERLAPS[name](x, y) for x, y in zip(a, b, strict=True)])


def side_by_side(values):
    pairs = list(itertools.product(values, repeat=2))
    return np.array([p[0] for p in pairs], np.float32), np.array([p[1] for p in pairs], np.float32)


@st.composite
def box_rows(draw):
    """(ROWS, 4) xyxy boxes in float32, up to 512 px and either without a side or at least a thousandth of a pixel wide;
    on a dozen whole pixels half of the time, so that they touch and coincide."""
    number = draw(st.sampled_from([st.integers(0, 12), st.integers(0, 512 * 1024).map(lambda n: n / 1024)]))
    flat = np.array(draw(st.lists(number, min_size=4 * ROWS, max_size=4 * ROWS)), np.float32).reshape(ROWS, 2, 2)
    return np.sort(flat, axis=1).reshape(ROWS, 4)


def random_pairs(rng, count, scale=1.0):
    """Overlapping pairs in general position: no equal coordinates."""
    low, size = rng.uniform(0, 60, (2, count, 2)), rng.uniform(20, 100, (2, count, 2))
    return [x * scale for x in np.concatenate([low, low + size], -1)]


@settings(deadline=None, max_examples=25)
@given(box_rows())
def test_formats_round_trip(rows):
    back = boxes.cxcywh_to_xyxy(boxes.xyxy_to_cxcywh(rows))
    np.testing.assert_allclose(back, rows, rtol=1e-6, atol=1e-4)
    wide = rows.astype(np.float64)
    np.testing.assert_allclose(boxes.cxcywh_to_xyxy(boxes.xyxy_to_cxcywh(wide)), wide, rtol=1e-14, atol=1e-12)
    np.testing.assert_allclose(boxes.xyxy_to_cxcywh(wide), [oracle.to_cxcywh(r) for r in rows], rtol=1e-14)
    np.testing.assert_allclose(
        boxes.xyxy_to_cxcywh(boxes.cxcywh_to_xyxy(wide)), wide, rtol=1e-14, atol=1e-12
    )  # any four numbers are a centre and a size


@pytest.mark.parametrize(("a", "b", "expected"), KNOWN)
def test_iou_of_known_pairs(a, b, expected):
    a, b = np.array(a), np.array(b)
    assert boxes.iou(a, b) == pytest.approx(expected, rel=1e-12)
    a, b = a.astype(np.float32), b.astype(np.float32)
    assert boxes.iou(a, b) == pytest.approx(expected, rel=1e-6)
    assert float(JITTED["iou"](a, b)) == pytest.approx(expected, rel=1e-6)


def test_overlaps_of_known_pairs():
    # Two unit squares two apart: hull 3 x 1, union 2; centres 2 apart, diagonal sqrt(10).
    a, b = np.array([0.0, 0, 1, 1]), np.array([2.0, 0, 3, 1])
    assert boxes.giou(a, b) == pytest.approx(-1 / 3)
    assert boxes.diou(a, b) == pytest.approx(-4 / 10)
    assert boxes.ciou(a, b) == pytest.approx(-4 / 10)
    # The same centre and area, another aspect: only complete IoU sees the shape.
    wide, high = np.array([-2.0, -1, 2, 1]), np.array([-1.0, -2, 1, 2])
    v = 4 / np.pi**2 * (np.arctan(2) - np.arctan(0.5)) ** 2
    assert boxes.diou(wide, high) == pytest.approx(boxes.iou(wide, high)) == pytest.approx(1 / 3)
    assert boxes.ciou(wide, high) == pytest.approx(1 / 3 - v / (1 - 1 / 3 + v) * v)


@pytest.mark.parametrize("name", OVERLAPS)
@settings(deadline=None, max_examples=25)
@given(a=box_rows(), b=box_rows())
def test_overlaps_match_the_oracle(name, a, b):
    expected = literal(name, a, b)
    sides = np.stack([a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]])
    # The aspect ratio of a point is no number: the paper says nothing about its complete IoU.
    compared = (sides > 0).any(-1).all(0) if name == "ciou" else np.ones(ROWS, bool)
    double = OVERLAPS[name](a.astype(np.float64), b.astype(np.float64))
    np.testing.assert_allclose(double[compared], expected[compared], rtol=0, atol=1e-9)
    single = OVERLAPS[name](a, b)
    compiled = np.asarray(JITTED[name](a, b))
    assert single.dtype == compiled.dtype == np.float32
    # A slice 512 px long and a few float32 steps thick loses digits in the corners' differences.
    safe = compared & ((sides == 0) | (sides > 0.05)).all((0, 2))
    np.testing.assert_allclose(single[safe], expected[safe], rtol=0, atol=2e-5)
    np.testing.assert_allclose(compiled[safe], expected[safe], rtol=0, atol=2e-5)
    upper = 1 + 1e-6
    assert np.all(single <= upper)
    assert np.all(single >= {"iou": 0, "giou": -1, "diou": -1, "ciou": -2}[name] - 1e-6)


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_overlaps_do_not_depend_on_order_or_unit(name, scale):
    a, b = random_pairs(np.random.default_rng(0), 200)
    values = OVERLAPS[name](a * scale, b * scale)
    np.testing.assert_allclose(values, OVERLAPS[name](b * scale, a * scale), rtol=1e-12)
    np.testing.assert_allclose(values, OVERLAPS[name](a, b), rtol=1e-9, atol=1e-12)
    single = OVERLAPS[name]((a * scale).astype(np.float32), (b * scale).astype(np.float32))
    np.testing.assert_allclose(single, values, atol=1e-5)


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlaps_are_ordered_as_the_papers_say(name):
    a, b = random_pairs(np.random.default_rng(1), 200)
    assert np.all(OVERLAPS[name](a, b) <= boxes.iou(a, b) + 1e-12)
    np.testing.assert_allclose(OVERLAPS[name](a, a), 1, rtol=1e-12)


@pytest.mark.parametrize("name", OVERLAPS)
def test_leading_axes_broadcast(name):
    rng = np.random.default_rng(2)
    a, b = random_pairs(rng, 6)
    a, b = a.reshape(2, 3, 1, 4), b[:5].reshape(1, 1, 5, 4)
    for function, x, y in ((OVERLAPS[name], a, b), (JITTED[name], a.astype(np.float32), b.astype(np.float32))):
        values = np.asarray(function(x, y))
        assert values.shape == (2, 3, 5)
        for i, j, k in np.ndindex(values.shape):
            assert values[i, j, k] == pytest.approx(oracle.OVERLAPS[name](a[i, j, 0], b[0, 0, k]), abs=1e-5)
    assert np.shape(OVERLAPS[name](a[0, 0, 0], b[0, 0, 0])) == ()


@pytest.mark.parametrize("name", OVERLAPS)
def test_the_array_library_and_type_of_the_input_come_back(name):
    a, b = random_pairs(np.random.default_rng(3), 4)
    for dtype in (np.float32, np.float64):
        values = OVERLAPS[name](a.astype(dtype), b.astype(dtype))
        assert isinstance(values, np.ndarray)
        assert values.dtype == dtype
    a, b = a.astype(np.float32), b.astype(np.float32)
    for x, y in ((jnp.asarray(a), jnp.asarray(b)), (jnp.asarray(a), b), (a, jnp.asarray(b))):
        values = OVERLAPS[name](x, y)
        assert isinstance(values, jax.Array)
        np.testing.assert_allclose(values, OVERLAPS[name](a, b), atol=1e-5)
    assert isinstance(boxes.cxcywh_to_xyxy(a), np.ndarray)
    assert isinstance(boxes.xyxy_to_cxcywh(jnp.asarray(a)), jax.Array)
    assert boxes.xyxy_to_cxcywh(a).dtype == boxes.cxcywh_to_xyxy(a).dtype == np.float32


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("values", [DEGENERATE, DEGENERATE + VANISHING], ids=["degenerate", "vanishing"])
def test_degenerate_boxes_have_finite_overlaps_and_gradients(name, x64, values):
    a, b = side_by_side(values)
    with jax.enable_x64(x64):
        dtype = np.float64 if x64 else np.float32
        a, b = a.astype(dtype), b.astype(dtype)
        values, gradients = JITTED[name](a, b), GRADIENTS[name](a, b)
        assert values.dtype == gradients[0].dtype == dtype
        for array in (values, *gradients):
            bad = ~np.isfinite(np.asarray(array)).reshape(len(a), -1).all(1)
            assert not bad.any(), f"not finite: {list(zip(a[bad].tolist(), b[bad].tolist(), strict=True))[:3]}"
    assert np.isfinite(OVERLAPS[name](a, b)).all()


@pytest.mark.parametrize("name", OVERLAPS)
@pytest.mark.parametrize("overlapping", [True, False])
def test_gradients_match_finite_differences(name, overlapping):
    a, b = random_pairs(np.random.default_rng(4), 40)
    if not overlapping:
        b = b + 200
    with jax.enable_x64(True):
        gradients = [np.asarray(g) for g in GRADIENTS[name](a, b)]
        single = GRADIENTS[name](a.astype(np.float32), b.astype(np.float32))
    step = 1e-5
    for row in range(len(a)):
        arguments = {"alpha": oracle.ciou_alpha(a[row], b[row])} if name == "ciou" else {}
        for side, coordinate in itertools.product(range(2), range(4)):
            values = []
            for sign in (1, -1):
                pair = [a[row].copy(), b[row].copy()]
                pair[side][coordinate] += sign * step
                values.append(oracle.OVERLAPS[name](*pair, **arguments))
            slope = (values[0] - values[1]) / (2 * step)
            assert gradients[side][row, coordinate] == pytest.approx(slope, rel=1e-5, abs=1e-9)
            assert single[side][row, coordinate] == pytest.approx(slope, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("n", "m"), [(3, 5), (0, 5), (3, 0), (0, 0)])
def test_pairwise_iou(n, m):
    a, b = random_pairs(np.random.default_rng(5), 5)
    a, b = a[:n], b[:m]
    for x, y in ((a, b), (jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))):
        values = np.asarray(boxes.pairwise_iou(x, y))
        assert values.shape == (n, m)
        for i, j in np.ndindex(n, m):
            assert values[i, j] == pytest.approx(oracle.iou(a[i], b[j]), abs=1e-6)
