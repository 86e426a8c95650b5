"""Lines of text files as people and labelling tools write them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolojax.data.lines import read_lines
from yolojax.errors import InputError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=10)


@given(lines=st.lists(TEXT, min_size=1, max_size=6), end=st.sampled_from(["\n", "\r\n", "\r"]), mark=st.booleans())
def test_lines_come_back_whatever_their_ends_and_the_byte_order_mark(tmp_path_factory, lines, end, mark):
    if lines[0].startswith("\ufeff"):
        return
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes(end.join(lines).encode("utf-8-sig" if mark else "utf-8"))
    assert read_lines(path) == lines


def test_a_line_that_is_not_utf_8_is_named_or_read_as_empty(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\nzw\xf6lf\n\xff\nfour")
    with pytest.raises(InputError, match=r"a\.txt:2: not UTF-8 text; save the file as UTF-8"):
        read_lines(path)
    problems = []
    assert read_lines(path, lambda *problem: problems.append(problem)) == ["one", "", "", "four"]
    assert [kind for kind, _ in problems] == ["not text"] * 2
    assert [message.partition(": ")[0] for _, message in problems] == [f"{path}:2", f"{path}:3"]


def test_what_cannot_be_read_is_named(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    for path in (tmp_path / "absent.txt", tmp_path, tmp_path / "pipe", "nul\0.txt"):
        with pytest.raises(InputError, match="cannot be read: ") as caught:
            read_lines(path)
        assert os.path.basename(path).partition("\0")[0] in str(caught.value)
