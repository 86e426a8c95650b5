"""Examine a data set before training: numbers to compare with what one expects, and every problem with file and line."""

import collections
import os
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from yolojax.boxes import pairwise_iou
from yolojax.data.anchors import anchor_fit, network_boxes
from yolojax.data.annotations import Record, box_outside, mostly_outside, show_box
from yolojax.data.plausible import (
    boxes_under_a_pixel,
    differs_from_stated,
    no_boxes,
    same_truth,
    similar_names,
    stated_size_message,
    under_a_pixel,
)
from yolojax.data.problems import Effect, Problem, effect_of
from yolojax.errors import InputError, one_line
from yolojax.grid import AnchorGrid
from yolojax.runtime.wording import counted

_DUPLICATE_IOU = 0.99
_BLOCK = 512  # boxes: bounds the memory of their overlaps
_MOST_COMPARED = 10_000  # different boxes of a picture; of more, only equal ones are found
_REMARKS_SHOWN = 10  # of each kind
_EFFECTS = {Effect.STOP: "stops", Effect.LEAVE_OUT: "left out", Effect.REMARK: "remark"}
_LEFT_OUT_BOXES = (
    "malformed box",
    "box too large",
    "inverted box",
    "normalised box",
    "box without area",
    "class without a name",
)


def find_problems(
    records: Sequence[Record], sizes: Sequence[tuple[int, int] | InputError], names: Sequence[str]
) -> list[Problem]:
    """Find the problems of well-formed records that only show beside their pictures or beside other records.

    Args:
        records: the pictures and their boxes.
        sizes: the result of `try_pictures`.
        names: the class names.

    Returns:
        Problems of pictures that cannot be read, are listed twice or do not have the size that their annotations state; of
        boxes outside or mostly outside their picture, given twice (same class, IoU > 0.99) or under a pixel; of names that may
        mean the same class and classes without a box; and of pictures that have no box at all.
    """
    problems: list[Problem] = []
    first: dict[str, Record] = {}
    for record, size in zip(records, sizes, strict=True):
        if isinstance(size, InputError):
            problems.append(Problem("unreadable picture", str(size)))
        else:
            if differs_from_stated(record, size):
                problems.append(Problem("stated size", stated_size_message(record, size)))
            problems += _boxes_outside(record, *size)
        problems += boxes_under_a_pixel(record)
        problems += _boxes_twice(record, names)
        earlier = first.setdefault(os.path.abspath(record.path), record)
        if earlier is not record:
            message = f"{record.source}: picture {record.path} is already at {earlier.source}; keep one, with all boxes"
            problems.append(Problem("picture twice" if same_truth(record, earlier) else "picture with other boxes", message))
    counts = _boxes_of_classes(records, names)
    if records and not counts.any():
        problems.append(Problem("no boxes", no_boxes(records)))
    for group in similar_names(names):
        members = " and ".join(f"{names[number]!r} ({counts[number]:,} boxes)" for number in group)
        problems.append(
            Problem(
                "similar class names",
                f"the names of classes {members} are alike; if they mean one class, give all its boxes one name",
            )
        )
    for name in (name for name, count in zip(names, counts, strict=True) if not count):
        message = f"class {name!r} has no box, so it will not be learnt; its name keeps the numbers of later classes in place"
        problems.append(Problem("class without boxes", message))
    return problems


def is_remark(kind: str, stops: Collection[str] = ()) -> bool:
    """Whether a kind of problem is only a remark: everything is used, and nothing is to be mended.

    Args:
        kind: the kind.
        stops: the kinds at which the format stops (`Format.stops`).
    """
    return effect_of(kind) is Effect.REMARK and kind not in stops


def describe(
    records: Sequence[Record],
    sizes: Sequence[tuple[int, int] | InputError],
    names: Sequence[str],
    grid: AnchorGrid,
    problems: Sequence[Problem],
    stops: Collection[str] = (),
) -> str:
    """Write the report on a data set: counts, sizes, boxes per picture, classes, fit of the anchors, what is used, problems.

    Args:
        records: the pictures and their boxes.
        sizes: the result of `try_pictures`.
        names: the class names.
        grid: the network's input size and anchors.
        problems: what was reported while reading the records, and what `find_problems` found.
        stops: the kinds at which the format stops (`Format.stops`).

    Returns:
        Lines of text.
    """
    boxes = np.array([len(record.boxes) for record in records], int)
    read = [(record, size) for record, size in zip(records, sizes, strict=True) if not isinstance(size, InputError)]
    kinds = collections.Counter(problem.kind for problem in problems)
    left_out = sum(kinds[kind] for kind in _LEFT_OUT_BOXES)
    lines = [f"pictures          {len(records):,}, of which {len(records) - len(read):,} cannot be read"]
    lines.append(f"without boxes     {np.count_nonzero(boxes == 0):,}")
    lines.append(f"boxes             {boxes.sum() + left_out:,}, of which {left_out:,} cannot be used")
    if records:
        lines.append(f"boxes a picture   {_spread(boxes)}")
    if read:
        heights, widths = np.array([size for _, size in read]).T
        lines.append(f"picture width     {_spread(widths)} pixels")
        lines.append(f"picture height    {_spread(heights)} pixels")
        lines.append(f"different sizes   {len(set(zip(heights.tolist(), widths.tolist(), strict=True))):,}")
    lines += ["", *_class_table(records, names), ""]
    usable = network_boxes([record for record, _ in read], [size for _, size in read], grid.size)
    if len(usable):
        fit = anchor_fit(usable, grid)
        input_size = f"{grid.size[0]} x {grid.size[1]}"
        lines.append(f"At {input_size} the network's anchors reach {fit.recall:.1%} of the boxes (best possible recall).")
        lines.append(f"The IoU of a box with its best anchor is {fit.mean_iou:.3f} on average, over 0.5 for {fit.close:.1%}.")
    else:
        lines.append("There are no boxes in readable pictures, so there is nothing to say about anchors.")
    lines += ["", *_use_table(records, sizes, problems, stops)]
    remarks = [problem for problem in problems if is_remark(problem.kind, stops)]
    if remarks:
        lines += ["", *_by_kind("remark", remarks, "   - ", _REMARKS_SHOWN)]
    lines += ["", *_by_kind("problem", [problem for problem in problems if not is_remark(problem.kind, stops)])]
    return "\n".join(map(one_line, lines))


