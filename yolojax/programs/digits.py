"""`yolojax digits`: writes a small detection set of handwritten digits."""

import argparse
import shlex
from pathlib import Path

from yolojax.programs.data_arguments import add_seed_argument
from yolojax.runtime.command import command
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Write a detection set of handwritten digits, black on white, as PNG files and text lists: a first set to train on, "
        "and an example of the list format (path x1,y1,x2,y2,class x1,y1,x2,y2,class ...)."
    )
    parser.epilog = (
        "A picture holds up to 3 large (84 and 112 pixels), 6 medium (28, 42 and 56) and 3 small digits (14 and 22). Training "
        "and validation pictures show different digits. The same seed writes the same bytes. MNIST as an .npz file is at "
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz, as IDX files under "
        "https://ossci-datasets.s3.amazonaws.com/mnist/."
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new or empty")
    parser.add_argument(
        "--mnist",
        metavar="PATH",
        help="MNIST: an .npz file with arrays x_train, y_train, x_test and y_test, or the folder of its four IDX files "
        "(train-images-idx3-ubyte and so on, .gz or not), or one of these (default: the 1,797 digits that come with yolojax)",
    )
    parser.add_argument("--train", type=int, default=1000, metavar="N", help="training pictures (default: %(default)s)")
    parser.add_argument("--val", type=int, default=200, metavar="N", help="validation pictures (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=416, metavar="PIXELS", help="height and width of a picture (default: %(default)s)"
    )
    add_seed_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Writes the set, prints what was written and how to train on it; returns the exit status."""
    from yolojax.data.digits import write_mnist_detection

    written = write_mnist_detection(
        options.out, mnist=options.mnist, train=options.train, val=options.val, size=options.size, seed=options.seed
    )
    out = Path(options.out)
    train, val = counted(options.train, "training picture"), counted(options.val, "validation picture")
    say(f"{out}: {train} with {counted(written['train'], 'digit')} (train.txt),")
    say(f"{out}: {val} with {counted(written['val'], 'digit')} (val.txt), and digits.names")
    lists = {"train": out / "train.txt", "val": out / "val.txt", "names": out / "digits.names"}
    flags = " ".join(f"--config.data.{field}={shlex.quote(str(path))}" for field, path in lists.items())
    say("To train on them:")
    say(f"{command('train')} --workdir runs/mnist --config mnist {flags}")
    return 0
