"""Arguments that the commands for data sets share."""

import argparse
import re

from yolojax.config import ModelConfig
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid

DATA = (
    "a data set, whose format is recognised: a folder or file of VOC (.xml), YOLO (data.yaml), COCO (.json), Darknet (.data), "
    "CSV, LabelMe, CVAT or Label Studio, or a text list of pictures, with their boxes or with YOLO label files; DATA:SPLIT is "
    "one split of it"
)
"""The help text of a data set to read."""


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Adds DATA, a data set to read, and --names."""
    parser.add_argument("data", metavar="DATA", help=DATA)
    add_names_argument(parser)


def add_names_argument(parser: argparse.ArgumentParser) -> None:
    """Adds --names, a file of class names."""
    parser.add_argument(
        "--names", metavar="FILE", help="class names, one per line; required for text lists (default: those of the data set)"
    )


def add_seed_argument(parser: argparse.ArgumentParser) -> None:
    """Adds --seed."""
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers, from 0 (default: %(default)s)")


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --size, --network and --cfg, which `make_grid` reads."""
    parser.add_argument(
        "--size",
        metavar="PIXELS",
        help="the input: one side of a square, or HEIGHTxWIDTH as in 320x416 (default: 416, or that of the cfg)",
    )
    parser.add_argument(
        "--network", choices=("yolov3", "yolov3_tiny"), help="whose anchors (default: yolov3, if there is no --cfg)"
    )
    parser.add_argument("--cfg", metavar="FILE.cfg", help="the network of a Darknet cfg, whose anchors are meant")


def make_grid(options: argparse.Namespace) -> AnchorGrid:
    """Returns the anchor grid that --size, --network and --cfg select.

    Raises:
        InputError: --size is not a size that the network can have, both --network and --cfg are given, or the cfg cannot be
            honoured.
    """
    from yolojax.darknet.cfg import read_cfg
    from yolojax.darknet.network import build_network
    from yolojax.models import build_grid

    size = None if options.size is None else _parse_size(options.size)
    if options.cfg is None:
        if size and any(side < 32 or side % 32 for side in size):
            raise InputError(f"--size must be a multiple of 32, at least 32, not {options.size}")
        return build_grid(ModelConfig(name=options.network or "yolov3"), size or 416)
    if options.network is not None:
        raise InputError("--network and --cfg name two networks; give one of them")
    return build_network(read_cfg(options.cfg), size)[1]


def _parse_size(text: str) -> tuple[int, int]:
    """(height, width) of "416" or "320x416"."""
    sides = str(text).lower().split("x")
    if len(sides) > 2 or not all(re.fullmatch(r"\s*-?\d+\s*", side) for side in sides):
        raise InputError(f"--size must be one side in pixels, or HEIGHTxWIDTH, not {text!r}")
    height, width = int(sides[0]), int(sides[-1])
    return height, width
