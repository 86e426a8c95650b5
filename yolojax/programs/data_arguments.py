"""Arguments that the commands for data sets share."""

import argparse

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
    """Adds --size and --network, which `make_grid` reads."""
    parser.add_argument(
        "--size", type=int, default=416, metavar="PIXELS", help="height and width of the input (default: %(default)s)"
    )
    parser.add_argument(
        "--network", choices=("yolov3", "yolov3_tiny"), default="yolov3", help="whose anchors (default: %(default)s)"
    )


def make_grid(options: argparse.Namespace) -> AnchorGrid:
    """Returns the anchor grid that --size and --network select.

    Raises:
        InputError: --size is not a multiple of 32.
    """
    from yolojax.models import build_grid

    if options.size < 32 or options.size % 32:
        raise InputError(f"--size must be a multiple of 32, at least 32, not {options.size}")
    return build_grid(ModelConfig(name=options.network), options.size)
