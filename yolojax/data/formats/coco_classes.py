"""Classes from the categories of COCO files: one numbering for all files of a data set."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yolojax.data.formats.coco_file import CocoFile
from yolojax.data.formats.coco_values import Entries, as_id, category_id_field, place_of, text_field
from yolojax.data.problems import OnProblem


class Category(NamedTuple):
    """A category of a file.

    Attributes:
        number: its id.
        name: its name, without blanks around it.
        group: its supercategory, or None.
        where: what messages call it.
    """

    number: int
    name: str
    group: str | None
    where: str


class Categories(NamedTuple):
    """The categories of a file.

    Attributes:
        path: the file.
        entries: the categories, in the order of their ids.
        used: the ids that annotations refer to.
    """

    path: Path
    entries: tuple[Category, ...]
    used: frozenset[int | str | None]


def read_categories(path: Path, content: CocoFile, become_names: bool, on_problem: OnProblem) -> Categories:
    """Read the categories of a file.

    Args:
        path: the file.
        content: its lists.
        become_names: whether the names become class names, for which they must be lines of text.
        on_problem: called for a category that cannot be used; if it returns, that is left out.

    Returns:
        The categories; several may have the same name.
    """
    used = frozenset(as_id(annotation.get("category_id")) for _, annotation in content.annotations)
    entries = _read_entries(path, content.categories, become_names, on_problem)
    return Categories(path, tuple(entries[number] for number in sorted(entries)), used)


def number_classes(files: Sequence[Categories], place: Path, on_problem: OnProblem) -> tuple[str, ...]:
    """Choose the class names of a data set from the categories of its files.

    Classes are numbered in the order of their ids in the first file; then follow those that other files add. Categories of the
    same name are one class. A category 0 that is only the group of all others, as Roboflow writes it, is none.

    Args:
        files: the categories of each file.
        place: the file or folder that messages name.
        on_problem: called with a remark for each of these.

    Returns:
        The class names.
    """
    group = _unused_group(files)
    if group is not None:
        message = f"{place}: category 0, {group!r}, is the supercategory of all others and has no annotation; it is not a class"
        on_problem("unused category", message)
    names: dict[str, None] = {}
    for file in files:
        entries = [entry for entry in file.entries if group is None or entry.number != 0]
        first: dict[str, Category] = {}
        for entry in entries:
            if first.setdefault(entry.name, entry) is not entry:
                message = f"{entry.where}: {entry.name!r} is the name of category {first[entry.name].number} as well"
                on_problem("category twice", f"{message}; they are one class")
        added = [name for name in first if name not in names]
        lacking = [name for name in names if name not in first]
        if file is not files[0] and (added or lacking):
            different = [f"adds {', '.join(map(repr, added))}"] * bool(added)
            different += [f"lacks {', '.join(map(repr, lacking))}"] * bool(lacking)
            message = f"{file.path}: {' and '.join(different)}; the classes of all splits are numbered together, by their names"
            on_problem("other categories", message)
        names.update(first.fromkeys(added))
    if not names:
        on_problem("no classes", f"{place}: categories: no class names; every class needs one")
    return tuple(names)


def _unused_group(files: Sequence[Categories]) -> str | None:
    """The name of a category 0 that no annotation uses, and that all others of every file have as their supercategory."""
    groups = set()
    for file in files:
        if len(file.entries) < 2 or 0 in file.used:
            return None
        first, *others = file.entries
        if first.number != 0 or first.group != "none" or any(other.group != first.name for other in others):
            return None
        groups.add(first.name)
    return groups.pop() if len(groups) == 1 else None


def _read_entries(path: Path, categories: Entries, become_names: bool, on_problem: OnProblem) -> dict[int, Category]:
    """{id: category} of the categories that can be used."""
    entries: dict[int, Category] = {}
    report = functools.partial(on_problem, "malformed category")
    for place, category in categories:
        where = place_of(path, "category", "categories", category, place)
        number, name = category_id_field(category, "id", where, report), text_field(category, "name", where, report)
        if number is None or name is None:
            continue
        group, name = category.get("supercategory"), name.strip()
        if number in entries:
            report(f"{where} is there twice; give every category its own id")
        elif become_names and not (name and name.isprintable()):
            report(f"{where}: the name {category['name']!r} is not a line of text")
        else:
            entries[number] = Category(number, name, group.strip() if isinstance(group, str) else None, where)
    return entries
