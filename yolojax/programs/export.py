"""`yolojax export`: writes a trained network for other programs."""

import argparse

from yolojax.export.workdir import FORMATS, export_workdir
from yolojax.runtime.streams import say


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Write the network of a run for other programs: stablehlo is one program for JAX alone, from pictures to boxes; onnx "
        "has raw heads, boxes and scores, for onnxruntime, OpenCV and others; darknet is model.cfg, model.weights and "
        "model.names. The files are compared with the network on pictures before they are put in place; if they differ, "
        "nothing is written."
    )
    parser.add_argument("workdir", metavar="WORKDIR", help="folder of a trained run")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format to write")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file to write, replacing an earlier export; for darknet a folder"
    )
    parser.add_argument(
        "--checkpoint", default="best", help="best (by config.train.save_best_by), last, or a step (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", nargs="+", default=(), metavar="SOURCE", help="pictures, folders and globs to compare the file and "
        "the network on (default: validation pictures of the run)"
    )  # fmt: skip


def main(options: argparse.Namespace) -> int:
    """Exports, and prints what was written; returns the exit status."""
    line = export_workdir(options.workdir, options.to, options.out, checkpoint=options.checkpoint, pictures=options.pictures)
    say(f"{options.out}: {line}")
    return 0
