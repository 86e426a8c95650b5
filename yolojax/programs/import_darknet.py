"""`yolojax import`: makes a workdir from Darknet's files."""

import argparse
import shlex

from yolojax.runtime.command import command
from yolojax.runtime.streams import say


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Make a workdir from a Darknet network, which can then be evaluated, used, exported, and trained further from its "
        "weights."
    )
    parser.epilog = (
        "A cfg of YOLOv3, YOLOv3-SPP or YOLOv3-tiny becomes that network; any other detector of the YOLO family from version 3 "
        "on is kept as its cfg. Options of a cfg that yolojax does not support are named with their line."
    )
    parser.add_argument("weights", metavar="FILE.weights", help="the weights, of any version of Darknet")
    parser.add_argument("--cfg", required=True, metavar="FILE.cfg", help="the network that they belong to")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="the folder to make; it must not hold a run")
    parser.add_argument("--names", metavar="FILE", help="class names, one per line (default: the classes' numbers)")
    parser.add_argument(
        "--fit",
        choices=("letterbox", "stretch"),
        default="letterbox",
        help="letterbox keeps a picture's proportions; stretch, as in AlexeyAB's Darknet, does not (default: %(default)s)",
    )


def main(options: argparse.Namespace) -> int:
    """Makes the workdir and prints what can be done with it; returns the exit status."""
    from yolojax.runs.imported import import_weights

    config = import_weights(options.weights, options.cfg, options.workdir, options.names, options.fit)
    height, width = config.data.size
    say(f"{options.workdir}: {config.model.name}, {config.model.num_classes} classes, {height} x {width} pixels")
    workdir = f"--workdir {shlex.quote(options.workdir)}"
    say("To detect with it, to evaluate it, and to fine-tune it on data of the same classes or of others:")
    say(f"{command('detect')} {workdir} PICTURE...")
    say(f"{command('eval')} {workdir} --data DATA")
    say(f"{command('train')} --workdir NEW_DIR --data DATA --weights {shlex.quote(options.workdir)}")
    return 0
