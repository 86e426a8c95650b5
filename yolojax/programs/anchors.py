"""`yolojax anchors`: finds anchors that fit a data set."""

import argparse
import shlex

from yolojax.errors import InputError
from yolojax.programs.data_arguments import add_data_argument, add_grid_arguments, add_seed_argument, make_grid
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Cluster the boxes of a data set by k-means with IoU distance and print the anchors beside the network's own: the mean "
        "IoU of a box with its best anchor, the share of boxes that an anchor at their cell overlaps by more than 0.3 (best "
        "possible recall), and the share whose shape an anchor matches by more than 0.5. With --ratio the best "
        "possible recall is that of loss.assign_rule=ratio: the share of boxes with sides within that factor of an anchor's."
    )
    add_data_argument(parser)
    add_grid_arguments(parser)
    add_seed_argument(parser)
    parser.add_argument(
        "--ratio", type=float, metavar="FACTOR", help="measure recall as config.loss.assign_rule=ratio assigns, mostly 4"
    )


def _stretches(cfg: str | None) -> bool:
    """Whether a cfg says that pictures are stretched to the input."""
    from yolojax.darknet.cfg import read_cfg
    from yolojax.darknet.detector import stated_fit

    return cfg is not None and stated_fit(read_cfg(cfg)) == "stretch"


def main(options: argparse.Namespace) -> int:
    """Prints both sets of anchors, how well they fit, and the flag for training; returns the exit status."""
    from yolojax.data.anchors import anchor_fit, find_anchors, network_boxes
    from yolojax.data.formats.names import read_names
    from yolojax.data.formats.read import read_annotations
    from yolojax.data.image_size import picture_sizes

    if options.seed < 0:
        raise InputError(f"--seed must be at least 0, not {options.seed}")
    if options.ratio is not None and not options.ratio > 1:
        raise InputError(f"--ratio must be greater than 1, not {options.ratio:g}")
    default = make_grid(options)
    records = read_annotations(options.data, names=read_names(options.names) if options.names else None).records
    boxes = network_boxes(records, picture_sizes(records), default.size, stretch=_stretches(options.cfg))
    fitted = find_anchors(boxes, default, options.seed)
    grids = {"default": default, "found": fitted}
    height, width = default.size
    say(f"{counted(len(boxes), 'box')} of {counted(len(records), 'picture')} at {height} x {width}\n")
    say("anchors    mean IoU  best possible recall  shape IoU > 0.5")
    for name, grid in grids.items():
        fit = anchor_fit(boxes, grid, ratio=options.ratio)
        say(f"{name:9}  {fit.mean_iou:8.3f}  {fit.recall:20.1%}  {fit.close:15.1%}")
    for name, grid in grids.items():
        say(f"\n{name}:")
        for stride, anchors in zip(grid.strides, grid.anchors, strict=True):
            say(f"  stride {stride:2}  " + "  ".join(f"{f'{w:g} x {h:g}':14}" for w, h in anchors).rstrip())
    flag = f"--config.model.anchors={fitted.anchors}".replace(" ", "")
    given = [*(["--cfg", options.cfg] if options.cfg else []), flag]
    if options.size is not None:
        given.append(f"--config.data.size={height},{width}")
    say(f"\nTo train {options.cfg or options.network or 'yolov3'} with them:\n{shlex.join(given)}")
    return 0
