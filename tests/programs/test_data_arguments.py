"""Arguments that the commands for data sets share, and the grid that they choose."""

import argparse

import pytest

from tests.helpers.cfgs import FACE
from yolojax.errors import InputError
from yolojax.grid import TINY_ANCHORS, YOLOV3_ANCHORS
from yolojax.programs.data_arguments import add_data_argument, add_grid_arguments, add_seed_argument, make_grid


def options(*arguments):
    parser = argparse.ArgumentParser()
    add_data_argument(parser)
    add_grid_arguments(parser)
    add_seed_argument(parser)
    return parser.parse_args(["voc:train", *arguments])


def test_defaults_are_yolov3_at_416():
    chosen = options()
    assert (chosen.data, chosen.names, chosen.seed) == ("voc:train", None, 0)
    grid = make_grid(chosen)
    assert (grid.size, grid.strides, grid.anchors) == ((416, 416), (8, 16, 32), YOLOV3_ANCHORS)


def test_every_argument_is_read():
    chosen = options("--names", "a.names", "--seed", "7", "--size", "320", "--network", "yolov3_tiny")
    assert (chosen.names, chosen.seed) == ("a.names", 7)
    grid = make_grid(chosen)
    assert (grid.size, grid.strides, grid.anchors) == ((320, 320), (16, 32), TINY_ANCHORS)


@pytest.mark.parametrize("size", ["0", "-32", "31", "100"])
def test_sizes_that_no_network_takes_are_refused(size):
    with pytest.raises(InputError, match=f"^--size must be a multiple of 32, at least 32, not {size}$"):
        make_grid(options("--size", size))


def test_the_grid_of_a_cfg_at_sizes_of_its_own(tmp_path):
    path = tmp_path / "face.cfg"
    path.write_text(FACE)
    grid = make_grid(options("--cfg", str(path)))
    assert (grid.size, grid.strides, grid.anchors) == ((32, 32), (4,), (((10, 12), (20, 24)),))
    assert make_grid(options("--cfg", str(path), "--size", "40x64")).size == (40, 64)
    assert make_grid(options("--size", "320x416")).shapes == ((40, 52), (20, 26), (10, 13))
    with pytest.raises(InputError, match=r"^--network and --cfg name two networks"):
        make_grid(options("--cfg", str(path), "--network", "yolov3"))
    with pytest.raises(InputError, match=r"cfg: .* must be multiples of the stride 4|cells do not divide the input of 33 x 32"):
        make_grid(options("--cfg", str(path), "--size", "33x32"))
    with pytest.raises(InputError, match=r"^--size must be one side in pixels, or HEIGHTxWIDTH, not '1x2x3'"):
        make_grid(options("--size", "1x2x3"))
