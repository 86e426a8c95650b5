"""`python -m yolojax COMMAND`: the tools around training."""

import argparse
import shlex
import sys
from pathlib import Path

from yolojax.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; arguments: without the program's name, by default those of the process.

    Returns: the exit status: 0, or 1 after an InputError, which is shown as one line.
    """
    parser = argparse.ArgumentParser(prog="python -m yolojax", description="Tools around training YOLOv3 with yolojax.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_digits(commands)
    _add_convert(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


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
    from yolojax.data.annotations import read_names
    from yolojax.data.convert import convert

    names = read_names(options.names) if options.names else None
    for line in convert(options.data, options.to, options.out, split=options.split, names=names):
        print(line)
    print(f"written to {options.out}")


if __name__ == "__main__":
    sys.exit(main())
