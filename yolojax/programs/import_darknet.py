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
    from yolojax.darknet.beside import find_cfg, find_names
    from yolojax.darknet.cfg import read_cfg
    from yolojax.darknet.describe import model_of
    from yolojax.errors import InputError
    from yolojax.runs.imported import import_weights

    cfg = options.cfg or find_cfg(options.weights)
    if cfg is None:
        raise InputError(f"{options.weights}: there is no cfg of its name beside it; give its cfg with --cfg")
    names, named_by = options.names, options.names
    if names is None:
        names, named_by = find_names(options.weights, model_of(read_cfg(cfg))[0].num_classes)
    config = import_weights(options.weights, cfg, options.workdir, names or None, options.fit)
    height, width = config.data.size
    fit = "stretched" if config.data.fit.endswith("stretch") else "letterboxed"
    say(f"{options.workdir}: {config.model.name}, {config.model.num_classes} classes, {height} x {width} pixels")
    say(f"its network is that of {cfg}; pictures are {fit}")
    reason = f"; {named_by}" * bool(named_by)
    say(f"class names: {named_by}" if names else f"class names: not known, so their numbers{reason} (--names)")
    workdir = f"--workdir {shlex.quote(options.workdir)}"
    say("To detect with it, to evaluate it, and to fine-tune it on data of the same classes or of others:")
    say(f"{command('detect')} {workdir} PICTURE...")
    say(f"{command('eval')} {workdir} --data DATA")
    say(f"{command('train')} --workdir NEW_DIR --data DATA --weights {shlex.quote(options.workdir)}")
    return 0