def _use_table(
    records: Sequence[Record],
    sizes: Sequence[tuple[int, int] | InputError],
    problems: Sequence[Problem],
    stops: Collection[str],
) -> Iterator[str]:
    """One table of what training uses, leaves out and stops at; indented, as its first words are also labels above."""
    read = [record for record, size in zip(records, sizes, strict=True) if not isinstance(size, InputError)]
    crowd = sum(np.count_nonzero(record.crowd) for record in read)
    used = sum(np.count_nonzero(~record.crowd & ~under_a_pixel(record.boxes)) for record in read)
    rows = [("pictures", len(read), "used"), ("boxes", used, "used")]
    other_effects = {"box twice": "used twice"}
    if len({os.path.abspath(record.path) for record in records}) < len(records):
        other_effects["picture twice"] = "used twice"  # a list; other formats give a picture once
    if crowd:
        rows.append(("boxes around crowds", crowd, "left out"))
    for kind, count in collections.Counter(problem.kind for problem in problems).items():
        effect = Effect.STOP if kind in stops else effect_of(kind)
        rows.append((kind, count, other_effects.get(kind, _EFFECTS[effect])))
    width = max(len(kind) for kind, _, _ in rows)
    yield "What training does with it:"
    for kind, count, effect in rows:
        yield f"  {kind:{width}}  {count:10,}  {effect}"


def _by_kind(word: str, problems: Sequence[Problem], indent: str = "    ", shown: int | None = None) -> Iterator[str]:
    """Lines of problems under their kinds, all or the first of each."""
    yield f"{counted(len(problems), word)}{':' * bool(problems)}"
    kinds: dict[str, list[str]] = {}
    for kind, message in problems:
        kinds.setdefault(kind, []).append(message)
    for kind, messages in kinds.items():
        yield f"  {kind} ({len(messages):,})"
        yield from (f"{indent}{message}" for message in messages[:shown])
        if shown and len(messages) > shown:
            yield f"{indent}and {len(messages) - shown:,} more"


def _boxes_outside(record: Record, height: int, width: int) -> Iterator[Problem]:
    for row in np.flatnonzero(mostly_outside(record.boxes, height, width)).tolist():
        left, top, right, bottom = record.boxes[row].tolist()
        wholly = left >= width or top >= height or right <= 0 or bottom <= 0
        where = "outside" if wholly else "mostly outside"
        yield Problem(f"box {where} its picture", box_outside(record, row, height, width, where=where))


def _boxes_twice(record: Record, names: Sequence[str]) -> Iterator[Problem]:
    boxes, classes = record.boxes, record.classes
    # The same box a million times is compared once, and so are not a million different ones, each with each.
    rows = np.column_stack([boxes.astype(np.float64), classes])
    _, first, kind = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    earliest = first.copy()
    for start in range(0, len(first) if len(first) <= _MOST_COMPARED else 0, _BLOCK):
        block = first[start : start + _BLOCK]
        alike = (pairwise_iou(boxes[block], boxes[first]) > _DUPLICATE_IOU) & (classes[block, None] == classes[first])
        found = np.where(alike, first, len(boxes)).min(axis=1, initial=len(boxes))
        earliest[start : start + _BLOCK] = np.minimum(block, found)
    repeated = earliest[kind.reshape(-1)]
    for row in np.flatnonzero(repeated < np.arange(len(boxes))):
        yield Problem(
            "box twice",
            f"{record.source}: box {show_box(boxes[row])} repeats {show_box(boxes[repeated[row]])}, both "
            f"{names[classes[row]]!r}; remove one",
        )


def _boxes_of_classes(records: Sequence[Record], names: Sequence[str]) -> np.ndarray:
    return _count([record.classes for record in records], names)


def _count(classes: Iterable[np.ndarray], names: Sequence[str]) -> np.ndarray:
    return np.bincount(np.concatenate([np.zeros(0, int), *classes]), minlength=len(names))


def _class_table(records: Sequence[Record], names: Sequence[str]) -> Iterator[str]:
    boxes = _boxes_of_classes(records, names)
    pictures = _count([np.unique(record.classes) for record in records], names)
    width, most = max(map(len, ("class", *names))), boxes.max(initial=1)
    yield f"{'class':{width}}  {'boxes':>10}  {'pictures':>10}"
    for row in np.argsort(-boxes, kind="stable"):
        bar = "#" * round(float(30 * boxes[row] / most))
        yield f"{names[row]:{width}}  {boxes[row]:10,}  {pictures[row]:10,}  {bar}".rstrip()


def _spread(values: np.ndarray) -> str:
    return f"{values.min():,} to {values.max():,}, median {np.median(values):,g}"
