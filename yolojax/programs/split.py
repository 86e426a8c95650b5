"""`yolojax split`: divides a data set into training, validation and test pictures."""

import argparse
import shlex
from pathlib import Path

import numpy as np

from yolojax.programs.data_arguments import add_data_argument, add_seed_argument
from yolojax.runtime.command import command
from yolojax.runtime.streams import say


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Divide a data set of any format at random into training, validation and test pictures: text lists in a new folder, "
        "which refer to the pictures by relative paths. Changes nothing else. The same seed gives the same division."
    )
    parser.epilog = (
        "Each list gets its share of the pictures of every class, as far as the numbers allow; train.txt gets at least one of "
        "each class first. Pictures that show the same thing, such as frames of one video or pictures of one patient, must not "
        "be in two lists: --groups keeps them together. Files of the same content always are."
    )
    add_data_argument(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new or empty")
    parser.add_argument(
        "--val",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share for validation; 0 writes no val.txt (default: %(default)s)",
    )
    parser.add_argument(
        "--test",
        type=float,
        default=0.2,
        metavar="SHARE",
        help="share for testing; 0 writes no test.txt (default: %(default)s)",
    )
    parser.add_argument(
        "--groups",
        metavar="PATTERN",
        help="regular expression: pictures whose file names have the same first group, or match, are in one list; "
        "'^(.*)_[0-9]+' for frames like street_0017.jpg",
    )
    add_seed_argument(parser)


def main(options: argparse.Namespace) -> int:
    """Divides, prints what each list holds and how to train on them; returns the exit status."""
    from yolojax.data.formats.names import read_names
    from yolojax.data.split import split_data

    names = read_names(options.names) if options.names else None
    split = split_data(
        options.data, options.out, val=options.val, test=options.test, seed=options.seed, names=names, groups=options.groups
    )
    for line in [*split.losses, *split.groups, *_table(split.parts, split.names), *_absent(split.parts, split.names)]:
        say(line)
    say(f"written to {options.out}\nTo train on them:")
    out = Path(options.out)
    fields = {name: f"{name}.txt" for name in split.parts} | {"names": "classes.names"}
    flags = " ".join(f"--config.data.{field}={shlex.quote(str(out / file))}" for field, file in fields.items())
    say(f"{command('train')} --workdir runs/mine --config data_set {flags}")
    return 0


def _table(parts, names):
    """Lines of a table: pictures and boxes of each part, and of each class in it."""
    counts = {part: _counts(records, len(names)) for part, records in parts.items()}
    rows = [("", *(f"{part:>18}" for part in parts))]
    rows.append(("pictures", *(f"{len(records):>18,}" for records in parts.values())))
    rows.append(("boxes", *(f"{sum(len(record.boxes) for record in records):>18,}" for records in parts.values())))
    for class_id, name in enumerate(names):
        cells = (f"{boxes[class_id]:,} in {pictures[class_id]:,}" for boxes, pictures in counts.values())
        rows.append((f"  {name}", *(f"{cell:>18}" for cell in cells)))
    width = max(len(row[0]) for row in rows)
    return ["".join([f"{row[0]:{width}}", *row[1:]]) for row in rows]


def _counts(records, num_classes):
    """Boxes of each class, and pictures with it."""
    boxes, pictures = np.zeros(num_classes, int), np.zeros(num_classes, int)
    for record in records:
        boxes += np.bincount(record.classes, minlength=num_classes)
        pictures[np.unique(record.classes)] += 1
    return boxes, pictures


def _absent(parts, names):
    """A line for each part that lacks classes that another part has."""
    present = {part: {int(class_id) for record in records for class_id in record.classes} for part, records in parts.items()}
    for part, classes in present.items():
        missing = sorted(set().union(*present.values()) - classes)
        if missing:
            yield f"{part} has no box of: {', '.join(names[class_id] for class_id in missing)}"
