"""The check of a data set: every kind of problem is named, and a clean set has none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.boxes import iou as oracle_iou
from yolojax.data.annotations import Record
from yolojax.data.check import Problem, describe, find_problems
from yolojax.errors import InputError
from yolojax.grid import AnchorGrid

NAMES = ("cat", "dog")
GRID = AnchorGrid((416, 416))


def record(*rows, path="a.png", line=1):
    table = np.array(rows, float).reshape(-1, 5)
    return Record(path, table[:, :4].astype(np.float32), table[:, 4].astype(np.int32), f"l.txt:{line}")


BOTH = record((1, 1, 50, 50, 0), (5, 5, 40, 40, 1), path="both.png", line=99)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ((0, 0, 100, 80, 1), None),
        ((-49, 0, 51, 80, 1), None),  # clipped by training, not refused
        ((-51, 0, 49, 80, 1), "box mostly outside its picture"),
        ((90, 10, 130, 20, 1), "box mostly outside its picture"),
        ((100, 10, 130, 20, 1), "box outside its picture"),
        ((10, -20, 30, 0, 1), "box outside its picture"),
        ((10, 80, 30, 90, 1), "box outside its picture"),
        ((-9, 10, 0, 20, 1), "box outside its picture"),
    ],
)
def test_boxes_outside(row, kind):
    problems = find_problems([BOTH, record((1, 1, 9, 9, 0), row, line=3)], [(80, 100)] * 2, NAMES)
    assert [problem.kind for problem in problems] == [kind] * (kind is not None)
    for problem in problems:
        box = ",".join(map(str, row[:4]))
        assert problem.message.startswith(f"l.txt:3: box {box} lies ") and "100 pixels wide and 80 high" in problem.message


def test_each_repeated_box_is_named_once():
    rows = [(10, 10, 60, 60, 0), (1, 1, 9, 9, 1), (10, 10, 60, 60, 0), (10, 10, 60, 60, 1), (10, 10, 60.1, 60, 0)]
    problems = find_problems([record(*rows, line=7)], [(80, 100)], NAMES)
    assert problems == [
        Problem("box twice", f"l.txt:7: box {box} repeats 10,10,60,60, both 'cat'; remove one")
        for box in ("10,10,60,60", "10,10,60.1,60")
    ]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), max_size=6))
def test_repeated_boxes_are_those_of_a_literal_loop(noise):
    rows = [(10, 10, 160 + 2 * a, 160 + b, c) for a, b, c, _ in noise]
    repeats = sum(
        any(first[4] == row[4] and oracle_iou(first[:4], row[:4]) > 0.99 for first in rows[:number])
        for number, row in enumerate(rows)
    )
    problems = find_problems([BOTH, record(*rows)], [(400, 400)] * 2, NAMES)
    assert [problem.kind for problem in problems] == ["box twice"] * repeats


def test_pictures_twice_and_unreadable_and_classes_without_boxes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [record(path="a.png", line=1), record(path="b.png", line=2), record(path=str(tmp_path / "x/../a.png"), line=3)]
    error = InputError("l.txt:2: b.png: not a picture")
    problems = find_problems(records, [(10, 10), error, (10, 10)], NAMES)
    assert [problem.kind for problem in problems] == [
        "unreadable picture", "picture twice", "no boxes", "class without boxes", "class without boxes",
    ]  # fmt: skip
    assert problems[0].message == str(error)
    assert problems[1].message.startswith("l.txt:3: picture ") and "already at l.txt:1;" in problems[1].message
    assert problems[2].message.startswith("3 pictures and not a single box; ")
    assert "'cat'" in problems[3].message and "'dog'" in problems[4].message


def test_a_report():
    records = [
        record((0, 0, 200, 100, 1), (0, 0, 20, 26, 1), path="a.png", line=1),
        record(path="b.png", line=2),
        record((5, 5, 9, 9, 0), (0, 0, 116, 90, 1), path="c.png", line=3),
        record((5, 5, 9, 9, 0), path="d.png", line=4),
    ]
    sizes = [(208, 208), (100, 300), (416, 416), InputError("l.txt:4: d.png: gone")]
    problems = [Problem("box without area", "l.txt:2: flat"), Problem("malformed box", "l.txt:3: what")]
    problems += find_problems(records, sizes, NAMES)
    lines = describe(records, sizes, NAMES, GRID, problems).splitlines()
    assert lines[:7] == [
        "pictures          4, of which 1 cannot be read",
        "without boxes     1",
        "boxes             7, of which 2 cannot be used",
        "boxes a picture   0 to 2, median 1.5",
        "picture width     208 to 416, median 300 pixels",
        "picture height    100 to 416, median 208 pixels",
        "different sizes   3",
    ]
    assert lines[9].split()[:3] == ["dog", "3", "2"] and lines[10].split()[:3] == ["cat", "2", "2"]
    # At 416 x 416: 400 x 200 and 40 x 52; 4 x 4, which nothing reaches; and 116 x 90, an anchor.
    assert "reach 75.0%" in lines[12]
    assert lines[-7:] == [
        "3 problems:",
        "  box without area (1)",
        "    l.txt:2: flat",
        "  malformed box (1)",
        "    l.txt:3: what",
        "  unreadable picture (1)",
        "    l.txt:4: d.png: gone",
    ]


def test_a_report_of_very_many_classes():
    names = [f"n{number}" for number in range(200_000)]  # minutes if a step took the square of their number
    assert describe([], [], (), GRID, []).endswith("\n0 problems")
    lines = describe([record((1, 1, 9, 9, 77_777))], [(80, 100)], names, GRID, []).splitlines()
    table = lines[lines.index("") + 2 :][: len(names)]
    assert table[0].split() == ["n77777", "1", "1", 30 * "#"]
    assert [line.split() for line in table[1:3]] == [["n0", "0", "0"], ["n1", "0", "0"]]
    assert sorted(line.split()[0] for line in table) == sorted(names)


def test_a_clean_set_and_a_set_without_pictures_to_read():
    assert describe([BOTH], [(100, 100)], NAMES, GRID, []).endswith("\n0 problems")
    report = describe([BOTH], [InputError("x")], NAMES, GRID, [Problem("unreadable picture", "x")])
    assert "nothing to say about anchors" in report and "1 problem:" in report


@pytest.mark.parametrize("different", [1, 20_000])
def test_very_many_boxes_in_a_picture(different):
    """The same ones are found; that they are compared each with each would take minutes."""
    rows = [(number % different / 1000, 0, 90, 70, 0) for number in range(40_000)]
    problems = find_problems([BOTH, record(*rows)], [(80, 100)] * 2, NAMES)
    assert [problem.kind for problem in problems] == ["box twice"] * (40_000 - different)
