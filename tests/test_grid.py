import dataclasses

import pytest

from yolojax.grid import AnchorGrid

TINY = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319)))


def test_yolov3_at_416():
    grid = AnchorGrid(size=(416, 416))
    assert grid.strides == (8, 16, 32)
    assert grid.anchors == (
        ((10, 13), (16, 30), (33, 23)),
        ((30, 61), (62, 45), (59, 119)),
        ((116, 90), (156, 198), (373, 326)),
    )
    assert grid.shapes == ((52, 52), (26, 26), (13, 13))
    assert grid.num_slots == 10_647
    assert grid.num_scales == 3
    assert grid.anchors_per_scale == 3
    assert grid.offsets == (0, 52 * 52 * 3, 52 * 52 * 3 + 26 * 26 * 3)


@pytest.mark.parametrize("size", [(32, 32), (320, 608), (608, 320), (64, 96)])
def test_rectangular_sizes(size):
    height, width = size
    grid = AnchorGrid(size=size)
    assert grid.shapes == tuple((height // s, width // s) for s in (8, 16, 32))
    assert grid.num_slots == sum(3 * (height // s) * (width // s) for s in (8, 16, 32))


def test_tiny_has_two_scales():
    grid = AnchorGrid(size=(416, 416), strides=(16, 32), anchors=TINY)
    assert grid.num_scales == 2
    assert grid.offsets == (0, 26 * 26 * 3)
    assert grid.num_slots == 2_535


def test_any_number_of_anchors():
    grid = AnchorGrid(size=(64, 64), strides=(32,), anchors=(((10.5, 20.25),),))
    assert grid.anchors_per_scale == 1
    assert grid.num_slots == 4


@pytest.mark.parametrize("strides", [(4,), (64,), (4, 8, 16, 32), (2, 8, 64)], ids=str)
def test_any_strides(strides):
    grid = AnchorGrid(size=(128, 64), strides=strides, anchors=(((10, 20), (30, 20)),) * len(strides))
    assert grid.shapes == tuple((128 // stride, 64 // stride) for stride in strides)
    assert grid.num_slots == sum(2 * (128 // stride) * (64 // stride) for stride in strides) == len(grid.slot_geometry)
    assert {int(stride) for stride in grid.slot_geometry[:, 2]} == set(strides)


def test_equal_grids_are_one_static_argument():
    a, b = AnchorGrid(size=(416, 416), strides=(16, 32), anchors=TINY), AnchorGrid((416, 416), (16, 32), TINY)
    assert a == b
    assert hash(a) == hash(b)
    assert a != AnchorGrid(size=(416, 448), strides=(16, 32), anchors=TINY)
    assert len({a, b, AnchorGrid(size=(416, 416))}) == 2


def test_lists_become_tuples():
    listed = AnchorGrid(size=[96, 64], strides=[16, 32], anchors=[[list(a) for a in scale] for scale in TINY])
    given = AnchorGrid(size=(96, 64), strides=(16, 32), anchors=TINY)
    assert listed == given
    assert hash(listed) == hash(given)
    assert listed.size == (96, 64)
    assert isinstance(listed.anchors[0][0], tuple)


def test_it_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        AnchorGrid(size=(416, 416)).size = (608, 608)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (416, 400)},
        {"size": (410, 416)},
        {"size": (0, 416)},
        {"size": (-32, 416)},
        {"size": (416, 416), "strides": (8, 16)},
        {"size": (416, 416), "strides": (8, 16, 0)},
        {"size": (416, 416), "strides": (16, 32), "anchors": (TINY[0], TINY[1][:2])},
        {"size": (416, 416), "strides": (16, 32), "anchors": (TINY[0], (*TINY[1][:2], (0, 10)))},
        {"size": (416, 416), "strides": (16, 32), "anchors": (TINY[0], (*TINY[1][:2], (10, -1)))},
        {"size": (416, 416), "strides": (16, 32), "anchors": (TINY[0], (*TINY[1][:2], (10, float("nan"))))},
        {"size": (416, 416), "strides": (16, 32), "anchors": ((), ())},
        {"size": (416, 416), "strides": (), "anchors": ()},
    ],
    ids=str,
)
def test_grids_that_cannot_be(arguments):
    with pytest.raises(ValueError, match=r"\S"):
        AnchorGrid(**arguments)


def test_stretched_sigmoids_are_kept_for_each_scale():
    grid = AnchorGrid((64, 64), (16, 32), TINY, (1.05, 1.2))
    assert grid.xy_scales == (1.05, 1.2) and grid.slot_geometry.shape == (grid.num_slots, 6)
    fine = grid.slots_per_scale[0]
    assert grid.slot_geometry[:, 5].tolist() == pytest.approx([1.05] * fine + [1.2] * (grid.num_slots - fine))
    plain = AnchorGrid((64, 64), (16, 32), TINY)
    assert AnchorGrid((64, 64), (16, 32), TINY, (1, 1)) == plain != grid
    assert plain.slot_geometry.shape == (plain.num_slots, 5)
    for scales in ((1.05,), (1.05, 0), (1.05, float("nan"))):
        with pytest.raises(ValueError, match="xy_scales"):
            AnchorGrid((64, 64), (16, 32), TINY, scales)
