"""The assignment on the device against `assign`, to the bit, and under the transformations of JAX."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from yolojax import targets as targets_module
from yolojax.assignment import assign_on_device
from yolojax.grid import TINY_ANCHORS, AnchorGrid
from yolojax.runtime.devices import make_mesh
from yolojax.targets import Targets, assign

GRIDS = {
    "416": AnchorGrid((416, 416)),
    "wide": AnchorGrid((96, 160)),
    "tiny": AnchorGrid((96, 64), (16, 32), TINY_ANCHORS),
    # Anchors that many boxes match equally well, and strides that are no powers of two.
    "ties": AnchorGrid((96, 96), (12, 24), (((8, 16), (8, 4), (16, 8)), ((20.3, 40.6), (20.3, 10.15), (40.6, 20.3)))),
}
PICTURES, COUNT, ROOM = 32, 40, 25
KINDS = ("any", "whole", "no area", "small", "between anchors", "half an anchor", "turned inside out", "again")


def random_boxes(rng, grid, count, dtype):
    """(count, 4) xyxy of all KINDS, with centres up to 30 pixels outside."""
    height, width = grid.size
    anchors = np.reshape(grid.anchors, (-1, 2))
    kind = rng.integers(0, len(KINDS), count)
    size = anchors[rng.integers(0, len(anchors), count)] * np.exp(rng.normal(0, 0.5, (count, 2)))
    centre = rng.uniform(-30, [width + 30, height + 30], (count, 2))
    whole, no_area, small, between, half, inside_out, again = (kind == k for k in range(1, len(KINDS)))
    centre[whole], size[whole] = np.round(centre[whole]), np.round(size[whole])
    size[no_area, rng.integers(0, 2)] = 0
    size[small] = np.round(size[small] / 10) / 7
    size[between] = np.sqrt(anchors.prod(1))[rng.integers(0, len(anchors), count)][between, None]
    size[half] = anchors[rng.integers(0, len(anchors), count)][half] * [1, 0.5]
    size[inside_out] *= [-1, 1]
    boxes = np.concatenate([centre - size / 2, centre + size / 2], 1).astype(dtype)
    boxes[again] = boxes[rng.integers(0, count, count)][again]
    return boxes


def random_batch(seed, grid, dtype=np.float32):
    """Boxes (PICTURES, COUNT, 4) and classes (PICTURES, COUNT), where one class in six marks padding."""
    rng = np.random.default_rng(seed)
    boxes = np.stack([random_boxes(rng, grid, COUNT, dtype) for _ in range(PICTURES)])
    return boxes, rng.integers(-1, 5, (PICTURES, COUNT))


def on_host(boxes, classes, grid, **options):
    """`assign` picture by picture, without the padding."""
    pictures = [assign(b[c >= 0], c[c >= 0], grid, **options) for b, c in zip(boxes, classes, strict=True)]
    return Targets(*map(np.stack, zip(*pictures, strict=True)))


def assert_equal(ours, expected):
    for name, a, b in zip(Targets._fields, ours, expected, strict=True):
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, name)


# 32 pictures of 40 boxes in 24 cases: 30,720 boxes.
@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("rule", ["threshold", "best", "ratio"])
@pytest.mark.parametrize("name", GRIDS)
def test_equal_to_assign_to_the_bit(name, rule, x64):
    grid = GRIDS[name]
    with jax.enable_x64(x64):
        boxes, classes = random_batch(len(name), grid, np.float64 if x64 else np.float32)
        one = functools.partial(assign_on_device, grid=grid, max_boxes=ROOM, rule=rule)
        ours = jax.jit(jax.vmap(one))(boxes, classes)
        assert_equal(ours, on_host(boxes, classes, grid, max_boxes=ROOM, rule=rule))


@pytest.mark.parametrize("x64", [False, True])
def test_a_threshold_that_is_the_overlap_itself(x64):
    # Whoever computes the overlap in float32 is on the wrong side of one of the two.
    grid = GRIDS["wide"]
    boxes = random_boxes(np.random.default_rng(3), grid, 60, np.float32)
    centred = np.concatenate([boxes[:, :2] + boxes[:, 2:], 2 * (boxes[:, 2:] - boxes[:, :2])], 1).astype(np.float64) / 2
    _, overlaps = targets_module.overlaps_at_cells(centred, grid)
    wanted = overlaps.reshape(len(boxes), -1)
    with jax.enable_x64(x64):
        compiled = jax.jit(
            lambda box, threshold: assign_on_device(box, np.zeros(1, int), grid, max_boxes=1, iou_threshold=threshold)
        )
        for box, overlap in zip(boxes, wanted, strict=True):
            for value in np.unique(overlap[(overlap > 0.1) & (overlap < 0.9)])[:2].astype(np.float64 if x64 else np.float32):
                expected = assign(box[None], [0], grid, max_boxes=1, iou_threshold=float(value))
                assert_equal(compiled(box[None], value), expected)


def test_centres_on_the_edge_of_a_cell():
    # The sum of these corners is not 16 but rounds to it in float32: the centre lies in the cell before.
    below = np.nextafter(np.float32(8), np.float32(0))
    boxes = np.array([[0.5, 0.5, 15.5, 15.5], [below / 2, below / 2, 16 - below / 2 - 1e-6, 12], [below, 1, 8, 9]], np.float32)
    grid = GRIDS["wide"]
    ours = jax.jit(lambda boxes: assign_on_device(boxes, np.arange(3), grid, max_boxes=3))(boxes)
    assert_equal(ours, assign(boxes, np.arange(3), grid, max_boxes=3))


def transformations(grid):
    """{name: function of (boxes, classes) of all pictures}."""
    one = functools.partial(assign_on_device, grid=grid, max_boxes=ROOM)
    whole = jax.vmap(one)
    mesh = make_mesh()
    axis = PartitionSpec(mesh.axis_names[0])
    sharding = NamedSharding(mesh, axis)

    def exported(boxes, classes):
        shapes = jax.export.symbolic_args_specs((boxes, classes), ("b, ...", "b, ..."))
        return jax.export.export(jax.jit(whole))(*shapes).call(boxes, classes)

    def per_device(function):
        def call(*arrays):
            split = [a.reshape(jax.device_count(), -1, *a.shape[1:]) for a in arrays]
            return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), function(*split))

        return call

    return {
        "vmap of jit": jax.vmap(jax.jit(one)),
        "jit of a sharded batch": jax.jit(whole, in_shardings=(sharding, sharding), out_shardings=sharding),
        "shard_map": jax.jit(jax.shard_map(whole, mesh=mesh, in_specs=axis, out_specs=axis)),
        "pmap": per_device(jax.pmap(whole)),
        "lax.map": lambda boxes, classes: jax.jit(lambda arrays: jax.lax.map(lambda pair: one(*pair), arrays))(
            (boxes, classes)
        ),
        "export with a symbolic batch": exported,
    }


@pytest.mark.parametrize("name", transformations(GRIDS["wide"]))
def test_under_transformations(name):
    grid = GRIDS["wide"]
    boxes, classes = (jnp.asarray(x) for x in random_batch(1, grid))
    ours = transformations(grid)[name](boxes, classes)
    assert_equal(ours, on_host(np.asarray(boxes), np.asarray(classes), grid, max_boxes=ROOM))


def test_without_jit_and_from_lists():
    boxes, classes = [[10, 20, 60, 90], [0, 0, 30, 40]], [2, 0]
    expected = assign(boxes, classes, GRIDS["wide"], max_boxes=3)
    ours = targets_module.assign_on_device(boxes, classes, GRIDS["wide"], max_boxes=3)
    assert_equal(ours, expected)
    assert all(isinstance(field, jax.Array) for field in ours)


@pytest.mark.parametrize("ratio", [1.7, 2.0, 6.3])
def test_other_ratios_that_may_be_traced(ratio):
    grid = GRIDS["ties"]
    boxes, classes = random_batch(5, grid)
    one = functools.partial(assign_on_device, grid=grid, max_boxes=ROOM, rule="ratio")
    ours = jax.jit(lambda boxes, classes, ratio: jax.vmap(functools.partial(one, ratio=ratio))(boxes, classes))
    value = np.float32(ratio)
    assert_equal(ours(boxes, classes, value), on_host(boxes, classes, grid, max_boxes=ROOM, rule="ratio", ratio=float(value)))


def test_middles_of_cells():
    # Exactly in the middle, and the next number on either side: right and down from the middle on.
    grid = AnchorGrid((96, 96), (12,), (((10, 10), (20, 20), (30, 30)),))
    around = [np.nextafter(30.0, 0), 30.0, np.nextafter(30.0, 99)]
    with jax.enable_x64(True):
        boxes = np.array([[x - 8, y - 8, x + 8, y + 8] for x in around for y in around])
        options = {"max_boxes": 1, "rule": "ratio"}
        compiled = jax.jit(functools.partial(assign_on_device, grid=grid, **options))
        for box in boxes:
            assert_equal(compiled(box[None], np.zeros(1, int)), assign(box[None], [0], grid, **options))


@pytest.mark.parametrize("rule", ["threshold", "ratio"])
def test_no_boxes_and_padding_alone(rule):
    grid = GRIDS["wide"]
    expected = assign(np.zeros((0, 4)), [], grid, max_boxes=3, rule=rule)
    compiled = jax.jit(functools.partial(assign_on_device, grid=grid, max_boxes=3, rule=rule))
    assert_equal(compiled(np.zeros((0, 4)), np.zeros(0, int)), expected)
    assert_equal(compiled(np.ones((2, 4)), np.full(2, -1)), expected)


def test_what_is_not_valid_or_not_finite_is_left_out():
    grid = GRIDS["wide"]
    boxes = random_boxes(np.random.default_rng(0), grid, 8, np.float32)
    boxes[2, 1], boxes[5, 3] = np.nan, np.inf
    valid = np.array([True, True, True, False, True, True, True, False])
    left = [0, 1, 4, 6]
    for room in (8, 3):
        compiled = jax.jit(functools.partial(assign_on_device, grid=grid, max_boxes=room))
        ours = compiled(boxes, np.arange(8), valid=valid)
        assert_equal(ours, assign(boxes[left], left, grid, max_boxes=room))


@pytest.mark.parametrize(
    ("boxes", "classes", "options", "message"),
    [
        (np.zeros((2, 5)), np.zeros(2), {}, "boxes must be"),
        (np.zeros((2, 4)), np.zeros(3), {}, "boxes must be"),
        (np.zeros((2, 4)), np.zeros(2), {"valid": np.ones(3)}, "valid"),
        (np.zeros((2, 4)), np.zeros(2), {"rule": "nearest"}, "unknown assignment rule"),
    ],
)
def test_what_is_refused(boxes, classes, options, message):
    with pytest.raises(ValueError, match=message):
        assign_on_device(boxes, classes, GRIDS["wide"], **options)


def test_the_example_of_the_documentation(repository, capsys):
    page = (repository / "docs/losses_and_optimizers.md").read_text()
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "assign_on_device" in block)
    found = {}
    exec(block, found)
    assert capsys.readouterr().out
    for terms in (found["fixed"], found["dynamic"]):
        assert all(np.isfinite(term).all() for term in terms)
    matches, none = np.asarray(found["matches"]), 2
    assert (matches[0] == 0).any() and not (matches[0] == 1).any()
    assert {0, 1, none} == set(matches[1])
