"""`python -m yolojax COMMAND`: the tools around training."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from yolojax.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; arguments: without the program's name, by default those of the process.

    Returns: the exit status: 0, or 1 after an InputError, which is shown as one line, and where `check` finds problems.
    """
    parser = argparse.ArgumentParser(prog="python -m yolojax", description="Tools around training YOLOv3 with yolojax.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_check(commands)
    _add_anchors(commands)
    _add_digits(commands)
    _add_convert(commands)
    _add_import(commands)
    _add_export(commands)
    options = parser.parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads the report, as head does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _add_check(commands):
    parser = commands.add_parser(
        "check",
        help="examine a data set before training",
        description="Read a data set and all its pictures and report counts, sizes, classes, what the anchors reach, and every "
        "problem with file and line. Changes nothing. The exit status is 0 for a clean set and 1 for one with problems.",
    )
    _add_data_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="SHEET.png",
        help="also draw some pictures with their boxes and the slots (cell and anchor) that answer for them",
    )
    parser.set_defaults(run=_check)


def _add_anchors(commands):
    parser = commands.add_parser(
        "anchors",
        help="find anchors that fit a data set",
        description="Cluster the boxes of a data set by k-means with IoU distance and print the anchors beside the network's "
        "own: the mean IoU of a box with its best anchor, the share of boxes that an anchor at their cell overlaps by more "
        "than 0.3 (best possible recall), and the share whose shape an anchor matches by more than 0.5.",
    )
    _add_data_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers, from 0 (default: %(default)s)")
    parser.set_defaults(run=_anchors)


def _add_data_arguments(parser):
    parser.add_argument(
        "data", metavar="DATA", help="text list, VOC folder, COCO .json or YOLO data.yaml; DIR:SPLIT takes one split"
    )
    parser.add_argument("--names", metavar="FILE", help="class names, one a line; text lists need it (default: of the data)")
    parser.add_argument(
        "--size", type=int, default=416, metavar="PIXELS", help="height and width of the input (default: %(default)s)"
    )
    parser.add_argument(
        "--network", choices=("yolov3", "yolov3_tiny"), default="yolov3", help="whose anchors (default: %(default)s)"
    )


