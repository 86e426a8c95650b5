"""Text lists: what is read, and what is refused with file and line."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax.data.formats.text import read_text_list
from yolojax.errors import InputError

NAMES = ("cat", "dog", "bird")


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def listed(tmp_path):
    """Writes a list beside empty picture files and returns its path."""

    def make(text, *pictures):
        for picture in pictures:
            write(tmp_path / picture, "")
        return write(tmp_path / "list.txt", text)

    return make


def test_boxes_are_neither_difficult_nor_crowds_unless_a_format_says_so(listed):
    records = read_text_list(listed("a.jpg 1,2,3,4,0 1,2,3,4,1\nb.jpg\n", "a.jpg", "b.jpg"), NAMES)
    assert [record.difficult.tolist() for record in records] == [[False, False], []]
    assert [record.crowd.tolist() for record in records] == [[False, False], []]
    assert records[0].difficult.dtype == records[0].crowd.dtype == bool


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt: cannot be read: No such file"):
        read_text_list(tmp_path / "absent.txt", NAMES)


def test_text_list(listed, tmp_path):
    elsewhere = write(tmp_path / "else where" / "d.png", "")
    path = listed(
        f"\ufeffa.jpg 1,2,3.5,4,0 -5,1e1,20,30,2\r\n\r\n  sub/b 1.jpg\t10,20,30,40,1  \r\nc.jpg\r\n{elsewhere} 1,1,2,2,1",
        "a.jpg",
        "sub/b 1.jpg",
        "c.jpg",
    )
    records = read_text_list(str(path), NAMES)
    assert [record.path for record in records] == [
        str(tmp_path / "a.jpg"), str(tmp_path / "sub/b 1.jpg"), str(tmp_path / "c.jpg"), str(elsewhere),
    ]  # fmt: skip
    assert [record.source for record in records] == [f"{path}:{line}" for line in (1, 3, 4, 5)]
    np.testing.assert_array_equal(records[0].boxes, [[1, 2, 3.5, 4], [-5, 10, 20, 30]])
    np.testing.assert_array_equal(records[0].classes, [0, 2])
    np.testing.assert_array_equal(records[1].boxes, [[10, 20, 30, 40]])
    assert records[2].boxes.shape == (0, 4) and records[2].classes.shape == (0,)
    np.testing.assert_array_equal(records[3].boxes, [[1, 1, 2, 2]])
    assert all(record.boxes.dtype == np.float32 and record.classes.dtype == np.int32 for record in records)


def test_only_negatives(listed):
    records = read_text_list(listed("a.jpg\nb.jpg\n", "a.jpg", "b.jpg"), NAMES)
    assert [len(record.boxes) for record in records] == [0, 0]


def test_relative_to_the_list_and_not_to_the_process(listed, monkeypatch, tmp_path):
    path = listed("a.jpg\n", "a.jpg")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert read_text_list("../list.txt", NAMES)[0].path == "../a.jpg"
    monkeypatch.chdir(tmp_path)
    assert read_text_list(path.name, NAMES)[0].path == "a.jpg"


@pytest.mark.parametrize("picture", ["1,2,3,4,0.jpg", "my pic,1.jpg", "a,b", "x 1,2,3,4,1", "x 1,2,3", "a, b, c"])
@pytest.mark.parametrize("boxes", ["", " 1,2,3,4,0", " 1,2,3,4,0 5,6,7,8,1"])
def test_commas_in_a_path_that_exists(listed, tmp_path, picture, boxes):
    record = read_text_list(listed(picture + boxes, picture), NAMES)[0]
    assert record.path == str(tmp_path / picture)
    assert len(record.boxes) == boxes.count(" ")


BROKEN_BOXES = [
    ("1,2,3,4", "'1,2,3,4' is not a box: it has 4 values"),
    ("1,2,3,4,0,9", "'1,2,3,4,0,9' is not a box: it has 6 values"),
    ("5,6,7,8,1 1,2,3,4", "'1,2,3,4' is not a box: it has 4 values"),
    ("1,2,3,4 5,6,7,8,1", "'1,2,3,4' is not a box: it has 4 values"),
    ("1,2,x,4,0", "'1,2,x,4,0' is not a box: 'x' is not a number"),
    ("1,2,,4,0", "'' is not a number"),
    ("1,2,nan,4,0", "'nan' is not a number"),
    ("1,2,inf,4,0", "'inf' is not a number"),
    ("1,2,1_0,4,0", "'1_0' is not a number"),
    ("1,2,1e999,4,0", "larger than any picture"),
    ("1,2,3,4,1.5", "class '1.5' is not a whole number"),
    ("1,2,3,4,-1", "class '-1' is not a whole number"),
    ("1,2,3,4,cat", "class 'cat' is not a whole number"),
    ("1,2,3,4,3", "class 3 has no name: there are 3 names, for classes 0 to 2"),
    ("1,2,3,4,99999999999999999999", "has no name"),
    ("3,2,1,4,0", "box 3,2,1,4 has no area"),
    ("1,4,3,2,0", "has no area"),
    ("1,2,1,4,0", "has no area"),
    ("1,2,3,2,0", "has no area"),
    ("1000,2,1000.00001,4,0", "has no area"),
    ("1, 2, 3, 4, 0", "is not a box"),
    ("1 2 3 4 0", "'1 2 3 4 0' is not a box: there are spaces inside it"),
    ("1,2,3,4,0 12 5,6,7,8,1", "'12' is not a box"),
    ("1;2;3;4;0", "is not a box"),
]


@pytest.mark.parametrize(("boxes", "message"), BROKEN_BOXES)
def test_broken_boxes_are_refused_with_file_and_line(listed, boxes, message):
    path = listed(f"a.jpg 1,2,3,4,0\nb.jpg\n\nc.jpg {boxes}\nd.jpg 1,2,3,4,0\n", "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    with pytest.raises(InputError, match=message) as caught:
        read_text_list(path, NAMES)
    assert str(caught.value).startswith(f"{path}:4: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("boxes", ["", " 1,2,3,4,0"])
@pytest.mark.parametrize("picture", ["absent.jpg", "ab sent.jpg", "ab,sent.jpg", "folder"])
def test_missing_picture(listed, tmp_path, boxes, picture):
    (tmp_path / "folder").mkdir()
    path = listed(f"a.jpg\n{picture}{boxes}\n", "a.jpg")
    with pytest.raises(InputError, match=f":2: there is no picture {tmp_path / picture};"):
        read_text_list(path, NAMES)
    assert read_text_list(path, NAMES, lambda *_: None)[1].path == str(tmp_path / picture)


@pytest.mark.parametrize("text", ["", "\n \n\n"])
def test_list_without_pictures(listed, text):
    with pytest.raises(InputError, match=r"list\.txt: no pictures"):
        read_text_list(listed(text), NAMES)


def test_list_that_is_not_text(listed):
    with pytest.raises(InputError, match=r"list\.txt:1: not UTF-8"):
        read_text_list(listed(b"\xff\xd8\xff\xe0"), NAMES)


_SIDE = st.one_of(st.integers(-50, 5000), st.floats(-50, 5000, width=32))
_SPAN = st.one_of(st.integers(1, 500), st.floats(0.5, 500, width=32))
_ROWS = st.lists(st.tuples(_SIDE, _SIDE, _SPAN, _SPAN, st.integers(0, 2)), max_size=5)
_WORD = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=5)
_PATHS = st.lists(_WORD, min_size=1, max_size=3).map(lambda words: " ".join(words) + ".jpg")


@settings(deadline=None, max_examples=60)
@given(pictures=st.lists(st.tuples(_PATHS, _ROWS), min_size=1, max_size=6))
def test_round_trip(tmp_path_factory, pictures):
    lines = []
    for picture, rows in pictures:
        boxes = [f"{x},{y},{x + w},{y + h},{c}" for x, y, w, h, c in rows]
        lines.append(" ".join([picture, *boxes]))
    path = write(tmp_path_factory.mktemp("list") / "l.txt", "\n".join(lines))
    problems = []
    records = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert {kind for kind, _ in problems} == {"missing picture"}
    assert len(records) == len(pictures)
    for record, (picture, rows) in zip(records, pictures, strict=True):
        assert record.path == str(path.parent / picture)
        expected = np.array([(x, y, x + w, y + h) for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
        np.testing.assert_array_equal(record.boxes, expected)
        np.testing.assert_array_equal(record.classes, [row[4] for row in rows])


@pytest.mark.parametrize(("boxes", "message"), BROKEN_BOXES)
def test_a_tolerant_reader_reports_what_a_strict_one_refuses(listed, boxes, message):
    path = listed(f"a.jpg 1,2,3,4,0\nb.jpg 1,2,7,8,1 {boxes} 2,2,4,4,2\n\nc.jpg 5,5,6,6,1\n", "a.jpg", "b.jpg", "c.jpg")
    problems = []
    records = read_text_list(path, NAMES, on_problem=lambda *problem: problems.append(problem))
    with pytest.raises(InputError) as caught:
        read_text_list(path, NAMES)
    assert str(caught.value) == problems[0][1]
    assert all(text.startswith(f"{path}:2: ") and "\n" not in text for _, text in problems)
    assert {kind for kind, _ in problems} <= {
        "malformed box", "box too large", "box without area", "class without a name",
    }  # fmt: skip
    assert [record.source for record in records] == [f"{path}:{line}" for line in (1, 2, 4)]
    assert [record.path for record in records] == [str(path.parent / f"{name}.jpg") for name in "abc"]
    tokens = len(boxes.split())
    assert len(records[1].boxes) == 2 + tokens - len(problems)
    np.testing.assert_array_equal(records[1].boxes[[0, -1]], [[1, 2, 7, 8], [2, 2, 4, 4]])
    np.testing.assert_array_equal(records[2].boxes, [[5, 5, 6, 6]])
    np.testing.assert_array_equal(records[2].classes, [1])


def test_a_tolerant_reader_reports_missing_pictures(listed, tmp_path):
    path = listed("absent.jpg 1,2,3,4,0\na.jpg\n", "a.jpg")
    problems = []
    records = read_text_list(path, NAMES, on_problem=lambda *problem: problems.append(problem))
    assert len(records) == 2 and len(records[0].boxes) == 1
    assert [kind for kind, _ in problems] == ["missing picture"]
    assert problems[0][1].startswith(f"{path}:1: there is no picture {tmp_path / 'absent.jpg'}")


def test_lines_that_are_not_text_are_reported_and_the_rest_is_read(listed):
    path = listed(b"a.jpg 1,2,3,4,0\r\nb\xff.jpg 1,2,3,4,0\rc.jpg\n", "a.jpg", "c.jpg")
    with pytest.raises(InputError, match=r"list\.txt:2: not UTF-8 text"):
        read_text_list(path, NAMES)
    problems = []
    records = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert problems == [("not text", f"{path}:2: not UTF-8 text; save the file as UTF-8")]
    assert [record.source for record in records] == [f"{path}:1", f"{path}:3"]


@pytest.mark.parametrize(
    "line",
    ["a.jpg" + " 1,2,3,4" * 200_000, "a.jpg" + " 1,2,3,4,0" * 200_000, "a.jpg 1,2,3," + "1" * 200_000 + "x,0",
     "a" * 1_000_000, "a " * 500_000, "," * 1_000_000, "1,2,3,4,0 " * 200_000],
    ids=["malformed", "missing picture", "digits", "one word", "words", "commas", "boxes"],
)  # fmt: skip
def test_enormous_lines_take_no_more_than_their_length(listed, line):
    path = listed(f"b.jpg\n{line}\nb.jpg 1,2,3,4,0\n", "b.jpg")
    problems = []
    began = time.monotonic()
    records = read_text_list(path, NAMES, lambda *problem: problems.append(problem))
    assert time.monotonic() - began < 20  # a time that grows with the square would be hours
    assert len(records) == 3 and len(records[2].boxes) == 1 and problems
    with pytest.raises(InputError, match=r"list\.txt:2: ") as caught:
        read_text_list(path, NAMES)
    assert len(str(caught.value)) < 50_000
