"""Arguments that the commands for data sets share, and the grid that they choose."""

import argparse

import pytest

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
