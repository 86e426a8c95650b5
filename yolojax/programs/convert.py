"""`yolojax convert`: writes annotations in another format."""

import argparse

from yolojax.programs.data_arguments import add_names_argument
from yolojax.runtime.streams import say


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Write annotations in another format. The format of the data is recognised: a text list, a VOC folder (Annotations, "
        "JPEGImages, ImageSets/Main), a COCO .json, a YOLO data.yaml, and, only "
        "to be read, a .csv of boxes, LabelMe's .json files and CVAT's XML. Whatever the new format cannot express is reported."
    )
    parser.epilog = (
        "Pictures are not copied: text lists and COCO refer to them, VOC and YOLO get links in JPEGImages or images, all by "
        "relative paths. Several DATA become several splits, named after the files, or after the folders around them if those "
        "are called train, valid or test, as in Roboflow's exports; FILE:NAME gives a name."
    )
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="what to read; DIR:SPLIT takes one split; FILE:NAME names a split"
    )
    parser.add_argument("--to", required=True, choices=("text", "voc", "coco", "yolo"), help="the format to write")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new or empty, outside the data")
    parser.add_argument("--split", help="only this split of a VOC folder or a data.yaml (default: all, under their own names)")
    add_names_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Converts, and prints what was written and what was lost; returns the exit status."""
    from yolojax.data.convert import convert
    from yolojax.data.formats.names import read_names

    names = read_names(options.names) if options.names else None
    for line in convert(options.data, options.to, options.out, split=options.split, names=names):
        say(line)
    say(f"written to {options.out}")
    return 0
