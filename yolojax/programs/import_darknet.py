"""`yolojax import`: makes a workdir from Darknet's files."""

import argparse
import shlex

from yolojax.runtime.command import command
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted


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
    parser.add_argument("--cfg", metavar="FILE.cfg", help="the network that they belong to (default: found beside the weights)")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="the folder to make; it must not hold a run")
    parser.add_argument(
        "--names",
        metavar="FILE",
        help="class names, one per line (default: a .names file of their number beside the weights; else those of COCO for 80 "
        "classes, of VOC for 20, and numbers for others)",
    )
    parser.add_argument(
        "--fit",
        choices=("letterbox", "stretch"),
        help="letterbox keeps a picture's proportions; stretch, as in AlexeyAB's Darknet, does not (default: letterbox, unless "
        "the cfg says letter_box=0)",
    )


def main(options: argparse.Namespace) -> int:
    """Makes the workdir and prints what can be done with it; returns the exit status."""
    from yolojax.darknet.beside import find_companions
    from yolojax.runs.imported import import_weights

    found = find_companions(options.weights, options.cfg, options.names)
    config = import_weights(options.weights, found.cfg, options.workdir, found.names or None, options.fit)
    height, width = config.data.size
    fit = "stretched" if config.data.fit.endswith("stretch") else "letterboxed"
    say(f"{options.workdir}: {config.model.name}, {counted(config.model.num_classes, 'class')}, {height} x {width} pixels")
    say(f"its network is that of {found.cfg}; pictures are {fit}")
    say(found.about_names())
    workdir = f"--workdir {shlex.quote(options.workdir)}"
    say("To detect with it, to evaluate it, and to fine-tune it on data of the same classes or of others:")
    say(f"{command('detect')} {workdir} PICTURE...")
    say(f"{command('eval')} {workdir} --data DATA")
    say(f"{command('train')} --workdir NEW_DIR --data DATA --weights {shlex.quote(options.workdir)}")
    return 0