def _check(options):
    from yolojax.data.check import Problem, describe, find_problems
    from yolojax.data.contact_sheet import contact_sheet
    from yolojax.data.formats.read import read_data
    from yolojax.data.image_size import try_pictures
    from yolojax.data.images import read_image, write_image

    grid = _grid(options)
    problems = []
    names, records = read_data(options.data, options.names, lambda *problem: problems.append(Problem(*problem)))
    sizes = try_pictures(records)
    problems += find_problems(records, sizes, names)
    print(describe(records, sizes, names, grid, problems))
    if options.out:
        shown = [record for record, size in zip(records, sizes, strict=True) if isinstance(size, tuple) and len(record.boxes)]
        if not shown:
            raise InputError(f"{options.out}: not written, as no picture that can be read has boxes")
        # Evenly through the list: neighbours are often alike.
        shown = [shown[i * len(shown) // 6] for i in range(6)] if len(shown) > 6 else shown
        write_image(options.out, contact_sheet([(record, read_image(record.path)) for record in shown], names, grid))
        print(f"\n{options.out}: {len(shown)} pictures with their boxes and slots")
    return 1 if problems else 0


def _anchors(options):
    from yolojax.data.anchors import anchor_fit, find_anchors, network_boxes
    from yolojax.data.formats.names import read_names
    from yolojax.data.formats.read import read_annotations
    from yolojax.data.image_size import picture_sizes

    if options.seed < 0:
        raise InputError(f"--seed must be at least 0, not {options.seed}")
    grid = _grid(options)
    records = read_annotations(options.data, names=read_names(options.names) if options.names else None).records
    boxes = network_boxes(records, picture_sizes(records), grid.size)
    found = find_anchors(boxes, grid, options.seed)
    print(f"{len(boxes):,} boxes of {len(records):,} pictures at {options.size} x {options.size}\n")
    print("anchors    mean IoU  best possible recall  shape IoU > 0.5")
    for name, of in (("default", grid), ("found", found)):
        fit = anchor_fit(boxes, of)
        print(f"{name:9}  {fit.mean_iou:8.3f}  {fit.recall:20.1%}  {fit.close:15.1%}")
    for name, of in (("default", grid), ("found", found)):
        print(f"\n{name}:")
        for stride, anchors in zip(of.strides, of.anchors, strict=True):
            print(f"  stride {stride:2}  " + "  ".join(f"{f'{w:g} x {h:g}':14}" for w, h in anchors).rstrip())
    flag = f"--config.model.anchors={found.anchors}".replace(" ", "")
    print(f"\nTo train {options.network} with them:\n{shlex.quote(flag)}")
    return 0


def _grid(options):
    from yolojax.config import ModelConfig
    from yolojax.models import build_grid

    if options.size < 32 or options.size % 32:
        raise InputError(f"--size must be a multiple of 32, at least 32, not {options.size}")
    return build_grid(ModelConfig(name=options.network), options.size)


def _add_digits(commands):
    parser = commands.add_parser(
        "digits",
        help="write a small detection set of handwritten digits",
        description="Write a detection set of handwritten digits, black on white, as PNG files and text lists: a first "
        "set to train on, and an example of the list format (path x1,y1,x2,y2,class x1,y1,x2,y2,class ...).",
        epilog="A picture holds up to 3 large (84 and 112 pixels), 6 medium (28, 42 and 56) and 3 small digits (14 and "
        "22). Training and validation pictures show different digits. The same seed writes the same bytes.",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new or empty")
    parser.add_argument(
        "--mnist",
        metavar="FILE.npz",
        help="MNIST, with arrays x_train, y_train, x_test and y_test; without it, the digits that come with "
        "scikit-learn are used",
    )
    parser.add_argument("--train", type=int, default=1000, metavar="N", help="training pictures (default: %(default)s)")
    parser.add_argument("--val", type=int, default=200, metavar="N", help="validation pictures (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=416, metavar="PIXELS", help="height and width of a picture (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers, from 0 (default: %(default)s)")
    parser.set_defaults(run=_digits)


def _digits(options):
    from yolojax.data.digits import write_mnist_detection

    written = write_mnist_detection(
        options.out,
        mnist=options.mnist,
        train=options.train,
        val=options.val,
        size=options.size,
        seed=options.seed,
    )
    out = Path(options.out)
    print(f"{out}: {options.train} training pictures with {written['train']} digits (train.txt),")
    print(f"{out}: {options.val} validation pictures with {written['val']} digits (val.txt), and digits.names")
    lists = {"train": out / "train.txt", "val": out / "val.txt", "names": out / "digits.names"}
    flags = " ".join(f"--config.data.{field}={shlex.quote(str(path))}" for field, path in lists.items())
    print("To train on them:")
    print(f"python train.py --workdir runs/mnist --config configs/mnist.py {flags}")
    return 0


def _add_convert(commands):
    parser = commands.add_parser(
        "convert",
        help="write annotations in another format",
        description="Write annotations in another format, recognised by itself: a text list, a VOC folder (Annotations, "
        "JPEGImages, ImageSets/Main), a COCO .json or a YOLO data.yaml. What the new format cannot say is said in a line.",
        epilog="Pictures are not copied: text lists and COCO refer to them, VOC and YOLO get links in JPEGImages or images, "
        "all by relative paths. Several DATA become several splits.",
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="what to read; DIR:SPLIT takes one split of a VOC folder")
    parser.add_argument("--to", required=True, choices=("text", "voc", "coco", "yolo"), help="the format to write")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new or empty, outside the data")
    parser.add_argument("--split", help="only this split of a VOC folder or a data.yaml (default: all, each by its name)")
    parser.add_argument("--names", metavar="FILE", help="class names, one a line; text lists need it (default: of the data)")
    parser.set_defaults(run=_convert)


def _convert(options):
    from yolojax.data.convert import convert
    from yolojax.data.formats.names import read_names

    names = read_names(options.names) if options.names else None
    for line in convert(options.data, options.to, options.out, split=options.split, names=names):
        print(line)
    print(f"written to {options.out}")
    return 0


def _add_import(commands):
    parser = commands.add_parser(
        "import",
        help="make a workdir of Darknet's files",
        description="Make a workdir of a Darknet network, for eval.py, detect.py and train.py, which goes on from its weights.",
        epilog="A cfg of YOLOv3, YOLOv3-SPP or YOLOv3-tiny becomes that network; any other detector of the YOLO family from "
        "version 3 on is kept as its cfg. What a cfg asks for and yolojax cannot do is named with its line.",
    )
    parser.add_argument("weights", metavar="FILE.weights", help="the weights, of any version of Darknet")
    parser.add_argument("--cfg", required=True, metavar="FILE.cfg", help="the network that they belong to")
    parser.add_argument("--workdir", required=True, metavar="DIR", help="the folder to make; it must not hold a run")
    parser.add_argument("--names", metavar="FILE", help="class names, one a line (default: the classes' numbers)")
    parser.add_argument(
        "--fit",
        choices=("letterbox", "stretch"),
        default="letterbox",
        help="keep a picture's proportions, or not, as AlexeyAB's Darknet by default (default: %(default)s)",
    )
    parser.set_defaults(run=_import)


def _import(options):
    from yolojax.runs.imported import import_weights

    config = import_weights(options.weights, options.cfg, options.workdir, options.names, options.fit)
    height, width = config.data.size
    print(f"{options.workdir}: {config.model.name}, {config.model.num_classes} classes, {height} x {width} pixels")
    workdir = shlex.quote(options.workdir)
    print("To use it, to measure it, and to train it on:")
    print(f"python detect.py --workdir {workdir} PICTURE...")
    print(f"python eval.py --workdir {workdir} --data DATA")
    print(f"python train.py --workdir {workdir} --config configs/data_set.py --config.data.train=DATA --config.data.val=DATA")
    return 0


def _add_export(commands):
    from yolojax.export.workdir import FORMATS

    parser = commands.add_parser(
        "export",
        help="write a trained network for other programs",
        description="Write the network of a run for other programs: stablehlo is one program for JAX alone, from pictures to "
        "boxes; onnx has raw heads, boxes and scores, for onnxruntime, OpenCV and others; darknet is model.cfg, model.weights "
        "and model.names. What was written is compared with the network on pictures before it is put in its place; where they "
        "differ, nothing is left.",
    )
    parser.add_argument("workdir", metavar="WORKDIR", help="folder of the run, as train.py left it")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format to write")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file to write, which replaces one that is there; of darknet a folder"
    )
    parser.add_argument(
        "--checkpoint", default="best", help="best (by config.train.save_best_by), last, or a step (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", nargs="+", default=(), metavar="SOURCE", help="pictures, folders and globs to compare the file and "
        "the network on (default: validation pictures of the run)"
    )  # fmt: skip
    parser.set_defaults(run=_export)


def _export(options):
    from yolojax.export.workdir import export_workdir

    line = export_workdir(options.workdir, options.to, options.out, checkpoint=options.checkpoint, pictures=options.pictures)
    print(f"{options.out}: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
