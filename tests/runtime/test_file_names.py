"""File names from names that a data set, a cfg or a config.json brings."""

import os
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from yolojax.runtime.file_names import file_names, folded


def test_ordinary_names_stay():
    names = ["cat", "größe", "traffic light", "v1.2", "日本語", "a+b", "x-1", "Cat"]
    assert file_names(names[:-1]) == names[:-1]
    assert file_names(names) == [*names[:-1], "Cat-2"]  # letter case does not count on every system


def test_others_become_like_them_and_never_meet():
    assert file_names(["a/b", "a:b", "..", "../../x", "a_b", ""]) == ["a_b-2", "a_b-3", "2", "_.._x", "a_b", "5"]
    assert file_names(["/etc/passwd", "C:\\x", "x\n", "\x1b[2J", "con", "Con.txt", "\ud800"]) == [
        "_etc_passwd", "C__x", "x_", "__2J", "_con", "_Con.txt", "_",
    ]  # fmt: skip
    assert file_names(["n" * 300, "n" * 300 + "m"]) == ["n" * 120, "n" * 120 + "-2"]
    assert folded("É") == folded(unicodedata.normalize("NFD", "é"))


@given(st.lists(st.one_of(st.text(max_size=8), st.text("./\\:aA~ -2", max_size=5)), max_size=12))
@example(["a", "A", "a-2", "a"])
def test_each_is_one_part_of_a_path_and_its_own(names):
    safe = file_names(names)
    assert len({folded(name) for name in safe}) == len(names)
    for name in safe:
        assert name not in ("", ".", "..") and len(name.encode()) < 200 and name.strip(" .") == name
        assert os.path.basename(name) == name and not set(name) & set('/\\:*?"<>|\0\n\x1b')
