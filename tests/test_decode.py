import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracle import loss as oracle
from yolojax.decode import decode
from yolojax.grid import AnchorGrid

decode_jitted = functools.partial(jax.jit, static_argnames="grid")(decode)


def random_heads(rng, grid, num_classes, batch, spread=2.0):
    return tuple(
        (spread * rng.standard_normal((batch, h, w, grid.anchors_per_scale, 5 + num_classes))).astype(np.float32)
        for h, w in grid.shapes
    )


@pytest.mark.parametrize("name", ["seed_96_c3", "seed_160_c20"])
def test_golden_boxes(golden, name):
    with np.load(golden / f"{name}.npz") as data:
        size, strides = int(data["size"]), tuple(int(s) for s in data["strides"])
        batch, scales = int(data["batch"]), range(len(strides))
        grid = AnchorGrid((size, size), strides, data["anchors"].tolist())
        raw = tuple(np.stack([data[f"raw_{b}_{i}"] for b in range(batch)]) for i in scales)
        expected = [np.concatenate([data[f"decoded_{b}_{i}"].reshape(-1, 4) for i in scales]) for b in range(batch)]
        predictions = decode_jitted(raw, grid)
        assert predictions.boxes.dtype == jnp.float32
        np.testing.assert_allclose(predictions.boxes, expected, rtol=1e-5)
        for b in range(batch):
            flat = np.concatenate([data[f"raw_{b}_{i}"].reshape(-1, raw[0].shape[-1]) for i in scales])
            np.testing.assert_array_equal(predictions.objectness_logits[b], flat[:, 4])
            np.testing.assert_array_equal(predictions.class_logits[b], flat[:, 5:])


@pytest.mark.parametrize(
    ("size", "strides", "anchors"),
    [
        ((64, 96), (8, 16, 32), AnchorGrid((32, 32)).anchors),
        ((96, 64), (16, 32), (((10, 14), (23.5, 27)), ((81, 82), (135, 169)))),
    ],
)
def test_rectangular_grids_match_a_loop(size, strides, anchors):
    grid = AnchorGrid(size, strides, anchors)
    raw = random_heads(np.random.default_rng(0), grid, 2, batch=2)
    predictions = decode_jitted(raw, grid)
    assert predictions.boxes.shape == (2, grid.num_slots, 4)
    assert predictions.objectness_logits.shape == (2, grid.num_slots)
    assert predictions.class_logits.shape == (2, grid.num_slots, 2)
    for b in range(2):
        boxes, objectness, classes = oracle.decode([head[b] for head in raw], strides, anchors)
        np.testing.assert_allclose(predictions.boxes[b], boxes, rtol=1e-5)
        np.testing.assert_allclose(predictions.objectness_logits[b], objectness)
        np.testing.assert_allclose(predictions.class_logits[b], classes)


def test_slots_run_over_scale_row_column_anchor():
    grid = AnchorGrid((64, 96))
    raw = [np.zeros((1, h, w, 3, 6), np.float32) for h, w in grid.shapes]
    expected = []
    for scale, (h, w) in enumerate(grid.shapes):
        for row, column, a in np.ndindex(h, w, 3):
            raw[scale][0, row, column, a, 4] = len(expected)
            stride = grid.strides[scale]
            expected.append(((column + 0.5) * stride, (row + 0.5) * stride, *grid.anchors[scale][a]))
    predictions = decode_jitted(tuple(raw), grid)
    np.testing.assert_array_equal(predictions.objectness_logits[0], np.arange(grid.num_slots))
    np.testing.assert_allclose(predictions.boxes[0], expected, rtol=1e-6)


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("value", [-1e4, -88.0, 88.0, 1e4])
def test_extreme_heads_stay_finite(value, x64):
    grid = AnchorGrid((32, 32))

    def total(raw):
        boxes = decode(raw, grid).boxes
        return (boxes / boxes.max()).sum()

    with jax.enable_x64(x64):
        raw = tuple(np.full((1, h, w, 3, 6), value, np.float32) for h, w in grid.shapes)
        boxes = decode_jitted(raw, grid).boxes
        assert np.isfinite(boxes).all()
        assert np.isfinite(boxes[..., 2].astype(np.float32) * boxes[..., 3].astype(np.float32)).all()
        assert np.all(boxes[..., 2:] >= 0)
        for gradient in jax.jit(jax.grad(total))(raw):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("t", [-8.0, 0.0, 8.0, 11.0])
def test_sizes_a_network_may_say_are_not_clamped(t):
    grid = AnchorGrid((32, 32), (32,), (((100, 50),),))
    raw = (np.full((1, 1, 1, 1, 6), t, np.float32),)
    np.testing.assert_allclose(decode_jitted(raw, grid).boxes[0, 0, 2:], np.exp(t) * np.array([100, 50]), rtol=1e-5)


def test_heads_of_another_size_are_refused():
    grid = AnchorGrid((64, 96))
    raw = random_heads(np.random.default_rng(0), AnchorGrid((96, 64)), 1, batch=1)
    with pytest.raises(ValueError, match=r"\S"):
        decode(raw, grid)
    with pytest.raises(ValueError, match=r"\S"):
        decode(random_heads(np.random.default_rng(0), grid, 1, batch=1)[:2], grid)


@pytest.mark.parametrize("t", [-3.0, 0.0, 1.5])
def test_stretched_sigmoids_reach_beyond_the_cell(t):
    grid = AnchorGrid((32, 64), (16, 32), (((10, 20),), ((30, 40),)), (1.5, 1))
    raw = tuple(np.full((1, h, w, 1, 6), t, np.float32) for h, w in grid.shapes)
    boxes = np.asarray(decode_jitted(raw, grid).boxes[0])
    place = 1 / (1 + np.exp(-t))
    expected = [((x + 1.5 * place - 0.25) * 16, (y + 1.5 * place - 0.25) * 16) for y in range(2) for x in range(4)]
    expected += [((x + place) * 32, place * 32) for x in range(2)]
    np.testing.assert_allclose(boxes[:, :2], expected, rtol=1e-5)
    np.testing.assert_allclose(boxes[8:, 2:], np.exp(t) * np.array([[30, 40]] * 2), rtol=1e-5)


def test_heads_with_unequal_numbers_of_anchors_are_refused_in_one_line():
    grid = AnchorGrid((64, 64), (16, 32), (((10, 14), (23, 27)), ((81, 82), (135, 169))))
    heads = (np.zeros((1, 4, 4, 2, 8), np.float32), np.zeros((1, 2, 2, 3, 8), np.float32))
    with pytest.raises(
        ValueError, match=r"\(1, 2, 2, 3, 8\)\] do not fit the grid, .*\('B', 2, 2, 2, '5 \+ C'\)\]$"
    ) as refusal:
        decode(heads, grid)
    assert "\n" not in str(refusal.value)
