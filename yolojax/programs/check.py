"""`yolojax check`: examines a data set before training."""

import argparse
import os

from yolojax.errors import InputError
from yolojax.programs.data_arguments import add_data_argument, add_grid_arguments, make_grid
from yolojax.runtime.streams import say
from yolojax.runtime.wording import counted

_SHEET_PICTURES = 6


def define(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.description = (
        "Read a data set and all its pictures and report counts, sizes, classes, how well the anchors fit, what training uses, "
        "and every problem with file and line. Changes nothing. The exit status is 0 for a set without problems, though there "
        "may be remarks, and 1 for one with problems."
    )
    add_data_argument(parser)
    add_grid_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="SHEET.png",
        help="also draw some pictures with their boxes and the slots (cell and anchor) that are responsible for them",
    )


def main(options: argparse.Namespace) -> int:
    """Prints the report and returns the exit status, 1 where there are problems."""
    from yolojax.data.check import Problem, describe, find_problems, is_remark
    from yolojax.data.formats.read import FORMATS, read_data, recognise, split_of
    from yolojax.data.image_size import try_pictures

    grid = make_grid(options)
    problems: list[Problem] = []

    def report(kind: str, message: str) -> None:
        problems.append(Problem(kind, message))

    names, records = read_data(options.data, options.names, report)
    stops = FORMATS[recognise(split_of(options.data)[0])].stops
    sizes = try_pictures(records, report)
    problems += find_problems(records, sizes, names)
    say(describe(records, sizes, names, grid, problems, stops))
    if options.out:
        count = _write_sheet(options.out, records, sizes, names, grid)
        say(f"\n{options.out}: {counted(count, 'picture')} with boxes and slots")
    return 0 if all(is_remark(problem.kind, stops) for problem in problems) else 1


def _write_sheet(path, records, sizes, names, grid):
    """Draws some of the pictures into one file; returns their number."""
    from yolojax.data.contact_sheet import contact_sheet
    from yolojax.data.images import read_image, write_image
    from yolojax.runtime.marks import refuse_to_replace

    shown = [record for record, size in zip(records, sizes, strict=True) if isinstance(size, tuple) and len(record.boxes)]
    if not shown:
        raise InputError(f"{path}: not written, because no readable picture has boxes")
    if os.path.exists(path) and any(os.path.exists(r.path) and os.path.samefile(path, r.path) for r in records):
        raise InputError(f"{path}: is a picture of the data and would be overwritten; name another --out")
    refuse_to_replace(path)
    if len(shown) > _SHEET_PICTURES:
        # Evenly through the list, because neighbours are often alike.
        shown = [shown[i * len(shown) // _SHEET_PICTURES] for i in range(_SHEET_PICTURES)]
    write_image(path, contact_sheet([(record, read_image(record.path)) for record in shown], names, grid), marked=True)
    return len(shown)
