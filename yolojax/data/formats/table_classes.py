"""The files of class names that lie beside tables of boxes."""

import csv
from collections.abc import Iterable
from pathlib import Path

from yolojax.data.formats.table_columns import Cells, is_whole, split_cells
from yolojax.data.lines import read_lines
from yolojax.data.problems import OnProblem
from yolojax.errors import InputError


def listed_classes(folders: Iterable[Path], on_problem: OnProblem) -> list[str] | None:
    """Read RetinaNet's list of classes: rows `name,id` in a file such as classes.csv.

    Args:
        folders: where it may lie.
        on_problem: called, with file and line, for a name or id that is there twice, or a name that is not a line of text.

    Returns:
        The class names in the order of their ids; None if there is no such file.
    """
    for folder in folders:
        for file in sorted(folder.glob("*class*.csv")):
            if (names := _names_in(file, on_problem)) is not None:
                return names
    return None


def display_names(folder: Path) -> dict[str, str]:
    """Read Open Images' class-descriptions*.csv.

    Args:
        folder: where it lies, if it does.

    Returns:
        The names of the codes, as {"/m/01g317": "Person"}.
    """
    rows = [row.values for file in sorted(folder.glob("class-descriptions*.csv")) for row in _rows(file)]
    return {values[0]: values[1] for values in rows if len(values) == 2 and values[0].startswith("/m/")}


def _names_in(path: Path, on_problem: OnProblem) -> list[str] | None:
    """The class names of a file of rows `name,id`, in the order of their ids; None if it is something else."""
    rows = _rows(path)
    if rows and not is_whole(rows[0].values[-1]):
        rows = rows[1:]
    if not rows or not all(len(row.values) == 2 and is_whole(row.values[1]) for row in rows):
        return None
    names: dict[int, str] = {}
    given: set[str] = set()
    for line, (name, number) in rows:
        if int(number) in names or name in given:
            on_problem("malformed category", f"{path}:{line}: {name},{number}: the name or the id is there twice; keep one")
        elif not name or not name.isprintable():
            on_problem("malformed category", f"{path}:{line}: the name {name!r} is not a line of text")
        else:
            names[int(number)] = name
            given.add(name)
    return [names[number] for number in sorted(names)]


def _rows(path: Path) -> list[Cells]:
    """The rows of a file; none if it cannot be read."""
    try:
        return split_cells(read_lines(path))[1]
    except (InputError, csv.Error):
        return []
